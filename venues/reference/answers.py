"""What the reference venue answers: rows of exact text, as an exchange would send them.

The answers stand for the last step that was taken, however long ago that was: while nothing
advances, the same prices are told with the same, ageing time.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from django.db.models import Q

from positions.engine.batch import build_batch
from positions.engine.compartment import Compartment, exact
from positions.engine.solver import solve
from positions.engine.types import Tier
from riskhub import clock
from venues.errors import Unavailable
from venues.models import Account
from venues.reference.book import MAIN
from venues.reference.catalogue import UNIT_DIGITS, Contract
from venues.reference.catalogue import exact as exact_decimal
from venues.reference.models import ReferencePosition, ReferenceRun
from venues.reference.prices import STEP_S
from venues.reference.world import Quote, asset_in_usd, quotes

# Ends are told once more for a while: an answer may have been lost on its way.
_TOLD_AGAIN = timedelta(minutes=2)
_TRIES = 5
_DIGITS = Context(prec=17)
_RATIO_DIGITS = Decimal("0.000001")
# The solver's answer is a float64; the tick beside it is all that it can miss.
_NEAR_TICKS = 2

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one account may read; prices are the same for all.

    Each row is a mapping of field names to text, milliseconds or flags.
    """

    positions: tuple[Fields, ...]
    ends: tuple[Fields, ...]
    markets: tuple[Fields, ...]
    assets: tuple[Fields, ...]


def answer_accounts(*, account_ids: Collection[int], now: datetime) -> dict[int, Answer]:
    """Return the venue's answers by account id; an id without rows has the prices alone.

    Raises Unavailable before the first step.
    """
    run, rows = _read_one_step(account_ids, now)
    prices = quotes(world=run.world)
    markets = tuple(_market_row(price, run) for price in prices.values())
    assets = tuple(_asset_row(asset, run) for asset in run.world.assets)
    living = [row for row in rows if row.ended_step is None]
    told = dict(zip(living, _position_rows(living, prices, run), strict=True))
    return {
        key: Answer(
            positions=tuple(told[row] for row in living if row.account_id == key),
            ends=tuple(_end_row(row) for row in rows if row.account_id == key and row.ended_at),
            markets=markets,
            assets=assets,
        )
        for key in account_ids
    }


def _read_one_step(
    account_ids: Collection[int], now: datetime
) -> tuple[ReferenceRun, list[ReferencePosition]]:
    """Return the run and the positions of one and the same step, without holding a lock."""
    since = _last_told(account_ids, now)
    run = _read_run()
    for _ in range(_TRIES):
        before, rows = run, _read_positions(account_ids, since)
        run = _read_run()
        if run.step == before.step:
            return run, rows
    raise Unavailable("The reference venue moves faster than it can be read; RiskHub tries again.")


def _read_run() -> ReferenceRun:
    run = ReferenceRun.objects.filter(name=MAIN).first()
    if run is None:
        raise Unavailable("The reference venue has not been started; the demo starts it.")
    return run


def _last_told(account_ids: Collection[int], now: datetime) -> datetime:
    """Return since when ends may not have been told."""
    seen = Account.objects.filter(pk__in=account_ids).values_list("last_seen_at", flat=True)
    return min((at for at in seen if at is not None), default=now) - _TOLD_AGAIN


def _read_positions(account_ids: Collection[int], since: datetime) -> list[ReferencePosition]:
    # Living and ended in one query: a position is never both, nor neither.
    is_told = Q(ended_step=None) | Q(ended_at__gte=since)
    rows = ReferencePosition.objects.filter(is_told, account__in=account_ids)
    return list(rows.select_related("market").order_by("ended_at", "pk"))


def _position_rows(
    rows: Sequence[ReferencePosition], prices: Mapping[str, Quote], run: ReferenceRun
) -> list[Fields]:
    compartments = [row.compartment for row in rows]
    marks = [prices[row.market.symbol] for row in rows]
    ticks = liquidation_ticks(compartments=compartments, prices=marks)
    return [
        _position_row(*each, run) for each in zip(rows, compartments, marks, ticks, strict=True)
    ]


