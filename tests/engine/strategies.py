"""Positions for property tests, drawn one by one."""

from hypothesis import strategies as st

from positions.engine.rulebook import RULES
from positions.engine.tiers import with_amounts
from positions.engine.types import Terms, Tier
from tests.engine.build import LONG, SHORT, SWITCHES

CUMULATIVE = tuple(key for key in SWITCHES if RULES[key].is_cumulative)
AT_MARK = tuple(key for key in SWITCHES if not RULES[key].is_entry_basis)
# A cap is a price of the venue's own, that no change of units moves.
UNCAPPED = tuple(key for key in SWITCHES if RULES[key].price_cap is None)
INVERSE = tuple(key for key in SWITCHES if key.startswith("inverse-"))


def spread(low: float, high: float) -> st.SearchStrategy[float]:
    """Return numbers of which each decade is as likely as another."""
    return st.floats(low, high, allow_nan=False).map(lambda power: 10.0**power)


@st.composite
def tables(draw: st.DrawFn, *, size: float) -> tuple[Tier, ...]:
    """Return one to five tiers about a size; deductions make them continuous."""
    count = draw(st.integers(0, 4))
    steps = draw(st.lists(st.floats(0.05, 4), min_size=count, max_size=count, unique=True))
    rates = draw(st.lists(st.floats(0.001, 0.3), min_size=count + 1, max_size=count + 1))
    floors = [0.0, *(size * step for step in sorted(steps))]
    pairs = zip(floors, sorted(rates), strict=True)
    return with_amounts(tiers=[Tier(floor, rate) for floor, rate in pairs])


@st.composite
def positions(
    draw: st.DrawFn, *, rules: tuple[str, ...] = SWITCHES, is_marked: bool = False
) -> Terms:
    """Return one position of one of the rules, from 0.9x to 100x."""
    rule = RULES[draw(st.sampled_from(rules))]
    entry, notional = draw(spread(-4, 5)), draw(spread(1, 7))
    quantity = notional * entry if rule.is_inverse else notional / entry
    ratio = st.floats(0.7, 1.4)
    moved = draw(ratio if is_marked else st.none() | ratio)
    return Terms(
        rule=rule.key,
        side=draw(st.sampled_from([LONG, SHORT])),
        quantity=quantity,
        entry_price=entry,
        collateral=notional / draw(spread(-0.05, 2)),
        trigger_price=None if moved is None else entry * moved,
        tiers=draw(tables(size=quantity if rule.is_tier_fixed else notional)),
        fee_rate=draw(st.sampled_from([0.0, 0.0005, 0.00075])),
        next_funding_rate=draw(st.sampled_from([0.0, 0.0001, -0.0003])),
        fixed_requirement=notional * draw(st.sampled_from([0.0, 0.002])),
    )
