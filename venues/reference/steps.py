"""Time passes at the reference venue: prices move, funding is paid, compartments die.

One transaction takes all steps that are due, so that a crash leaves either none or all of them.
The claim is a conditional UPDATE of the step count: of two workers one finds it taken and stops.
Simulated time passes only while this runs: what a pause missed is not caught up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from positions.engine import machine
from positions.engine.types import PositionState
from venues.reference import keeper
from venues.reference.book import MAIN, Book, load_book
from venues.reference.models import ReferenceMarket, ReferenceRun
from venues.reference.prices import STEP_S
from venues.reference.world import Quote, World, first_world, next_worlds, quotes

MAX_STEPS = 5
_STEP = timedelta(seconds=STEP_S)
_PRICES = ["kind", "step", "index_ticks", "mark_ticks", "funding_ppb", "funding_step"]


@dataclass(frozen=True, slots=True)
class Advance:
    """What one call did.

    step    the venue's step now
    steps   how many were taken, 0 when none was due or another worker took them
    """

    step: int = 0
    steps: int = 0
    opened: int = 0
    closed: int = 0
    liquidated: int = 0


def begin_run(*, seed: int, now: datetime) -> ReferenceRun:
    """Return the run, started at step 0 with that seed if there is none yet."""
    world = first_world()
    with transaction.atomic():
        run, is_new = ReferenceRun.objects.get_or_create(
            name=MAIN,
            defaults={
                "seed": seed,
                "stepped_at": now,
                "due_at": now + _STEP,
                "assets": dict(world.assets),
                "premiums": dict(world.premiums),
                "created_at": now,
            },
        )
        if is_new:
            store_prices(prices=quotes(world=world))
    return run


def advance(*, now: datetime) -> Advance:
    """Take the steps that are due, at most MAX_STEPS; none before a run was begun."""
    run = ReferenceRun.objects.filter(name=MAIN).first()
    if run is None:
        return Advance()
    count = steps_due(run=run, now=now)
    if not count:
        return Advance(step=run.step)
    worlds = next_worlds(world=run.world, seed=run.seed, count=count)
    with transaction.atomic():
        if not claim(run=run, world=worlds[-1], now=now):
            return Advance(step=run.step)
        return _take_steps(worlds, run.seed, now)


def steps_due(*, run: ReferenceRun, now: datetime) -> int:
    """Return how many steps are due at `now`, at most MAX_STEPS."""
    if now < run.due_at:
        return 0
    return min((now - run.due_at) // _STEP + 1, MAX_STEPS)


def claim(*, run: ReferenceRun, world: World, now: datetime) -> bool:
    """Move the run on to `world`; False when another worker has moved it since it was read."""
    on_time = run.due_at + (world.step - run.step) * _STEP
    moved = ReferenceRun.objects.filter(pk=run.pk, step=run.step).update(
        step=world.step,
        stepped_at=now,
        # After a pause the count begins anew; otherwise the cadence is kept to the second.
        due_at=on_time if on_time > now else now + _STEP,
        assets=dict(world.assets),
        premiums=dict(world.premiums),
    )
    return moved == 1


def store_prices(*, prices: Mapping[str, Quote]) -> None:
    """Write the contracts' prices, listing those that are new."""
    ReferenceMarket.objects.bulk_create(
        [
            ReferenceMarket(
                symbol=symbol,
                kind=price.contract.kind,
                step=price.step,
                index_ticks=price.index_ticks,
                mark_ticks=price.mark_ticks,
                funding_ppb=price.funding_ppb,
                funding_step=price.funding_step,
            )
            for symbol, price in prices.items()
        ],
        update_conflicts=True,
        unique_fields=["symbol"],
        update_fields=_PRICES,
    )


def mark_book(*, book: Book, prices: Mapping[str, Quote]) -> None:
    """Show every open compartment its new mark, with funding where it is due."""
    for position in book.positions:
        price = prices[position.market.symbol]
        compartment = book.compartment(position)
        if price.is_funding:
            step = machine.settle_funding(
                compartment=compartment, rate=price.funding_rate, price=price.mark
            )
        else:
            step = machine.mark(compartment=compartment, price=price.mark)
        book.apply(position=position, step=step, ticks=price.mark_ticks)


def _take_steps(worlds: Sequence[World], seed: int, now: datetime) -> Advance:
    # Stored first: a contract that is new needs its row before anybody can trade it.
    store_prices(prices=quotes(world=worlds[-1]))
    book = load_book(step=worlds[0].step, at=now)
    plan = keeper.load_plan(step=worlds[0].step)
    for world in worlds:
        book.step, prices = world.step, quotes(world=world)
        mark_book(book=book, prices=prices)
        keeper.keep(book=book, plan=plan, prices=prices, seed=seed)
    book.store()
    return _summary(book, len(worlds))


def _summary(book: Book, steps: int) -> Advance:
    states = [row.state for row in book.ended]
    return Advance(
        step=book.step,
        steps=steps,
        opened=len(book.opened),
        closed=states.count(PositionState.CLOSED),
        liquidated=states.count(PositionState.LIQUIDATED),
    )
