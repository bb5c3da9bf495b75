"""What adapters share: from an answer to rows, from rows to readings, and unified symbols."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

from positions.engine.types import ContractKind, Side
from riskhub import clock
from venues.base import (
    AccountRequest,
    MarketSpec,
    PositionReading,
    Refusal,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import BadAccount, UnreadableAnswer, VenueError, VenueRefused
from venues.figures import Figure, Row, RowError, exactly

CROSS = "cross margin: the account's balance backs it"
# The reason of a ratio where equity is used up; positions that have it sort first.
BANKRUPT = "bankrupt"
MODE_UNKNOWN = "the venue does not say whether the margin is isolated"

# What the columns of the tables hold; a longer text, or one of these characters, is no name of
# any contract, and PostgreSQL would refuse every account of the group because of it.
LONGEST_NAMES = {"symbol": 80, "venue_symbol": 80, "asset": 30, "quote": 30, "settle": 30}
LONGEST_SLOT = 8
LONGEST_SCOPE = 60
_names_of = attrgetter(*LONGEST_NAMES)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# Up to so many contracts are asked for one by one; beyond, the whole list is the smaller answer.
_FEW = 8
# Names and sizes of contracts that were looked at once.
_NAMES_KEPT = 16_384

_Found = TypeVar("_Found")

ReadRow = Callable[[Row], PositionReading | None]
Ask = Callable[[str | None], Awaitable[list[Any]]]


@dataclass(frozen=True, slots=True)
class SymbolParts:
    """What a unified symbol says: "BTC/USD:BTC-210430" is a dated inverse contract."""

    base: str
    quote: str
    settle: str
    is_dated: bool

    @property
    def kind(self) -> ContractKind:
        """Return inverse where the base coin settles, else linear."""
        is_inverse = self.settle == self.base != self.quote
        return ContractKind.INVERSE if is_inverse else ContractKind.LINEAR


def split_symbol(symbol: str) -> SymbolParts:
    """Return the parts of a unified symbol; settle is "" where it names none."""
    pair, _, rest = symbol.partition(":")
    base, _, quote = pair.partition("/")
    settle, _, expiry = rest.partition("-")
    return SymbolParts(base=base, quote=quote, settle=settle, is_dated=bool(expiry))


def take_rows(answer: Any, *path: str) -> list[Any]:
    """Return the list at `path` of a decoded answer.

    Raises UnreadableAnswer when there is no list: that is not an empty book.
    """
    for name in path:
        answer = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(answer, list):
        place = ".".join(path) or "the answer"
        raise UnreadableAnswer(f"The answer is not the documented one: {place} is no list.")
    return answer


def take_instant(answer: Any, name: str) -> datetime | None:
    """Return the instant that an envelope names in milliseconds; None where it names none."""
    return read_instant(Row(answer), name) if isinstance(answer, Mapping) else None


def read_instant(row: Row, name: str) -> datetime | None:
    """Return the instant that a row names in milliseconds; None where it names none."""
    milliseconds = row.milliseconds(name)
    if milliseconds is None:
        return None
    try:
        return clock.from_milliseconds(milliseconds)
    except (ValueError, OverflowError, OSError):
        return None


def read_rows(
    *, scope: str, rows: Iterable[Any], read_row: ReadRow, symbol_field: str = "symbol"
) -> ScopeReading:
    """Return a scope's readings; a row that cannot be read is refused and the others are kept.

    `read_row` returns None for a row to leave out, such as a flat one. A name that no column can
    hold is a refusal: every reading passes here, those of the generic adapter too. A position
    listed twice is kept once, as its newer row shows it; rows that differ count as a refusal too.
    """
    kept: dict[tuple[str, str, str], PositionReading] = {}
    refusals: list[Refusal] = []
    with exactly():
        for each in rows:
            try:
                reading = read_row(Row(each))
                if reading is not None:
                    _check_names(reading)
                    _keep(kept, reading)
            except RowError as error:
                refusals.append(Refusal(reason=str(error), venue_symbol=_name(each, symbol_field)))
    return ScopeReading(scope=scope, positions=tuple(kept.values()), refusals=tuple(refusals))


def read_each(rows: Iterable[Any], read: Callable[[Row], _Found | None]) -> list[_Found]:
    """Return what `read` makes of each row, without the rows that cannot be read."""
    found = []
    for each in rows:
        try:
            reading = read(Row(each))
        except RowError:
            continue
        if reading is not None:
            found.append(reading)
    return found


def choose_scopes(*, request: AccountRequest, available: Sequence[str]) -> Sequence[str]:
    """Return the scopes to read: the account's option "scopes" ("a,b" or a list), else all.

    Raises BadAccount when it names one that there is not, or an option makes one that is no name.
    """
    wanted = request.options.get("scopes") or available
    names = wanted.split(",") if isinstance(wanted, str) else wanted
    chosen = tuple(str(name).strip() for name in names)
    for name in chosen:
        if name not in available:
            raise BadAccount(f"There is no scope {name!r} here; one of: {', '.join(available)}.")
        problem = _problem_of(name, longest=LONGEST_SCOPE)
        if problem:
            raise BadAccount(f"The scope {name[:40]!r} of this account's options {problem}.")
    return chosen


def check_scope(*, adapter: VenueAdapter, request: AccountRequest, scope: str) -> None:
    """Raise BadAccount where the account's options name a scope that there is not."""
    chosen = adapter.scopes(request)
    if scope not in chosen:
        raise BadAccount(f"There is no scope {scope!r} here; one of: {', '.join(chosen)}.")


