"""Resolve facts: each by the first of its derivations whose needs are met, each once.

A fact that no derivation reaches names the inputs that would open the shortest way to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from positions.calculator.answer import NOT_FINITE
from positions.calculator.derivations import GIVEN, Derivation
from positions.calculator.errors import NoFigureError
from positions.calculator.fields import FIELDS
from positions.calculator.figures import FIGURES

# Inputs of which each alone would do, and all such groups that are needed together.
Group = tuple[str, ...]
Groups = tuple[Group, ...]

SIDE = "side"
NO_WAY = "unknown: no formula leads there from these inputs"
_MOST_ALTERNATIVES = 4


class Flow:
    """The facts of one case.

    ways    fact -> its derivations, the preferred first
    inputs  what was given
    """

    def __init__(
        self, *, ways: Mapping[str, tuple[Derivation, ...]], inputs: Mapping[str, Any]
    ) -> None:
        self._ways = ways
        self._inputs = inputs
        self._facts: dict[str, Any] = dict(inputs)
        self._taken: dict[str, Derivation] = {}
        self._refused: dict[str, str] = {}
        self._missing: dict[str, Groups] = {}

    def find(self, fact: str) -> Any:
        """Return the fact, or None where it cannot be known."""
        if fact not in self._facts:
            # Set first: a fact that needs itself is not known.
            self._facts[fact] = None
            self._facts[fact] = self._resolve(fact)
        return self._facts[fact]

    def note(self, fact: str) -> str:
        """Return what must be said beside the fact."""
        way = self._taken.get(fact)
        return way.note if way else ""

    def reason(self, fact: str) -> str:
        """Return why the fact is not known."""
        groups = () if fact in self._refused else self.missing(fact)
        if groups:
            return f"unknown: {say_missing(groups)}"
        return self._find_refusal(fact, set()) or NO_WAY

    def missing(self, fact: str) -> Groups:
        """Return what would have to be given for the fact; () when it is known or never."""
        if fact not in self._missing:
            self._missing[fact] = ()
            self._missing[fact] = self._find_missing(fact)
        return self._missing[fact]

    def _resolve(self, fact: str) -> Any:
        for way in self._ways.get(fact, ()):
            values = self._collect(way) if self._is_open(way) else None
            if values is not None:
                return self._apply(way, values)
        field = FIELDS.get(fact)
        return field.default if field else None

    def _is_open(self, way: Derivation) -> bool:
        return not any(self._inputs.get(name) for name in way.unless)

    def _collect(self, way: Derivation) -> dict[str, Any] | None:
        values = {}
        for need in way.needs:
            value = self._inputs.get(need[len(GIVEN) :]) if _is_given(need) else self.find(need)
            if value is None:
                value = way.defaults.get(need)
            if value is None:
                # A need that does not exist is the reason, not something that is missing.
                if need in self._refused:
                    self._refused.setdefault(way.gives, self._refused[need])
                return None
            values[need] = value
        return values

    def _apply(self, way: Derivation, values: dict[str, Any]) -> Any:
        try:
            value = way.formula(**values)
        except NoFigureError as error:
            self._refused[way.gives] = str(error)
            return None
        except ArithmeticError:
            value = math.nan
        if isinstance(value, float) and not math.isfinite(value):
            self._refused[way.gives] = NOT_FINITE
            return None
        self._refused.pop(way.gives, None)
        self._taken[way.gives] = way
        # Adding 0.0 turns -0.0 into 0.0.
        return value + 0.0 if isinstance(value, float) else value

    def _find_missing(self, fact: str) -> Groups:
        if self.find(fact) is not None:
            return ()
        ways = [way for way in self._ways.get(fact, ()) if self._is_open(way)]
        found: list[Groups] = [((fact,),)] if self._is_input(fact) else []
        found += [groups for way in ways if not way.is_quiet and (groups := self._lacks(way))]
        if not found:
            return ()
        shortest = min(len(groups) for groups in found)
        best = [groups for groups in found if len(groups) == shortest]
        if shortest > 1:
            return best[0]
        names = dict.fromkeys(name for groups in best for name in groups[0])
        return (tuple(names)[:_MOST_ALTERNATIVES],)

    def _find_refusal(self, fact: str, seen: set[str]) -> str | None:
        """Return the reason of the nearest need that does not exist."""
        if fact in self._refused:
            return self._refused[fact]
        seen.add(fact)
        needs = (need for way in self._ways.get(fact, ()) for need in way.needs)
        lacking = [need for need in needs if need not in seen and self._facts.get(need) is None]
        found = (self._find_refusal(need, seen) for need in lacking)
        return next((reason for reason in found if reason), None)

    def _is_input(self, fact: str) -> bool:
        # An input that is a figure too is proposed by the formulas that need it as given.
        return fact == SIDE or (fact in FIELDS and fact not in FIGURES)

    def _lacks(self, way: Derivation) -> Groups:
        groups: dict[Group, None] = {}
        for need in way.needs:
            if need in way.defaults:
                continue
            name = need.removeprefix(GIVEN)
            if _is_given(need):
                if self._inputs.get(name) is None:
                    groups[(name,)] = None
            elif self.find(need) is None:
                lacking = self.missing(need)
                if not lacking:
                    return ()
                groups |= dict.fromkeys(lacking)
        return _absorb(groups)


def say_missing(groups: Groups) -> str:
    """Return the missing inputs in words."""
    single = [group[0] for group in groups if len(group) == 1]
    choices = [f"one of {', '.join(group)}" for group in groups if len(group) > 1]
    return f"missing {' and '.join(single + choices)}"


def _absorb(groups: Iterable[Group]) -> Groups:
    """Drop each group that is met by whatever meets a smaller one."""
    sets = {group: frozenset(group) for group in groups}
    return tuple(
        group for group, names in sets.items() if not any(other < names for other in sets.values())
    )


def _is_given(need: str) -> bool:
    return need.startswith(GIVEN)
