"""Every margin rule in one table of docs/formulas.md, from the rules themselves.

`python -m tests.engine.rule_table` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from positions.engine.rulebook import RULES
from positions.engine.rules import (
    Charged,
    FeeBase,
    Leftover,
    MarginRules,
    Rounding,
    TierKey,
)
from tests.paths import PROJECT

DOCUMENT = PROJECT / "docs" / "formulas.md"
BEGIN, END = "<!-- rules -->\n", "<!-- end of rules -->\n"
HEAD = """| rule | of | maintenance at | closing fee | tiers | trigger | also | source |
|---|---|---|---|---|---|---|---|
"""
_ROUNDED = {Rounding.AGAINST_OWNER: "against the owner", Rounding.TICK_BEYOND: "a tick beyond"}
_LEFT = {
    Leftover.OWNER: "the owner",
    Leftover.INSURANCE: "the insurance fund",
    Leftover.POOL: "the pool",
}


def render() -> str:
    """Return the table."""
    return HEAD + "".join(render_row(rule) for rule in RULES.values())


def render_row(rule: MarginRules) -> str:
    """Return one rule's line; what is not said is as the document's defaults have it."""
    of = " ".join(part for part in (rule.venue, rule.product) if part) or "a family"
    fee = "counted" if rule.is_fee_counted else "apart"
    tiers = "cumulative" if rule.is_cumulative else "flat"
    if rule.tier_key is TierKey.QUANTITY:
        tiers += ", by quantity"
    trigger = rule.trigger.value + (", strict" if rule.is_strict else "")
    cells = (
        f"`{rule.key}`",
        f"{of} ({rule.document})" if rule.document else of,
        rule.basis.value,
        fee,
        tiers,
        trigger,
        "; ".join(_others(rule)) or "—",
        rule.source,
    )
    return f"| {' | '.join(cells)} |\n"


def _others(rule: MarginRules) -> Iterator[str]:
    if rule.kind.value not in rule.key:
        yield rule.kind.value
    if rule.funding.is_next_required:
        yield "next funding required"
    if rule.has_order_margin:
        yield "open orders' margin required"
    if rule.price_cap:
        yield f"cap {rule.price_cap:,.0f}"
    if rule.rounding in _ROUNDED:
        yield f"tick {_ROUNDED[rule.rounding]}"
    yield from _funding(rule)
    yield from _after(rule)


def _funding(rule: MarginRules) -> Iterator[str]:
    funding = rule.funding
    if funding.charged is Charged.NEVER:
        yield "no funding"
    elif funding.charged is not Charged.POSITION:
        yield f"funding {funding.charged.value}"
    elif funding.interval_h not in {None, 8.0}:
        yield f"funding each {funding.interval_h:g} h"
    elif funding.interval_h is None:
        yield "funding at any time"


def _after(rule: MarginRules) -> Iterator[str]:
    fee = rule.liquidation_fee
    if fee.rate is not None or fee.base is not FeeBase.NOTIONAL:
        rate = "" if fee.rate is None else f"{fee.rate:.2%} of "
        yield f"liquidation fee {rate}{fee.base.value}"
    if rule.leftover:
        yield f"rest to {_LEFT[rule.leftover]}"
    if rule.printed_ratio:
        yield f"prints {rule.printed_ratio.value}"


if __name__ == "__main__":
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(before + BEGIN + render() + END + after)
