"""An independent judge in exact rationals: tier edges enumerated, then bisection on the condition.

It shares no code and no coordinates with the engine: it works in prices, from the formulas'
words, and reads of each rule only its switches.
"""

import math
from fractions import Fraction

from positions.engine.rulebook import RULES
from positions.engine.rules import Basis, ClosingFee, TierKey
from positions.engine.types import ContractKind, Side, Terms

F = Fraction
FARTHEST = F(10) ** 40
HAIR = F(1, 10**25)
CLOSE = F(2, 10**14)


class Oracle:
    """One position in exact numbers."""

    def __init__(self, terms: Terms):
        self.rule = RULES[terms.rule]
        self.sign = terms.side.sign
        self.quantity = F(terms.quantity)
        self.entry = F(terms.entry_price)
        self.collateral = F(terms.collateral)
        is_fee_counted = self.rule.closing_fee is ClosingFee.MARK
        self.fee = F(terms.fee_rate) if is_fee_counted else F(0)
        self.fixed = F(terms.fixed_requirement)
        self.is_inverse = self.rule.kind is ContractKind.INVERSE
        if self.rule.funding.is_next_required:
            self.fixed += F(terms.next_funding_rate) * self.notional(self.entry)
        self.start = F(terms.trigger_price or terms.entry_price)
        self.tiers = [(F(tier.floor), F(tier.rate), F(tier.amount)) for tier in terms.tiers]
        self.is_long = terms.side is Side.LONG

    def liquidation_price(self, *, guess: float, width: F = 3 * CLOSE) -> F | None:
        """Return the first price at which the state turns, walking outward from the start.

        The answer is the middle of a bracket of that width, relative to it. A guess saves steps
        of the bisection when it is right, and changes nothing when wrong.
        """
        was_dead = self.is_dead(self.start)
        down = self.is_long != was_dead
        previous = self.start
        for stop in self._stops(down):
            # An edge belongs to one of its two tiers only: look on both of its sides.
            if self.is_dead(previous * (1 - HAIR if down else 1 + HAIR)) != was_dead:
                return previous
            last = stop * (1 + HAIR if down else 1 - HAIR)
            if self.is_dead(last) != was_dead:
                return self._bisect(previous, last, guess, width)
            if self.is_dead(stop) != was_dead:
                return stop
            previous = stop
        return None

    def is_dead(self, price: F) -> bool:
        """Tell whether the condition holds at that price."""
        lack = self.required(price) - self.equity(price)
        return lack > 0 if self.rule.is_strict else lack >= 0

    def condition_at(self, price: F) -> F:
        """Return the condition number of the root's closed form in the tier of that price.

        What each of the numbers added up may do to the quotient, relative; 1 at a jump, where the
        price is an edge. See tests/bench/accuracy.py.
        """
        if self._is_at_jump(price):
            return F(1)
        entry = self._value(self.entry)
        _, rate, amount = self._tier_at(price)
        if self.rule.basis is Basis.ENTRY:
            rate, amount = F(0), amount - rate * self.notional(self.entry)
        direction = -self.sign if self.is_inverse else self.sign
        pull, paid = rate + self.fee, self.quantity * entry
        terms = (self.collateral, amount, -self.fixed, -direction * paid)
        top, bottom = sum(terms), pull - direction
        if not top or not bottom:
            return FARTHEST
        return sum(map(abs, terms)) / abs(top) + (pull + 1) / abs(bottom)

    def notional(self, price: F) -> F:
        return self.quantity / price if self.is_inverse else self.quantity * price

    def equity(self, price: F) -> F:
        """Return collateral plus profit."""
        if self.is_inverse:
            return self.collateral + self.sign * self.quantity * (1 / self.entry - 1 / price)
        return self.collateral + self.sign * self.quantity * (price - self.entry)

    def required(self, price: F) -> F:
        """Return maintenance, the closing fee where the rule counts it, and what is fixed."""
        notional = self.notional(self.entry if self.rule.basis is Basis.ENTRY else price)
        _, rate, amount = self._tier_at(price)
        return rate * notional - amount + self.fee * self.notional(price) + self.fixed

    def _tier_at(self, price: F) -> tuple[F, F, F]:
        notional = self.notional(self.entry if self.rule.basis is Basis.ENTRY else price)
        size = self.quantity if self.rule.tier_key is TierKey.QUANTITY else notional
        floor, rate, amount = [tier for tier in self.tiers if tier[0] <= size][-1]
        return floor, rate, amount if self.rule.is_cumulative else F(0)

    def _value(self, price: F) -> F:
        return 1 / price if self.is_inverse else price

    def _is_at_jump(self, price: F) -> bool:
        """Tell whether equity is far from the requirement at that price: an edge, not a root."""
        lack = abs(self.equity(price) - self.required(price))
        return lack > F(1, 10**9) * max(self.notional(price), self.notional(self.entry))

    def _stops(self, down: bool) -> list[F]:
        floors = [floor for floor, _, _ in self.tiers if floor]
        edges = sorted(
            self.quantity / floor if self.is_inverse else floor / self.quantity for floor in floors
        )
        if down:
            return [*(edge for edge in reversed(edges) if edge < self.start), 1 / FARTHEST]
        return [*(edge for edge in edges if edge > self.start), FARTHEST]

    def _bisect(self, alike: F, turned: F, guess: float, width: F) -> F:
        was_dead = self.is_dead(alike)
        tries = [] if math.isnan(guess) else [F(guess) * (1 - CLOSE), F(guess) * (1 + CLOSE)]
        while abs(turned - alike) > width * turned:
            middle = tries.pop() if tries else _between(alike, turned)
            if not min(alike, turned) < middle < max(alike, turned):
                continue
            if self.is_dead(middle) != was_dead:
                turned = middle
            else:
                alike = middle
        return (alike + turned) / 2


def _between(one: F, other: F) -> F:
    # A middle of few digits keeps the fractions short; the condition itself stays exact.
    if max(one, other) > 4 * min(one, other):
        return F(math.sqrt(one) * math.sqrt(other))
    is_wide = abs(one - other) > CLOSE * one
    return F(float(one + other) / 2) if is_wide else (one + other) / 2