def require(row: Row, name: str) -> Figure:
    """Return a reported number without which the row means nothing; raises RowError."""
    figure = row.number(name)
    if not figure.is_known:
        raise RowError(f"{name} is missing")
    return figure


def read_signed_size(size: Figure, *, slot: str) -> tuple[Side, Figure]:
    """Return side and magnitude of a signed size that is not 0.

    Raises RowError where the sign contradicts a hedge slot ("long", "short"): which of the two
    is true would be a guess.
    """
    if not size.value:
        raise RowError("the size is missing")
    side = Side.LONG if size.value > 0 else Side.SHORT
    if slot not in ("net", side):
        raise RowError(f"size {size.value} contradicts the side {slot}")
    return side, size.magnitude()


@lru_cache(_NAMES_KEPT)
def exact(listed: float) -> Figure:
    """Return what a listed contract says of itself, such as its size, as a derived figure."""
    return Figure.derived(Decimal(str(listed)))


def value_at(*, market: MarketSpec, contracts: Figure, price: Figure) -> Figure:
    """Return the value of a position in settle units, derived.

    Unknown where the contract is not listed or its profit is paid in a third coin.
    """
    if market.contract_size is None or market.kind is None:
        return Figure.unknown("the venue lists no such contract")
    size = market.contract_size
    quantity = contracts if size == 1 else contracts.times(exact(size))
    if market.kind is ContractKind.LINEAR:
        return quantity.times(price)
    if market.kind is ContractKind.INVERSE:
        return quantity.over(price)
    return Figure.unknown(f"no rule for the value of a {market.kind} contract")


async def ask_each_or_all(*, names: Sequence[str], ask: Ask, few: int = _FEW) -> list[Any]:
    """Return the rows of a list endpoint: one request a name, or one for all if more than `few`.

    Requests queue for the venue's rate limit, so `few` is small where each of them weighs much.
    `ask` is given a name, or None for the whole list. A name that the venue refuses, such as a
    delisted contract, is left out unless it refuses every one. Raises the first other VenueError
    of `ask`; the other requests are cancelled then.
    """
    if len(names) > few:
        return await ask(None)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_run(ask, name)) for name in names]
    except BaseExceptionGroup as errors:
        raise _first_venue_error(errors) from None
    answers = [task.result() for task in tasks]
    refused = [each for each in answers if isinstance(each, VenueRefused)]
    if refused and len(refused) == len(answers):
        raise refused[0]
    return [row for each in answers if not isinstance(each, VenueRefused) for row in each]


def list_symbols(*, client: VenueClient, symbols: Iterable[str]) -> dict[str, str]:
    """Return the venue's own id -> unified symbol, for the symbols that the venue lists."""
    markets = [client.market(symbol) for symbol in symbols]
    return {market.venue_symbol: market.symbol for market in markets if market.is_known}


async def _run(ask: Ask, name: str) -> list[Any] | VenueRefused:
    try:
        return await ask(name)
    except VenueRefused as error:
        return error


def _first_venue_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found = errors.subgroup(VenueError) or errors
    error: BaseException = found
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _check_names(reading: PositionReading) -> None:
    """Raise RowError where a name of the reading fits no column."""
    problem = _problem_among((*_names_of(reading.market), reading.slot))
    if problem:
        raise RowError(problem)


@lru_cache(_NAMES_KEPT)
def _problem_among(names: tuple[str, ...]) -> str:
    """Return what is wrong with the first bad name; a market's names are the same each poll."""
    limits = (*LONGEST_NAMES.items(), ("slot", LONGEST_SLOT))
    for text, (name, longest) in zip(names, limits, strict=True):
        problem = _problem_of(text, longest=longest)
        if problem:
            return f"{name.replace('_', ' ')} {problem}"
    return ""


@lru_cache(_NAMES_KEPT)
def _problem_of(text: str, *, longest: int) -> str:
    """Return what is wrong with a name, as the end of a sentence; "" where nothing is."""
    if len(text) > longest:
        return f"is longer than {longest} characters"
    return "holds a control character" if _CONTROL.search(text) else ""


def _keep(kept: dict[tuple[str, str, str], PositionReading], reading: PositionReading) -> None:
    twin = kept.setdefault(reading.identity, reading)
    if twin is reading or twin.raw == reading.raw:
        return
    if twin.venue_time and reading.venue_time and reading.venue_time >= twin.venue_time:
        kept[reading.identity] = reading
    raise RowError("the venue lists this position twice, with different figures")


def _name(fields: Any, symbol_field: str) -> str:
    name = fields.get(symbol_field) if isinstance(fields, Mapping) else None
    return str(name)[:80] if isinstance(name, str | int) else ""
