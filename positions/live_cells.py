"""A position's figures as people see them: made once, for a page and for what patches it.

`shown` says how a figure is written; `cells` is what browsers get after a commit. The shape is
static/js/live.js's: {id, cells: {field: {text, title, value, source}}, ...}.
Both need the position's account, market and provenance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from positions.columns import BEYOND_ALL
from positions.engine.types import ContractKind, Source
from positions.freshness import stale_after_s
from positions.models import Position
from positions.pools import is_pooled
from riskhub import formatting
from venues.rows import BANKRUPT

# Sorts before every distance: nothing is left of a position that is bankrupt.
BANKRUPT_FIRST = BEYOND_ALL
# Amounts in US dollars, and the same in settle coins, which are shown where no dollars are known.
_IN_COINS: Mapping[str, str] = {
    "collateral_usd": "collateral",
    "notional_usd": "notional",
    "unrealized_pnl_usd": "unrealized_pnl",
}


@dataclass(frozen=True, slots=True)
class Form:
    """How a figure is written.

    name    a function of riskhub.formatting
    digits  decimals of a per cent; None leaves them to the function
    unit    USD, or "settle", "asset" of the market; "" for the forms that need none
    """

    name: str
    digits: int | None = None
    unit: str = ""


_PRICE, _SETTLE, _PERCENT = Form("price"), Form("money", unit="settle"), Form("percent")
_PROBABILITY, _COUNT = Form("probability"), Form("quantity")
FORMS: Mapping[str, Form] = {
    "contracts": _COUNT,
    "contract_size": _COUNT,
    "quantity": _COUNT,
    "entry_price": _PRICE,
    "mark_price": _PRICE,
    "index_price": _PRICE,
    "notional": _SETTLE,
    "notional_usd": Form("money", unit="USD"),
    "collateral": _SETTLE,
    "collateral_usd": Form("money", unit="USD"),
    "max_loss": _SETTLE,
    "leverage": Form("leverage"),
    "unrealized_pnl": Form("signed_money", unit="settle"),
    "unrealized_pnl_usd": Form("signed_money", unit="USD"),
    "maintenance_margin": _SETTLE,
    "margin_ratio": _PERCENT,
    "venue_margin_ratio": Form("quantity"),
    "liquidation_price": _PRICE,
    "venue_liquidation_price": _PRICE,
    "engine_liquidation_price": _PRICE,
    "bankruptcy_price": _PRICE,
    "liquidation_distance": Form("percent", digits=1),
    "rank_distance": Form("percent", digits=1),
    "distance_sigmas": Form("sigmas"),
    "probability_1h": _PROBABILITY,
    "probability_4h": _PROBABILITY,
    "probability_24h": _PROBABILITY,
    "probability_7d": _PROBABILITY,
    "funding_rate": Form("percent", digits=4),
    "adl_rank": _COUNT,
}
# What browsers are told when a price has moved, and when a position has been read. A price refresh
# changes no figure that is not in the first list (tests/positions/test_inverse.py).
MOVED_BY_PRICE = (
    "mark_price",
    "index_price",
    # Of an inverse contract: its dollars stay, its coins move.
    "quantity",
    "notional",
    "liquidation_price",
    "engine_liquidation_price",
    "liquidation_distance",
    "margin_ratio",
    "maintenance_margin",
    "collateral_usd",
    "notional_usd",
    "unrealized_pnl",
    "unrealized_pnl_usd",
    # Comes with the price.
    "funding_rate",
)
# Those of them that are worked out anew at each price, but of what the reading said.
_AS_READ = frozenset({"liquidation_price", "engine_liquidation_price", "funding_rate"})
LIVE = (
    *MOVED_BY_PRICE,
    "entry_price",
    "venue_liquidation_price",
    "bankruptcy_price",
    "collateral",
)
# Gauges, charts and the colours of gains need the number itself.
_DRAWN = frozenset(
    {
        "mark_price",
        "liquidation_price",
        "bankruptcy_price",
        "margin_ratio",
        "unrealized_pnl",
        "unrealized_pnl_usd",
    }
)
# Only here could the venue have said it itself, so only here "ours" tells anything.
TAGGED = frozenset({"liquidation_price"})


@dataclass(frozen=True, slots=True)
class Shown:
    """One figure of one position, ready to be written.

    unit         the coin or currency of an amount; "" otherwise
    reason       why it is unknown, or why it stands in coins
    is_beyond    the margin ratio of a bankrupt position: there is no number, and it is the worst
    is_in_coins  dollars are not known and the amount stands in its own coin
    """

    name: str
    value: float | None
    form: Form
    unit: str
    source: str
    reason: str
    is_beyond: bool = False
    is_in_coins: bool = False

    @property
    def level(self) -> float | None:
        """Return how full a gauge of it is drawn; None for the unknown."""
        return 1.0 if self.is_beyond else self.value

    @property
    def text(self) -> str:
        """Return the figure as pages show it; "—" for the unknown."""
        if self.is_beyond:
            return BANKRUPT
        write: Callable[..., str] = getattr(formatting, self.form.name)
        if self.unit:
            return write(self.value, self.unit)
        options = {} if self.form.digits is None else {"digits": self.form.digits}
        return write(self.value, **options)


def shown(position: Position, name: str, *, may_be_coins: bool = True) -> Shown:
    """Return a figure with its unit, source and reason.

    An amount whose worth in US dollars is not known is shown in its own coin, and says why, unless
    that may not be. An amount of a coin that is not known is a bare number.
    """
    if name == "margin_ratio" and is_bankrupt(position):
        return _beyond(name)
    value, coin = getattr(position, name), position.market.settle
    sources, reasons = position.provenance.sources, position.provenance.reasons
    twin = _IN_COINS.get(name, name)
    shows = name if value is not None or not coin or not may_be_coins else twin
    value = getattr(position, shows)
    form = FORMS[shows]
    if form.unit == "settle" and not coin:
        form = _COUNT
    return Shown(
        name=name,
        value=value,
        form=form,
        unit=coin if form.unit == "settle" else form.unit,
        source=str(Source.UNKNOWN if value is None else sources.get(shows) or Source.DERIVED),
        reason=reasons.get(name) or reasons.get(twin, ""),
        is_in_coins=shows != name,
    )


def _beyond(name: str) -> Shown:
    return Shown(
        name=name,
        value=None,
        form=FORMS[name],
        unit="",
        source=str(Source.DERIVED),
        reason="losses exceed the collateral, beyond any ratio",
        is_beyond=True,
    )


def is_as_of_price(position: Position, name: str) -> bool:
    """Tell whether a figure has the time of the trigger price, not that of the reading."""
    if name == "quantity":
        return bool(position.market.kind == ContractKind.INVERSE)
    return name in MOVED_BY_PRICE and name not in _AS_READ


def sort_key(position: Position) -> float | None:
    """Return what positions are ordered by, nearest liquidation first; None sorts last.

    A cross position is ranked by the account that backs it (positions/pools.py).
    """
    if position.liquidation_distance is None and is_bankrupt(position):
        return BANKRUPT_FIRST
    return position.rank_distance


def is_ranked_by_pool(position: Position) -> bool:
    """Tell whether the ratio of the account behind it says how near a position is to its end."""
    return is_pooled(position) and position.margin_ratio is not None


def is_ranked_apart(position: Position) -> bool:
    """Tell whether a position stands where its account's distance puts it, not its own."""
    rank = position.rank_distance
    return is_pooled(position) and rank is not None and rank != position.liquidation_distance


