import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskhub import formatting

UNKNOWN = [None, math.nan, math.inf, -math.inf, Decimal("NaN")]
finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (97_250, "97,250"),
        (97_250.4, "97,250"),
        (188.1, "188.10"),
        (0.1842, "0.18420"),
        (0.00001102, "0.000011020"),
        (123_456.7, "123,460"),
        (0, "0"),
        (-0.0, "0"),
        (1e-12, "0.0000000000010000"),
        (1e15, "1,000,000,000,000,000"),
        (0.99995, "0.99995"),
        (0.999995, "1.0000"),
        (0.999994, "0.99999"),
        (99_999.5, "100,000"),
        (-3.2, "−3.2000"),
        (Decimal("2710.80"), "2,710.8"),
    ],
)
def test_price_has_five_significant_digits_and_no_exponent(value, text):
    assert formatting.price(value) == text


def test_price_rounds_to_the_digits_asked_for():
    assert formatting.price(0.99995, digits=4) == "1.000"


@pytest.mark.parametrize(
    "write",
    [
        formatting.price,
        formatting.quantity,
        formatting.money,
        formatting.signed_money,
        formatting.percent,
        formatting.probability,
        formatting.ratio,
        formatting.leverage,
        formatting.basis_points,
        formatting.sigmas,
    ],
)
@pytest.mark.parametrize("value", UNKNOWN)
def test_unknown_is_a_dash_and_never_a_number(write, value):
    assert write(value) == formatting.DASH


@pytest.mark.parametrize("write", [formatting.age, formatting.duration, formatting.countdown])
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_an_unknown_length_of_time_is_a_dash(write, value):
    assert write(value) == formatting.DASH


def test_a_numpy_scalar_reads_like_a_float():
    numpy = pytest.importorskip("numpy")

    text = formatting.price(numpy.float64(188.1))

    assert text == "188.10"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4_200, "USD", "$4,200"),
        (92_800.4, "USD", "$92,800"),
        (99.99, "USD", "$99.99"),
        (99.996, "USD", "$100"),
        (0.42, "USD", "$0.42"),
        (0.004, "USD", "<$0.01"),
        (-0.004, "USD", ">−$0.01"),
        (-812, "USD", "−$812"),
        (0, "USD", "$0"),
        (-0.0, "USD", "$0"),
        (4_200, "EUR", "€4,200"),
        (0.0123, "BTC", "0.0123 BTC"),
        (-0.5, "BTC", "−0.5 BTC"),
        (1_234_567.8, "USDT", "1,234,568 USDT"),
        (1e-12, "BTC", "0.000000000001 BTC"),
        (5.0, "", "5"),
    ],
)
def test_money_names_its_unit(value, unit, text):
    assert formatting.money(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (233, "USD", "+$233"),
        (-812, "USD", "−$812"),
        (0, "USD", "$0"),
        (0.004, "USD", "<+$0.01"),
        (0.5, "ETH", "+0.5 ETH"),
        (-0.5, "ETH", "−0.5 ETH"),
    ],
)
def test_signed_money_shows_which_way_it_went(value, unit, text):
    assert formatting.signed_money(value, unit) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.031, "3.1 %"),
        (0.41, "41 %"),
        (0.0999, "10 %"),
        (0, "0 %"),
        (-0.0, "0 %"),
        (0.0004, "<0.1 %"),
        (-0.0004, "−0.04 %"),
        (-0.0005, "−0.05 %"),
        (-0.00000001, "−0.01 %"),
        (0.001, "0.1 %"),
        (-0.031, "−3.1 %"),
        (12.5, "1,250 %"),
        (1, "100 %"),
        (1.04, "104 %"),
    ],
)
def test_percent_chooses_its_decimals(fraction, text):
    assert formatting.percent(fraction) == text


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.994, "99 %"), (0.996, "99.6 %"), (0.9999, ">99.9 %")]
)
def test_percent_never_rounds_up_to_liquidation(fraction, text):
    assert formatting.percent(fraction) == text


