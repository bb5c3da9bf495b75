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

    def liquidation_price(self, *, guess: float) -> F | None:
        """Return the first price at which the state turns, walking outward from the start.

        A guess saves steps of the bisection when it is right, and changes nothing when wrong.
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
                return self._bisect(previous, last, was_dead, guess)
            if self.is_dead(stop) != was_dead:
                return stop
            previous = stop
        return None

    def is_dead(self, price: F) -> bool:
        """Tell whether the condition holds at that price."""
        lack = self.required(price) - self.equity(price)
        return lack > 0 if self.rule.is_strict else lack >= 0

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
        size = self.quantity if self.rule.tier_key is TierKey.QUANTITY else notional
        _, rate, amount = [tier for tier in self.tiers if tier[0] <= size][-1]
        amount = amount if self.rule.is_cumulative else 0
        return rate * notional - amount + self.fee * self.notional(price) + self.fixed

    def _stops(self, down: bool) -> list[F]:
        floors = [floor for floor, _, _ in self.tiers if floor]
        edges = sorted(
            self.quantity / floor if self.is_inverse else floor / self.quantity for floor in floors
        )
        if down:
            return [*(edge for edge in reversed(edges) if edge < self.start), 1 / FARTHEST]
        return [*(edge for edge in edges if edge > self.start), FARTHEST]

    def _bisect(self, alike: F, turned: F, was_dead: bool, guess: float) -> F:
        tries = [] if math.isnan(guess) else [F(guess) * (1 - CLOSE), F(guess) * (1 + CLOSE)]
        while abs(turned - alike) > 3 * CLOSE * turned:
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
    is_far = max(one, other) > 4 * min(one, other)
    return F(math.sqrt(one) * math.sqrt(other) if is_far else float(one + other) / 2)
