"""The simulated market at one step: what every asset is worth and what every contract costs.

Pure: step k + 1 follows from step k and the seed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from venues.reference.catalogue import (
    ASSETS,
    CONTRACTS,
    INTEREST_PPB,
    MAX_FUNDING_PPB,
    Contract,
    exact,
)
from venues.reference.prices import PPB, draw_path, draw_premiums, round_to_ticks

US_DOLLAR = "USD"


@dataclass(frozen=True, slots=True)
class World:
    """All that the prices of one step follow from.

    assets    asset -> US dollars, in units of its process
    premiums  symbol -> premium of the mark over the index, parts per billion
    """

    step: int
    assets: Mapping[str, int]
    premiums: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Quote:
    """The prices of one contract at one step.

    index_ticks, mark_ticks  prices counted in the contract's ticks
    funding_ppb              rate that longs pay shorts at the next funding, parts per billion
    funding_step             the step of the next funding, after this one
    """

    contract: Contract
    step: int
    index_ticks: int
    mark_ticks: int
    funding_ppb: int
    funding_step: int

    @property
    def mark(self) -> Fraction:
        """Return the mark price, quote per base."""
        return self.mark_ticks * exact(self.contract.tick)

    @property
    def index(self) -> Fraction:
        """Return the index price, quote per base."""
        return self.index_ticks * exact(self.contract.tick)

    @property
    def funding_rate(self) -> Fraction:
        """Return the rate that longs pay shorts at the next funding, or now if it is due."""
        return Fraction(self.funding_ppb, PPB)

    @property
    def is_funding(self) -> bool:
        """Tell whether funding is exchanged at this very step."""
        return self.step > 0 and self.step % self.contract.funding_steps == 0


def first_world() -> World:
    """Return the market at step 0, everything at its anchor."""
    assets = {name: process.anchor for name, process in ASSETS.items()}
    return World(step=0, assets=assets, premiums=dict.fromkeys(CONTRACTS, 0))


def list_new(world: World) -> World:
    """Return the same market with what was listed since it was stored, at its anchor."""
    first = first_world()
    return replace(
        world,
        assets={name: world.assets.get(name, value) for name, value in first.assets.items()},
        premiums={name: world.premiums.get(name, 0) for name in first.premiums},
    )


def next_worlds(*, world: World, seed: int, count: int) -> tuple[World, ...]:
    """Return the market after each of the next `count` steps."""
    first = world.step + 1
    assets = {
        name: draw_path(process=ASSETS[name], seed=seed, value=value, first=first, count=count)
        for name, value in world.assets.items()
    }
    premiums = {
        name: draw_premiums(
            process=CONTRACTS[name].premium, seed=seed, premium=value, first=first, count=count
        )
        for name, value in world.premiums.items()
    }
    return tuple(
        World(
            step=first + offset,
            assets={name: path[offset] for name, path in assets.items()},
            premiums={name: path[offset] for name, path in premiums.items()},
        )
        for offset in range(count)
    )


def asset_in_usd(*, world: World, asset: str) -> Fraction:
    """Return what one coin of an asset is worth in US dollars; a dollar is worth one."""
    if asset == US_DOLLAR:
        return Fraction(1)
    return ASSETS[asset].exact(world.assets[asset])


def quote(*, world: World, contract: Contract) -> Quote:
    """Return the prices of a contract, rounded to its tick."""
    premium = world.premiums[contract.symbol]
    index = (
        asset_in_usd(world=world, asset=contract.asset)
        * contract.multiplier
        / asset_in_usd(world=world, asset=contract.quote)
    )
    tick = exact(contract.tick)
    return Quote(
        contract=contract,
        step=world.step,
        index_ticks=round_to_ticks(price=index, tick=tick),
        mark_ticks=round_to_ticks(price=index * (PPB + premium) / PPB, tick=tick),
        funding_ppb=max(-MAX_FUNDING_PPB, min(MAX_FUNDING_PPB, INTEREST_PPB + premium // 4)),
        funding_step=(world.step // contract.funding_steps + 1) * contract.funding_steps,
    )


def quotes(*, world: World) -> dict[str, Quote]:
    """Return the prices of every contract, by symbol."""
    return {
        symbol: quote(world=world, contract=CONTRACTS[symbol])
        for symbol in world.premiums
        if symbol in CONTRACTS
    }
