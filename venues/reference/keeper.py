"""The keeper of the demo: who trades its paper accounts, by seed and step alone.

It opens what the plan misses, after a while; takes profit; sometimes trims a position or adds it
back; and defends the steady ones with margin, up to a limit, while the thin ones are left to
their fate: some position of the demo is always about to die, and the book never runs empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from positions.engine import machine
from positions.engine.compartment import Compartment, RefusedError
from positions.engine.types import Side
from riskhub import logs
from venues.models import Account
from venues.reference.book import Book, Identity, identity
from venues.reference.models import ReferencePosition
from venues.reference.prices import draw_words
from venues.reference.services import NET, SLUG, place_order, to_quantity
from venues.reference.world import Quote

log = logs.get(__name__)

# A paper account whose options carry this name is traded by the keeper, by the plan it names.
OPTION = "keeper"

_STREAM = 1_000
_REST = range(60, 180)
_OLD = 5_400
_TAKE_PROFIT = 2
_DEFEND_ABOVE = Fraction(4, 5)
_DEFEND_BELOW = 2
# Each seat is looked at every fifth step, in turn; what follows counts in looks, on average.
_LOOK_EVERY = 5
_NOTICE_WITHIN, _TRIM_WITHIN, _LEAVE_WITHIN = 8, 120, 40
# Paper money paid in whenever an order is not covered, smallest units.
TOP_UP: Mapping[str, int] = {
    "USDT": 50_000 * 10**8,
    "USDC": 20_000 * 10**8,
    "BTC": 10**8,
    "ETH": 10 * 10**8,
}


@dataclass(frozen=True, slots=True)
class Seat:
    """One place of the plan: the position that the keeper holds there.

    number   its random stream; never given to another seat
    is_thin  never defended; opens again on either side
    """

    number: int
    account: str
    symbol: str
    side: Side
    contracts: str
    leverage: int
    slot: str = NET
    is_thin: bool = False


_LONG, _SHORT = Side.LONG, Side.SHORT

SEATS: tuple[Seat, ...] = (
    Seat(1, "paper-binance", "BTC/USDT:USDT", _LONG, "0.350", 5),
    Seat(2, "paper-binance", "ETH/USDT:USDT", _SHORT, "8.00", 8),
    Seat(3, "paper-binance", "DOGE/USDT:USDT", _LONG, "42000", 33, is_thin=True),
    Seat(4, "paper-binance", "1000PEPE/USDT:USDT", _LONG, "900000", 4),
    Seat(5, "paper-bybit", "SOL/USDT:USDT", _LONG, "120", 5, slot="long"),
    Seat(6, "paper-bybit", "SOL/USDT:USDT", _SHORT, "60", 12, slot="short"),
    Seat(7, "paper-bybit", "XRP/USDT:USDT", _SHORT, "9000", 33, "short", is_thin=True),
    Seat(8, "paper-okx", "BTC/USDT:USDT", _SHORT, "0.250", 6),
    Seat(9, "paper-okx", "ETH/USDT:USDT", _LONG, "5.20", 50, is_thin=True),
    Seat(10, "paper-okx", "1000PEPE/USDT:USDT", _SHORT, "400000", 14),
    Seat(11, "paper-okx", "SOL/USDT:USDT", _LONG, "40", 3),
    Seat(12, "paper-hyperliquid", "BTC/USDC:USDC", _LONG, "0.120", 40, is_thin=True),
    Seat(13, "paper-hyperliquid", "ETH/USDC:USDC", _SHORT, "3.00", 6),
    Seat(14, "paper-hyperliquid", "SOL/USDC:USDC", _LONG, "55", 9),
    Seat(15, "paper-coinm", "BTC/USD:BTC", _LONG, "80", 4),
    Seat(16, "paper-coinm", "ETH/USD:ETH", _SHORT, "500", 8),
    Seat(17, "paper-gate", "DOGE/USDT:USDT", _SHORT, "30000", 7),
    Seat(18, "paper-gate", "XRP/USDT:USDT", _LONG, "4000", 3),
)


@dataclass(slots=True)
class Plan:
    """The seats of the paper accounts in hand, and the step at which each was last vacated."""

    seats: Sequence[tuple[Account, Seat]]
    left: dict[Identity, int] = field(default_factory=dict)


def load_plan(*, step: int) -> Plan:
    """Return what is to be kept: enabled accounts of the demo, and their latest ends."""
    accounts = Account.objects.filter(venue=SLUG, is_enabled=True, options__has_key=OPTION)
    kept = [(account, seat) for account in accounts.order_by("pk") for seat in seats_of(account)]
    ends = (
        ReferencePosition.objects.filter(
            account__in={account.pk for account, _ in kept}, ended_step__gte=step - _REST.stop
        )
        .select_related("market")
        .order_by("ended_step")
    )
    return Plan(seats=kept, left={identity(row): row.ended_step or 0 for row in ends})


def seats_of(account: Account) -> list[Seat]:
    """Return the seats of the plan that an account's options name."""
    return [seat for seat in SEATS if seat.account == account.options.get(OPTION)]