def is_bankrupt(position: Position) -> bool:
    """Tell whether the equity is used up: there is no ratio then, and nothing is more urgent."""
    return bool(position.provenance.reasons.get("margin_ratio") == BANKRUPT)


def cells(*, position: Position, names: Sequence[str] = LIVE) -> dict[str, Any]:
    """Return what a browser needs to bring one position up to date in these figures."""
    figures = {name: _cell(shown(position, name)) for name in names}
    if "liquidation_distance" in names and is_ranked_apart(position):
        figures["rank_distance"] = _cell(shown(position, "rank_distance"))
    item = {
        "id": str(position.pk),
        "severity": position.severity,
        "state": position.state,
        "sort": sort_key(position),
        "distance": position.liquidation_distance,
        "as_of": formatting.iso(position.received_at),
        "price_at": formatting.iso(position.price_received_at),
        "budget": stale_after_s(position.account.poll_budget_s),
        "cells": figures,
    }
    facts = {"is_bankrupt": is_bankrupt(position), "is_pooled": is_ranked_by_pool(position)}
    return item | {name: True for name, is_so in facts.items() if is_so}


def _cell(figure: Shown) -> dict[str, Any]:
    """Every byte is sent to every browser at every price: what says nothing is left out."""
    cell: dict[str, Any] = {"text": figure.text, "source": figure.source}
    if figure.reason:
        cell["title"] = figure.reason
    if figure.name in _DRAWN:
        cell["value"] = figure.value
    if figure.is_beyond:
        cell["is_beyond"] = True
    if figure.is_in_coins:
        cell["is_in_coins"] = True
    return cell