def _position_row(
    row: ReferencePosition, held: Compartment, price: Quote, ticks: int | None, run: ReferenceRun
) -> Fields:
    contract, mark = price.contract, price.mark
    equity, tier = held.equity(price=mark), tier_in_force(compartment=held, price=mark)
    return {
        "id": row.pk,
        "symbol": contract.symbol,
        "slot": row.slot,
        "side": held.side.value,
        "marginMode": "isolated",
        "marginRule": held.rule,
        "contracts": _number(held.quantity / exact_decimal(contract.contract_size)),
        "leverage": _number(held.leverage),
        "entryPrice": _number(held.entry_price or Fraction(0)),
        "markPrice": price_text(contract=contract, ticks=price.mark_ticks),
        "indexPrice": price_text(contract=contract, ticks=price.index_ticks),
        "liquidationPrice": "" if ticks is None else price_text(contract=contract, ticks=ticks),
        "collateral": _money(held.collateral),
        "unrealizedPnl": _money(equity - held.collateral),
        "notional": _money(held.notional(price=mark)),
        "maintenanceMargin": _money(_maintenance(held, tier, mark)),
        "maintenanceRate": _number(exact(tier.rate)),
        "maintenanceAmount": _number(_deduction(held, tier)),
        "marginRatio": _ratio(held.required(price=mark), equity),
        "autoAddMargin": False,
        "openTime": clock.to_milliseconds(row.opened_at),
        "time": clock.to_milliseconds(run.stepped_at),
    }


def liquidation_ticks(
    *, compartments: Sequence[Compartment], prices: Sequence[Quote]
) -> list[int | None]:
    """Return the first tick on the losing side at which each compartment is liquidated.

    The solver says where to look; the compartment's own condition decides between ticks. None
    where no price liquidates.
    """
    terms = [
        held.terms(trigger_price=price.mark)
        for held, price in zip(compartments, prices, strict=True)
    ]
    found = solve(build_batch(terms=terms)).liquidation_price.tolist()
    return [
        None if math.isnan(value) else _first_tick(held, price.contract, value)
        for held, price, value in zip(compartments, prices, found, strict=True)
    ]


def _first_tick(held: Compartment, contract: Contract, value: float) -> int | None:
    tick, loss = exact_decimal(contract.tick), -held.side.sign
    nearest = max(1, round(Fraction(value) / tick))
    candidates = [nearest + loss * step for step in range(-_NEAR_TICKS, _NEAR_TICKS + 1)]
    fatal = (each for each in candidates if each > 0 and held.is_liquidatable(price=each * tick))
    return next(fatal, None)


def tier_in_force(*, compartment: Compartment, price: Fraction) -> Tier:
    """Return the tier that a compartment bears at that price, or bore at entry if fixed there."""
    at = compartment.entry_price if compartment.rules.is_entry_basis else price
    notional = compartment.notional(price=at or price) / compartment.unit
    reached = [tier for tier in compartment.tiers if exact(tier.floor) <= notional]
    return reached[-1] if reached else compartment.tiers[0]


def _maintenance(held: Compartment, tier: Tier, mark: Fraction) -> Fraction:
    at = held.entry_price if held.rules.is_entry_basis else mark
    notional = held.notional(price=at or mark)
    return exact(tier.rate) * notional - _deduction(held, tier) * held.unit


def _deduction(held: Compartment, tier: Tier) -> Fraction:
    return exact(tier.amount) if held.rules.is_cumulative else Fraction(0)


def _end_row(row: ReferencePosition) -> Fields:
    ticks = row.end_ticks
    return {
        "id": row.pk,
        "symbol": row.market.symbol,
        "slot": row.slot,
        "state": row.state,
        "price": "" if ticks is None else price_text(contract=row.market.contract, ticks=ticks),
        "time": clock.to_milliseconds(row.ended_at) if row.ended_at else 0,
    }


def _market_row(price: Quote, run: ReferenceRun) -> Fields:
    wait = timedelta(seconds=(price.funding_step - price.step) * STEP_S)
    return {
        "symbol": price.contract.symbol,
        "markPrice": price_text(contract=price.contract, ticks=price.mark_ticks),
        "indexPrice": price_text(contract=price.contract, ticks=price.index_ticks),
        "fundingRate": _number(price.funding_rate),
        "nextFundingTime": clock.to_milliseconds(run.stepped_at + wait),
        "time": clock.to_milliseconds(run.stepped_at),
    }


def _asset_row(asset: str, run: ReferenceRun) -> Fields:
    usd = asset_in_usd(world=run.world, asset=asset)
    return {
        "asset": asset,
        "usd": _number(usd),
        "time": clock.to_milliseconds(run.stepped_at),
    }


def price_text(*, contract: Contract, ticks: int) -> str:
    """Return a price with the decimals of the contract's tick."""
    return f"{ticks * contract.tick:f}"


def _number(value: Fraction) -> str:
    quotient = _DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))
    return f"{quotient:f}"


def _money(units: Fraction | int) -> str:
    return f"{Decimal(units.__floor__()).scaleb(-UNIT_DIGITS):f}"


def _ratio(required: Fraction, equity: Fraction) -> str:
    if equity <= 0:
        return ""
    share = required / equity
    return f"{(Decimal(share.numerator) / share.denominator).quantize(_RATIO_DIGITS):f}"