def keep(*, book: Book, plan: Plan, prices: Mapping[str, Quote], seed: int) -> None:
    """Do at this step what the keeper does; an order that is refused is left for another step."""
    plan.left |= {identity(row): row.ended_step or 0 for row in book.ended}
    for account, seat in plan.seats:
        if (book.step + seat.number) % _LOOK_EVERY:
            continue
        words = draw_words(seed=seed, stream=_STREAM + seat.number, first=book.step, count=1)[0]
        hand = _Hand(book, account, seat, prices[seat.symbol], int(words[0]), int(words[1]))
        try:
            _keep_seat(hand, plan)
        except RefusedError as error:
            log.info("demo_order_refused", seat=seat.number, step=book.step, reason=str(error))


def take_seat(
    *, book: Book, account: Account, seat: Seat, price: Quote, side: Side | None = None
) -> ReferencePosition:
    """Open the position of a seat, with paper money from outside where the account lacks it."""
    settle = price.contract.settle
    size = to_quantity(contract=price.contract, contracts=Decimal(seat.contracts))
    worth = size / price.mark if settle == price.contract.asset else size * price.mark
    # The margin, and as much again for the fee and for margin added later.
    needed = 2 * worth * 10**8 / seat.leverage
    while book.balance(account=account, unit=settle) < needed:
        book.deposit(account=account, unit=settle, amount=TOP_UP[settle])
    return place_order(
        book=book,
        account=account,
        price=price,
        side=side or seat.side,
        contracts=Decimal(seat.contracts),
        leverage=seat.leverage,
        slot=seat.slot,
    )


@dataclass(frozen=True, slots=True)
class _Hand:
    """What one decision needs: the seat, its prices, and two random words of this step."""

    book: Book
    account: Account
    seat: Seat
    price: Quote
    chance: int
    other: int

    def happens(self, within: int) -> bool:
        """Tell whether what happens at one look in so many happens at this one."""
        return self.chance % within == 0


def _keep_seat(hand: _Hand, plan: Plan) -> None:
    book, seat = hand.book, hand.seat
    place = (hand.account.pk, seat.symbol, seat.slot)
    position = book.find(account_id=place[0], symbol=seat.symbol, slot=seat.slot)
    if position is None:
        left = plan.left.get(place)
        if left is None or book.step - left >= _rest(seat, left):
            _return_to_seat(hand)
        return
    step = _decide(hand, position, book.compartment(position))
    if step is not None:
        book.apply(position=position, step=step, ticks=hand.price.mark_ticks)


def _rest(seat: Seat, left: int) -> int:
    """Return how many steps a seat stays empty: by seat and step, without a random stream."""
    return _REST[(seat.number * 37 + left) % len(_REST)]


def _return_to_seat(hand: _Hand) -> None:
    side = hand.seat.side
    if hand.seat.is_thin and hand.other & 1:
        side = Side.SHORT if side is Side.LONG else Side.LONG
    take_seat(book=hand.book, account=hand.account, seat=hand.seat, price=hand.price, side=side)


def _decide(
    hand: _Hand, position: ReferencePosition, compartment: Compartment
) -> machine.Step | None:
    price = hand.price.mark
    equity = compartment.equity(price=price)
    initial = compartment.cost / compartment.leverage
    is_old = hand.book.step - position.opened_step > _OLD and hand.happens(_LEAVE_WITHIN)
    if is_old or equity >= _TAKE_PROFIT * max(Fraction(compartment.collateral), initial):
        return machine.close(compartment=compartment, price=price)
    if hand.seat.is_thin:
        return None
    if _needs_margin(hand, compartment, equity, initial):
        return machine.add_margin(compartment=compartment, amount=int(initial / 2))
    return _trim(hand, compartment) if hand.happens(_TRIM_WITHIN) else None


def _needs_margin(
    hand: _Hand, compartment: Compartment, equity: Fraction, initial: Fraction
) -> bool:
    if not hand.happens(_NOTICE_WITHIN):
        return False
    is_short_of_it = compartment.required(price=hand.price.mark) > _DEFEND_ABOVE * equity
    return is_short_of_it and compartment.collateral < _DEFEND_BELOW * initial


def _trim(hand: _Hand, compartment: Compartment) -> machine.Step:
    """Sell a fifth of a full position; buy back what is missing of a trimmed one."""
    contract, price = hand.price.contract, hand.price.mark
    full = Decimal(hand.seat.contracts)
    missing = to_quantity(contract=contract, contracts=full) - compartment.quantity
    if missing > 0:
        return machine.increase(compartment=compartment, quantity=missing, price=price)
    fifth = max(full / 5 // contract.lot, Decimal(1)) * contract.lot
    sold = to_quantity(contract=contract, contracts=fifth)
    return machine.reduce(compartment=compartment, quantity=sold, price=price)
