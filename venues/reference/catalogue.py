"""What the reference venue lists: simulated assets, its contracts, and the styles of margin rules.

All of it is data. Volatilities and price levels are round figures of our own choosing; the tables
have the shape that the named venue publishes, with fewer steps. Source: docs/venues/reference.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache

from positions.engine.rulebook import find_rule
from positions.engine.tiers import with_amounts
from positions.engine.types import ContractKind, Tier
from venues.reference.prices import Process

LINEAR, INVERSE = ContractKind.LINEAR, ContractKind.INVERSE

# Funding comes every 8 simulated hours for the large coins and every 4 for the others.
EIGHT_HOURS, FOUR_HOURS = 480, 240
MAX_FUNDING_PPB = 3_000_000
INTEREST_PPB = 100_000
TAKER_FEE = Decimal("0.0005")
# Of the notional, to the insurance fund, out of what a liquidation leaves.
LIQUIDATION_FEE = Decimal("0.005")

# Decimals of the ledger's smallest unit, whatever the money: a satoshi of each.
UNIT_DIGITS = 8


def _coin(
    stream: int, price: str, *, digits: int, daily: float, shared: int, jump_within: int = 1_500
) -> Process:
    """Return a coin that moves `daily` (a fraction) in a simulated day, jumps apart."""
    per_step = round(daily / 1440**0.5 * 10**9)
    return Process(
        stream=stream,
        anchor=int(Decimal(price).scaleb(digits)),
        digits=digits,
        deviation=per_step,
        shared=shared,
        jump_within=jump_within,
        jump=12 * per_step,
    )


def _stablecoin(stream: int, price: str) -> Process:
    digits = 14
    anchor = int(Decimal(price).scaleb(digits))
    return Process(stream=stream, anchor=anchor, digits=digits, deviation=3_000, pull=2_000_000)


# Prices in US dollars. Streams are for ever: a new asset takes a new number.
ASSETS: Mapping[str, Process] = {
    "BTC": _coin(1, "97250", digits=10, daily=0.030, shared=900),
    "ETH": _coin(2, "3105.2", digits=12, daily=0.040, shared=850),
    "SOL": _coin(3, "182.44", digits=13, daily=0.055, shared=800),
    "XRP": _coin(4, "2.214", digits=15, daily=0.055, shared=700),
    "DOGE": _coin(5, "0.1842", digits=16, daily=0.065, shared=750),
    "PEPE": _coin(6, "0.00001102", digits=20, daily=0.080, shared=650, jump_within=900),
    "USDT": _stablecoin(51, "1.0003"),
    "USDC": _stablecoin(52, "0.9999"),
}


@dataclass(frozen=True, slots=True)
class Contract:
    """A listed contract.

    stream          random stream of its premium over the index
    multiplier      coins in one base unit (1000 for 1000PEPE)
    contract_size   base units (linear) or quote units (inverse) in one contract
    tick            price step, quote per base
    lot             smallest number of contracts
    funding_steps   steps between two fundings
    """

    symbol: str
    venue_symbol: str
    kind: ContractKind
    asset: str
    quote: str
    settle: str
    stream: int
    tick: Decimal
    contract_size: Decimal = Decimal(1)
    lot: Decimal = Decimal(1)
    multiplier: int = 1
    funding_steps: int = FOUR_HOURS

    @property
    def base(self) -> str:
        """Return the base currency as the symbol names it."""
        return self.symbol.partition("/")[0]

    @property
    def premium(self) -> Process:
        """Return the process of the premium over the index."""
        return Process(
            stream=self.stream, anchor=1, digits=9, deviation=30_000, shared=300, pull=5_000_000
        )


def _linear(asset: str, settle: str, stream: int, *, tick: str, lot: str, **more: int) -> Contract:
    multiplier = more.get("multiplier", 1)
    base = asset if multiplier == 1 else f"{multiplier}{asset}"
    return Contract(
        symbol=f"{base}/{settle}:{settle}",
        venue_symbol=f"{base}{settle}",
        kind=LINEAR,
        asset=asset,
        quote=settle,
        settle=settle,
        stream=stream,
        tick=Decimal(tick),
        lot=Decimal(lot),
        multiplier=multiplier,
        funding_steps=more.get("funding_steps", FOUR_HOURS),
    )


def _inverse(asset: str, stream: int, *, tick: str, contract_size: int) -> Contract:
    return Contract(
        symbol=f"{asset}/USD:{asset}",
        venue_symbol=f"{asset}USD_PERP",
        kind=INVERSE,
        asset=asset,
        quote="USD",
        settle=asset,
        stream=stream,
        tick=Decimal(tick),
        contract_size=Decimal(contract_size),
        funding_steps=EIGHT_HOURS,
    )


CONTRACTS: Mapping[str, Contract] = {
    contract.symbol: contract
    for contract in (
        _linear("BTC", "USDT", 101, tick="0.1", lot="0.001", funding_steps=EIGHT_HOURS),
        _linear("ETH", "USDT", 102, tick="0.01", lot="0.01", funding_steps=EIGHT_HOURS),
        _linear("SOL", "USDT", 103, tick="0.01", lot="0.1"),
        _linear("XRP", "USDT", 104, tick="0.0001", lot="1"),
        _linear("DOGE", "USDT", 105, tick="0.00001", lot="1"),
        _linear("PEPE", "USDT", 106, tick="0.0000001", lot="1", multiplier=1000),
        _linear("BTC", "USDC", 111, tick="0.1", lot="0.001", funding_steps=FOUR_HOURS // 4),
        _linear("ETH", "USDC", 112, tick="0.01", lot="0.01", funding_steps=FOUR_HOURS // 4),
        _linear("SOL", "USDC", 113, tick="0.001", lot="0.1", funding_steps=FOUR_HOURS // 4),
        _inverse("BTC", 121, tick="0.1", contract_size=100),
        _inverse("ETH", 122, tick="0.01", contract_size=10),
    )
}


@dataclass(frozen=True, slots=True)
class Style:
    """The margin rules of one venue, for paper accounts.

    rules    contract kind -> key of positions.engine.rules.RULES
    tables   asset, or "" for any other -> (floor, rate) steps, for linear contracts
    inverse  the same in coins, for inverse contracts
    """

    rules: Mapping[str, str]
    tables: Mapping[str, tuple[tuple[str, str], ...]]
    inverse: Mapping[str, tuple[tuple[str, str], ...]]

    def tiers(self, *, contract: Contract, rule: str) -> tuple[Tier, ...]:
        """Return the maintenance table of a contract; deductions are 0 where tiers are flat."""
        tables = self.inverse if contract.kind is INVERSE else self.tables
        steps = tables.get(contract.asset, tables[""])
        tiers = tuple(Tier(floor=float(floor), rate=float(rate)) for floor, rate in steps)
        return with_amounts(tiers=tiers) if find_rule(key=rule).is_cumulative else tiers


_COINS = {"": (("0", "0.005"), ("50", "0.01"), ("250", "0.025"))}

STYLES: Mapping[str, Style] = {
    "binance": Style(
        rules={"linear": "linear-mark", "inverse": "inverse-mark"},
        tables={
            "BTC": (("0", "0.004"), ("50000", "0.005"), ("600000", "0.0065"), ("3000000", "0.01")),
            "ETH": (("0", "0.004"), ("50000", "0.005"), ("600000", "0.0065"), ("1600000", "0.01")),
            "": (("0", "0.01"), ("25000", "0.015"), ("100000", "0.02"), ("500000", "0.05")),
        },
        inverse={
            "BTC": (("0", "0.004"), ("5", "0.005"), ("10", "0.01"), ("20", "0.025")),
            "": (("0", "0.005"), ("100", "0.01"), ("500", "0.02")),
        },
    ),
    "bybit": Style(
        rules={"linear": "linear-entry", "inverse": "inverse-entry"},
        tables={
            "BTC": (("0", "0.005"), ("2000000", "0.01"), ("4000000", "0.015")),
            "ETH": (("0", "0.005"), ("900000", "0.01"), ("1800000", "0.015")),
            "": (("0", "0.01"), ("200000", "0.02"), ("400000", "0.03")),
        },
        inverse=_COINS,
    ),
    "okx": Style(
        rules={"linear": "linear-mark-fee-flat", "inverse": "inverse-mark-fee"},
        tables={
            "BTC": (("0", "0.004"), ("500000", "0.005"), ("1500000", "0.01")),
            "ETH": (("0", "0.004"), ("400000", "0.005"), ("1000000", "0.01")),
            "": (("0", "0.01"), ("150000", "0.015"), ("500000", "0.03")),
        },
        inverse=_COINS,
    ),
    "hyperliquid": Style(
        rules={"linear": "linear-mark"},
        tables={
            "BTC": (("0", "0.0125"), ("150000000", "0.025")),
            "ETH": (("0", "0.02"), ("100000000", "0.03333333")),
            "SOL": (("0", "0.025"), ("70000000", "0.05")),
            "": (("0", "0.05"),),
        },
        inverse=_COINS,
    ),
    "gate": Style(
        rules={"linear": "linear-mark-fee", "inverse": "inverse-mark-fee"},
        tables={
            "BTC": (("0", "0.005"), ("500000", "0.01"), ("1000000", "0.015")),
            "": (("0", "0.015"), ("100000", "0.02"), ("200000", "0.03")),
        },
        inverse=_COINS,
    ),
    "dydx": Style(
        rules={"linear": "linear-mark-strict"},
        tables={"BTC": (("0", "0.03"),), "ETH": (("0", "0.03"),), "": (("0", "0.05"),)},
        inverse=_COINS,
    ),
}


@cache
def exact(value: Decimal | int | float) -> Fraction:
    """Return a figure of this file as the exact number that its digits say."""
    return Fraction(str(value))
