"""A formula as data: what it gives, what it needs, and who says so.

A formula is a function whose parameters name the facts it needs. `given_x` stands for the input x
itself, which must have been given; a parameter with a default can do without. Functions are
gathered into families; a margin rule takes part in some families
(positions/calculator/taking_part.py), and where several of them give the same fact, the first
whose needs are met answers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Formula = TypeVar("Formula", bound=Callable[..., Any])
GIVEN = "given_"


@dataclass(frozen=True, slots=True)
class Derivation:
    """One way to a fact.

    gives    name of the fact; a figure when FIGURES holds it
    needs    facts: the formula's parameters
    defaults what stands for a need that can be done without
    unless   inputs that must not be there (0 counts as not there)
    note     said beside the figure when this way was taken
    is_quiet not proposed to somebody who lacks an input
    is_final what less special families say of the fact does not count
    """

    gives: str
    needs: tuple[str, ...]
    formula: Callable[..., Any]
    source: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    unless: tuple[str, ...] = ()
    note: str = ""
    is_quiet: bool = False
    is_final: bool = False


@dataclass(slots=True)
class Family:
    """Formulas that belong together, most special first."""

    name: str
    source: str
    derivations: list[Derivation] = field(default_factory=list)

    def gives(
        self,
        fact: str,
        *,
        source: str = "",
        unless: tuple[str, ...] = (),
        note: str = "",
        is_quiet: bool = False,
        is_final: bool = False,
    ) -> Callable[[Formula], Formula]:
        """Register the decorated formula as a way to that fact."""

        def register(formula: Formula) -> Formula:
            parameters = inspect.signature(formula).parameters.values()
            self.derivations.append(
                Derivation(
                    gives=fact,
                    needs=tuple(each.name for each in parameters),
                    formula=formula,
                    source=source or self.source,
                    defaults={
                        each.name: each.default
                        for each in parameters
                        if each.default is not each.empty
                    },
                    unless=unless,
                    note=note,
                    is_quiet=is_quiet,
                    is_final=is_final,
                )
            )
            return formula

        return register
