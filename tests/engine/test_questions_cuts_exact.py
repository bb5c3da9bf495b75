"""Every cut against the exact condition, solved again, and in order of its targets."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from positions.engine.batch import build_batch
from positions.engine.questions.answers import Note
from positions.engine.questions.changes import Release, reduce
from positions.engine.questions.cuts import quantity_to_cut
from positions.engine.questions.margin import margin_to_add
from positions.engine.questions.targets import Aim, Target
from positions.engine.solver import solve
from tests.engine.oracle import Oracle
from tests.engine.questions import (
    ANY_TERMS,
    LEVELS,
    after_cut,
    is_price,
    lack_of,
    make_marked,
    scale_of,
)

KEPT = Release.KEPT
CHARGE = 0.0005
POSITIONS = make_marked(420, seed=41)
BATCH = build_batch(terms=POSITIONS)
SETTLED = Note.NO_CUT | Note.BANKRUPT | Note.NO_PRICE


@pytest.mark.slow
@pytest.mark.parametrize("release", Release)
@pytest.mark.parametrize("aim", Aim)
def test_every_cut_is_the_first_that_exactly_meets_the_target(aim, release):
    rng = np.random.default_rng(51)
    cut_here = jumped = 0
    for level in LEVELS[aim]:
        asked = quantity_to_cut(
            batch=BATCH, target=Target(aim, level), release=release, closing_fee_rate=CHARGE
        )
        for index, terms in enumerate(POSITIONS):
            if not is_price(terms, aim, level):
                assert asked.reason(index=index) == "none: there is no such price"
                continue
            judge = _Judge(terms, aim, level, release)
            cut = float(asked.amount[index])
            if np.isnan(cut):
                assert asked.state[index] & SETTLED
                assert all(judge.is_lacking(share) for share in _shares(rng))
                continue
            assert not asked.has(Note.REACHED)[index] or cut == 0
            assert judge.meets(cut, is_edge=bool(asked.has(Note.AT_EDGE)[index]))
            if cut > 0:
                stays = 1 - cut / terms.quantity
                assert all(
                    judge.is_lacking(1 - (1 - stays) * part) for part in rng.uniform(0, 0.999, 3)
                )
            cut_here += cut > 0
            jumped += bool(asked.has(Note.AT_EDGE)[index])
    assert cut_here > 50
    assert jumped > 3


@pytest.mark.parametrize("aim", Aim)
def test_a_batch_of_one_gives_the_bytes_of_a_batch_of_many(aim):
    def ask(positions):
        batch, target = build_batch(terms=positions), Target(aim, 0.1)
        cut = quantity_to_cut(batch=batch, target=target, release=KEPT, closing_fee_rate=CHARGE)
        return cut, margin_to_add(batch=batch, target=target)

    many = ask(POSITIONS[:60])

    alone = [ask([each]) for each in POSITIONS[:60]]
    for place, whole in enumerate(many):
        assert b"".join(one[place].amount.tobytes() for one in alone) == whole.amount.tobytes()
        assert b"".join(one[place].state.tobytes() for one in alone) == whole.state.tobytes()


@pytest.mark.parametrize("release", Release)
@pytest.mark.parametrize("aim", [Aim.DISTANCE, Aim.MOVE])
def test_solving_what_stays_a_little_more_is_enough_and_a_little_less_is_not(aim, release):
    asked = quantity_to_cut(
        batch=BATCH, target=Target(aim, 0.1), release=release, closing_fee_rate=CHARGE
    )
    rows = (asked.amount > 1e-6 * BATCH.quantity) & (asked.amount < 0.999 * BATCH.quantity)
    batch, cut = BATCH.take(rows), asked.amount[rows]

    def distance(sold):
        after = reduce(batch=batch, quantity=sold, release=release, closing_fee_rate=CHARGE)
        return solve(after).liquidation_distance

    assert rows.sum() > 15
    enough = distance(cut + 1e-8 * batch.quantity)
    assert (np.isnan(enough) | (enough > 0.1 - 1e-12)).all()
    assert (distance(cut - 1e-8 * batch.quantity) < 0.1).all()


@pytest.mark.parametrize("release", Release)
def test_solving_what_stays_gives_the_ratio_unless_it_jumps_past_it(release):
    asked = quantity_to_cut(
        batch=BATCH, target=Target(Aim.RATIO, 0.2), release=release, closing_fee_rate=CHARGE
    )
    rows = (asked.amount > 0) & ~asked.has(Note.AT_EDGE)

    after = reduce(
        batch=BATCH.take(rows),
        quantity=asked.amount[rows],
        release=release,
        closing_fee_rate=CHARGE,
    )

    assert rows.sum() > 20
    np.testing.assert_allclose(solve(after).margin_ratio, 0.2, rtol=1e-9)


@settings(deadline=None, max_examples=200)
@given(
    terms=ANY_TERMS,
    near=st.floats(0.0, 0.9),
    gap=st.floats(0.0, 0.09),
    aim=st.sampled_from([Aim.DISTANCE, Aim.MOVE]),
    release=st.sampled_from(Release),
)
def test_a_farther_target_never_asks_for_a_smaller_cut(terms, near, gap, aim, release):
    batch = build_batch(terms=[terms, terms])

    less, more = quantity_to_cut(
        batch=batch,
        target=Target(aim, np.array([near, near + gap])),
        release=release,
        closing_fee_rate=0.001,
    ).amount

    assert np.isnan(more) or more >= less - 1e-12 * terms.quantity


@settings(deadline=None, max_examples=200)
@given(
    terms=ANY_TERMS,
    low=st.floats(0.01, 2.0),
    gap=st.floats(0.0, 2.0),
    release=st.sampled_from(Release),
)
def test_a_smaller_ratio_never_asks_for_a_smaller_cut(terms, low, gap, release):
    batch = build_batch(terms=[terms, terms])

    more, less = quantity_to_cut(
        batch=batch,
        target=Target(Aim.RATIO, np.array([low, low + gap])),
        release=release,
        closing_fee_rate=0.001,
    ).amount

    assert np.isnan(more) or more >= less - 1e-12 * terms.quantity


def _shares(rng):
    return [1.0, *rng.uniform(0, 1, 4), *10 ** rng.uniform(-9, -1, 4)]


class _Judge:
    """Says exactly whether what stays of a position lacks anything for the target."""

    def __init__(self, terms, aim, level, release):
        self.terms, self.aim, self.level, self.release = terms, aim, level, release
        self.slack = 1e-14 * scale_of(terms, aim, level)

    def lack(self, cut):
        after = after_cut(self.terms, cut, self.release, CHARGE)
        return float(lack_of(after, self.aim, self.level)), after

    def is_lacking(self, share):
        lack, after = self.lack(Fraction(self.terms.quantity) * (1 - Fraction(share)))
        return lack > -self.slack or self._is_broke(after)

    def meets(self, cut, *, is_edge):
        quantity = Fraction(self.terms.quantity)
        exact = Fraction(cut)
        if cut == 0 and not is_edge:
            return self.lack(exact)[0] <= self.slack
        if not is_edge:
            return abs(self.lack(exact)[0]) <= self.slack
        hair = Fraction(1, 10**14) * quantity
        return self.lack(exact + hair)[0] <= self.slack

    def _is_broke(self, after):
        oracle = Oracle(after)
        return self.aim is Aim.RATIO and oracle.equity(oracle.start) <= 0
