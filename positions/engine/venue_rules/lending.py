"""Rules of isolated lending: debt against collateral times its threshold."""

from __future__ import annotations

from positions.engine.rules import Charged, Funding, Trigger
from positions.engine.types import ContractKind
from positions.engine.venue_rules.families import rule

UNFUNDED = Funding(charged=Charged.NEVER, interval_h=None)

RULES = tuple(
    rule(
        key,
        "linear-mark-strict",
        kind=ContractKind.LENDING,
        product=product,
        trigger=Trigger.ORACLE,
        funding=UNFUNDED,
        venue=venue,
        source=source,
    )
    for key, venue, product, source in (
        ("lending", "", "any isolated pair", "debt against collateral times its threshold"),
        ("aave-lending", "aave", "isolated pairs, liquidation threshold", "Aave v3 tests"),
        ("morpho-blue", "morpho", "isolated markets, LLTV", "Morpho documentation"),
        ("makerdao-vault", "makerdao", "vaults, minimum collateral ratio", "MakerDAO course"),
    )
)