def test_percent_with_fixed_decimals_keeps_them():
    assert formatting.percent(0.203, digits=1) == "20.3 %"
    assert formatting.percent(0.031, digits=1, is_signed=True) == "+3.1 %"
    assert formatting.percent(0.004, digits=0) == "<1 %"
    assert formatting.percent(-0.0005, digits=1) == "−0.05 %"
    assert formatting.percent(-0.0000001, digits=4) == "−0.00001 %"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0123, "BTC", "0.0123 BTC"), (1_234_567, "", "1,234,567"), (1.50, "ETH", "1.5 ETH")],
)
def test_quantity_drops_zeros_but_no_whole_unit(value, unit, text):
    assert formatting.quantity(value, unit) == text


def test_small_figures_carry_their_sign_or_unit():
    assert formatting.ratio(0.857) == "0.86"
    assert formatting.leverage(5.0) == "5×"
    assert formatting.leverage(12.5) == "12.5×"
    assert formatting.basis_points(0.00027) == "2.7 bp"
    assert formatting.sigmas(-2.31) == "−2.3 σ"
    assert formatting.count(1204) == "1,204"
    assert formatting.count(None) == "—"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (2, "2 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (299, "4 min"),
        (3_600 * 3, "3 h"),
        (86_399, "23 h"),
        (86_400 * 2, "2 d"),
        (timedelta(minutes=4), "4 min"),
        (-5, "0 s"),
    ],
)
def test_age_is_the_largest_whole_unit(seconds, text):
    assert formatting.age(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (4_800, "1 h 20 min"),
        (7_200, "2 h"),
        (3_605, "1 h"),
        (86_400 * 2 + 3_600 * 3 + 59, "2 d 3 h"),
    ],
)
def test_duration_shows_its_two_largest_units(seconds, text):
    assert formatting.duration(seconds) == text


def test_countdown_says_when_it_is_over():
    assert formatting.countdown(7_500) == "in 2 h 5 min"
    assert formatting.countdown(0) == "now"
    assert formatting.countdown(-3) == "now"


def test_instants_are_shown_in_utc_whatever_their_zone():
    instant = datetime(2026, 11, 22, 17, 46, 3, 250_000, tzinfo=timezone(timedelta(hours=2)))

    assert formatting.timestamp(instant) == "2026-11-22 15:46:03 UTC"
    assert formatting.time_of_day(instant) == "15:46 UTC"
    assert formatting.iso(instant) == "2026-11-22T15:46:03.250Z"


def test_an_unknown_instant_is_a_dash_for_people_and_none_for_programs():
    assert formatting.timestamp(None) == "—"
    assert formatting.time_of_day(None) == "—"
    assert formatting.iso(None) is None


@pytest.mark.parametrize("write", [formatting.timestamp, formatting.time_of_day, formatting.iso])
def test_an_instant_without_a_zone_is_refused(write):
    naive = datetime(2026, 11, 22, tzinfo=UTC).replace(tzinfo=None)

    with pytest.raises(ValueError, match="time zone"):
        write(naive)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (97_250.0, "97250"),
        (1e22, "10000000000000000000000"),
        (1e-12, "0.000000000001"),
        (-812.5, "-812.5"),
        (-0.0, "0"),
        (2**63, "9223372036854775808"),
        (Decimal("188.100"), "188.1"),
    ],
)
def test_decimal_string_is_plain(value, text):
    assert formatting.decimal_string(value) == text


@pytest.mark.parametrize("value", UNKNOWN)
def test_decimal_string_of_the_unknown_is_none(value):
    assert formatting.decimal_string(value) is None


@given(finite)
def test_decimal_string_reads_back_to_the_same_float(value):
    text = formatting.decimal_string(value)

    assert float(text) == value
    assert "e" not in text.lower()


@given(finite.filter(lambda value: abs(value) < 1e300))
def test_price_is_within_half_a_unit_of_its_fifth_digit(value):
    text = formatting.price(value)

    shown = float(text.replace(",", "").replace(formatting.MINUS, "-"))
    assert shown == pytest.approx(value, rel=5.0001e-5)
    assert "e" not in text.lower()


@given(finite.filter(bool))
def test_no_known_amount_but_zero_reads_as_zero(value):
    assert formatting.money(value) != formatting.money(0)
    assert formatting.percent(value) != formatting.percent(0)
    assert formatting.price(value) != formatting.price(0)
