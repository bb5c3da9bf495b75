"""What an adapter understands in an account's options: declared as data, checked when given."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from venues.errors import BadAccount

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,20}")
_LONGEST_VALUE = 2_000


@dataclass(frozen=True, slots=True)
class AccountOption:
    """One option of an account.

    help      what it does, as the end of a sentence
    choices   the values there are; empty is any text
    is_many   several values: "a,b" or a JSON list
    keys      names in the JSON object that it is; `choices` are then the values of these
    """

    name: str
    help: str
    choices: tuple[str, ...] = ()
    is_many: bool = False
    keys: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Return name, meaning and values for a person who is about to give it."""
        return f"{self.name}: {self.help}{f' ({self.allowed})' if self.choices else ''}."

    @property
    def allowed(self) -> str:
        """Return the values there are, as the end of a sentence."""
        listed = ", ".join(self.choices)
        if self.keys:
            return f"an object with {', '.join(self.keys)}, each of them one of: {listed}"
        return f"{'some' if self.is_many else 'one'} of: {listed}"


def scopes_option(choices: Iterable[str] = ()) -> AccountOption:
    """Return the option that says which parts of an account are read."""
    return AccountOption("scopes", "the parts to read, all by default", tuple(choices), True)


def check(options: Mapping[str, Any], *, declared: Sequence[AccountOption], label: str) -> None:
    """Raise BadAccount for an option or a value that the adapter called `label` does not know.

    No value is repeated, and no name that is not shaped like one: it may be a secret.
    """
    known = {option.name: option for option in declared}
    for name, value in options.items():
        if name not in known:
            raise BadAccount(_no_option(name, known=list(known), label=label))
        _check_value(known[name], value, label=label)


def nearest(given: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for what was probably meant, else ""."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(given.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else ""


def shown(name: str) -> str:
    """Return a name for a sentence; a secret in its place is not repeated."""
    return repr(name) if _NAME.fullmatch(name) else "a field of another name"


def _no_option(name: str, *, known: Sequence[str], label: str) -> str:
    if not known:
        return f"{label} takes no options, not {shown(name)}."
    hint = nearest(name, known) or "."
    return f"{label} has no option {shown(name)}{hint} Its options: {', '.join(known)}."


def _check_value(option: AccountOption, value: Any, *, label: str) -> None:
    parts = _parts(option, value)
    if parts is None or any(len(part) > _LONGEST_VALUE or not part.strip() for part in parts):
        raise BadAccount(f"{label}’s option {option.name} should be {_shape(option)}.")
    for part in parts:
        if option.choices and part not in option.choices:
            hint = nearest(part, option.choices) or "."
            raise BadAccount(f"{label}’s option {option.name} is {option.allowed}{hint}")


def _parts(option: AccountOption, value: Any) -> list[str] | None:
    """Return the single values of an option; None where it has another shape."""
    if option.keys:
        is_sound = isinstance(value, Mapping) and set(value) <= set(option.keys)
        return [_text(each) for each in value.values()] if is_sound and value else None
    if option.is_many:
        items = value.split(",") if isinstance(value, str) else value
        is_sound = isinstance(items, list) and all(isinstance(each, str) for each in items)
        return [each.strip() for each in items] if is_sound and items else None
    return [_text(value)] if isinstance(value, str | int | float) else None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shape(option: AccountOption) -> str:
    if option.choices:
        return option.allowed
    return "names separated by commas" if option.is_many else "a text or a number"
