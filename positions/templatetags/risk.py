"""Template tags and filters: thin hands over riskhub.formatting, and the marks of a figure.

Every tag takes what a template has, "" for a missing variable included, and never raises on it.
The tags build their markup with format_html instead of a partial: a table has ten thousand figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.http import QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString

from riskhub import formatting

register = template.Library()

SEVERITIES = {
    "critical": "critical",
    "warning": "warning",
    "unknown": "risk unknown",
    "calm": "calm",
}
SOURCES = {
    "reported": "Reported by the venue",
    "derived": "Computed by RiskHub",
}
# kind: label, tone, explanation. A kind that is not here is shown as its own words, without a tone.
BADGES = {
    "simulated": ("simulated", "simulated", "A paper account: no venue and no money behind it."),
    "stale": ("stale", "warning", "Not read within its time: these figures may have moved."),
    "blind": ("blind", "warning", "This account could not be read."),
    "ours": ("ours", "", "Computed by RiskHub, because the venue gives none."),
    "breached": ("breached", "critical", "The price is beyond liquidation, still reported open."),
    "disputed": ("disputed", "warning", "The venue's number and ours differ, unexplained."),
    "gone": ("gone, unexplained", "unknown", "It vanished, and no close explains it yet."),
    "not_contained": (
        "not contained",
        "warning",
        "Margin is added by itself: a loss may draw on the account's free balance.",
    ),
    "containment_unknown": (
        "containment unknown",
        "unknown",
        "Whether margin is added by itself could not be read.",
    ),
    "cross": ("cross", "", "The account's balance backs it: its loss is not capped here."),
    "portfolio": ("portfolio", "", "The whole portfolio backs it: its loss is not capped here."),
    "mode_unknown": (
        "margin mode unknown",
        "unknown",
        "The venue does not say whether the margin is isolated.",
    ),
    "not_listed": ("not listed", "unknown", "The venue does not list this symbol."),
    "bankrupt": ("bankrupt", "critical", "Its losses exceed its collateral."),
    "disabled": ("disabled", "", "A person has switched this off."),
    "armed": ("armed", "critical", "RiskHub may move margin on this account, within its limits."),
    "dry_run": ("dry run", "calm", "Plans are made and shown, nothing is sent."),
    "read_only": ("read only", "", "The key can read and do nothing else."),
}

_FIGURES: dict[str, Callable[..., str]] = {
    "price": formatting.price,
    "percent": formatting.percent,
    "probability": formatting.probability,
    "ratio": formatting.ratio,
    "leverage": formatting.leverage,
    "basis_points": formatting.basis_points,
    "sigmas": formatting.sigmas,
    "duration": formatting.duration,
    "countdown": formatting.countdown,
}
_FIGURES_IN_UNITS: dict[str, Callable[..., str]] = {
    "money": formatting.money,
    "signed_money": formatting.signed_money,
    "quantity": formatting.quantity,
}
# Figures whose rounding hides what the venue said: all of it is told on asking.
_EXACT = {"price", "quantity", "money", "signed_money"}
_BEFORE_UNIT = re.compile(r"(?<=[\d—]) (?=(?:%|σ|bp|min|[smhd])(?!\w))")


def _number(value: object) -> formatting.Number | None:
    is_number = isinstance(value, float | int | Decimal) and not isinstance(value, bool)
    return value if is_number else None  # type: ignore[return-value]


def _instant(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


@register.filter
def price(value: object) -> str:
    """Show a price."""
    return formatting.price(_number(value))


@register.filter
def quantity(value: object, unit: str = "") -> str:
    """Show an amount and its unit."""
    return formatting.quantity(_number(value), unit)


@register.filter
def money(value: object, unit: str = "USD") -> str:
    """Show an amount of money."""
    return formatting.money(_number(value), unit)


@register.filter
def signed_money(value: object, unit: str = "USD") -> str:
    """Show a gain or a loss."""
    return formatting.signed_money(_number(value), unit)


@register.filter
def percent(value: object, digits: int | None = None) -> str:
    """Show a fraction as per cent."""
    return formatting.percent(_number(value), digits=digits)


@register.filter
def probability(value: object) -> str:
    """Show a probability."""
    return formatting.probability(_number(value))


@register.filter
def ratio(value: object) -> str:
    """Show a plain ratio."""
    return formatting.ratio(_number(value))


@register.filter
def leverage(value: object) -> str:
    """Show a leverage."""
    return formatting.leverage(_number(value))


@register.filter
def basis_points(value: object) -> str:
    """Show a small fraction in basis points."""
    return formatting.basis_points(_number(value))


@register.filter
def sigmas(value: object) -> str:
    """Show a distance in standard deviations."""
    return formatting.sigmas(_number(value))


@register.filter
def count(value: object) -> str:
    """Show a whole number."""
    return formatting.count(value if isinstance(value, int) else None)


@register.filter
def age(seconds: Any) -> str:
    """Show how long ago, from seconds or a timedelta."""
    return formatting.age(None if seconds == "" else seconds)


@register.filter
def duration(seconds: Any) -> str:
    """Show a length of time, from seconds or a timedelta."""
    return formatting.duration(None if seconds == "" else seconds)


@register.filter
def timestamp(instant: object) -> str:
    """Show an instant in UTC."""
    return formatting.timestamp(_instant(instant))


@register.filter
def time_of_day(instant: object) -> str:
    """Show the time of an instant in UTC."""
    return formatting.time_of_day(_instant(instant))


@register.filter
def iso(instant: object) -> str:
    """Write an instant for a program; nothing for none."""
    return formatting.iso(_instant(instant)) or ""


@register.filter(is_safe=True)
def keep_units(sentence: object) -> str:
    """Keep a number and its unit on one line: the space between them does not break."""
    return _BEFORE_UNIT.sub("\u00a0", str(sentence))


@register.filter
def words(code: object) -> str:
    """Show a code as words: venue_gives_none as "venue gives none"."""
    return str(code).replace("_", " ").strip()


@register.filter
def gain_class(value: object) -> str:
    """Name the class of a gain or a loss; none for zero and for the unknown."""
    number = _number(value)
    if number is None or not number:
        return ""
    return "is-gain" if number > 0 else "is-loss"


@register.simple_tag
def severity(value: object, *, label: bool = False) -> SafeString:
    """Mark a severity by shape and colour, with its word for those who see neither.

    label  show the word as well
    """
    key = str(value) if str(value) in SEVERITIES else "unknown"
    mark = format_html('<span class="mark" data-severity="{}"></span>', key)
    word = SEVERITIES[key]
    if not label:
        return format_html('{}<span class="sr-only severity-word">{}</span>', mark, word)
    text = format_html('<span class="severity-text" data-severity="{}">{}</span>', key, word)
    return format_html('<span class="severity">{}{}</span>', mark, text)


@register.simple_tag
def figure(
    value: object,
    form: str = "text",
    *,
    unit: str = "",
    digits: int | None = None,
    source: str = "reported",
    reason: str = "",
    field: str = "",
    is_tagged: bool = True,
    in_dollars: bool = False,
) -> SafeString:
    """Show a figure with its unit, its source and its reason.

    value   a number, or with the form "text" a text that is ready; None and "" are unknown
    form    price, percent, probability, ratio, leverage, basis_points, sigmas, duration,
            countdown, money, signed_money, quantity or text
    digits  of a price, a percent or a ratio; None leaves the choice to the form
    source  reported, derived or unknown
    reason  why it is unknown, or why we computed it
    field   the name by which live.js finds it
    is_tagged  False where no venue gives such a figure, so that "ours" would say nothing
    in_dollars live.js may not put the amount in coins here
    """
    text = _figure_text(value, form=form, unit=unit, digits=digits)
    marks = [(not is_tagged, " data-quiet"), (in_dollars, " data-dollars")]
    quiet = SafeString("".join(mark for is_so, mark in marks if is_so))
    if text == formatting.DASH:
        return _unknown_figure(reason=words(reason), field=field, quiet=quiet)
    is_apart = unit and form not in _FIGURES_IN_UNITS
    has_tag = source == "derived" and is_tagged
    return format_html(
        '<span class="figure" data-source="{}"{}{}{}>{}<span class="figure-value">{}</span>{}'
        "</span>",
        source or "reported",
        _attribute("data-field", field),
        quiet,
        _attribute(
            "title", _explanation(value, form=form, text=text, source=source, reason=reason)
        ),
        SafeString('<small class="figure-source">ours</small>') if has_tag else "",
        text,
        format_html('<span class="figure-unit">{}</span>', unit) if is_apart else "",
    )


def _figure_text(value: object, *, form: str, unit: str, digits: int | None) -> str:
    if form in _FIGURES_IN_UNITS:
        unit = unit or ("" if form == "quantity" else "USD")
        return _FIGURES_IN_UNITS[form](_number(value), unit)
    if form in _FIGURES:
        options = {} if digits is None else {"digits": digits}
        return _FIGURES[form](_number(value), **options)
    return formatting.DASH if value in (None, "") else str(value)


def _unknown_figure(*, reason: str, field: str, quiet: SafeString | str = "") -> SafeString:
    why = reason or "no reason was given"
    return format_html(
        '<span class="figure" data-source="unknown"{}{} tabindex="0" role="img" title="{}"'
        ' aria-label="unknown: {}"><span class="figure-value">{}</span></span>',
        _attribute("data-field", field),
        quiet,
        f"Unknown: {why}",
        why,
        formatting.DASH,
    )


def _explanation(value: object, *, form: str, text: str, source: str, reason: str) -> str:
    if source == "derived":
        return ": ".join(part for part in (SOURCES[source], words(reason)) if part)
    exact = formatting.decimal_string(_number(value)) if form in _EXACT else None
    shown = text.replace(",", "").replace(formatting.MINUS, "-")
    return f"{exact}\n{SOURCES['reported']}" if exact and exact.rstrip("0") not in shown else ""


def _attribute(name: str, value: object) -> SafeString | str:
    return format_html(' {}="{}"', SafeString(name), value) if value else ""


@register.simple_tag
def gauge(
    fraction: object, *, severity: str = "", field: str = "", is_wide: bool = False
) -> SafeString:
    """Draw a fraction of one as a level; beyond one it is full, unknown it is a dashed outline.

    field  the name of the figure that live.js moves it by
    """
    number = _number(fraction)
    is_unknown = formatting.decimal_string(number) is None
    level = 0.0 if number is None or is_unknown else min(max(float(number), 0.0), 1.0)
    return format_html(
        '<svg class="gauge{}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"'
        '{}{}{}><rect class="gauge-track" width="100" height="8"/>'
        '<rect class="gauge-fill" width="{}" height="8"/></svg>',
        " is-wide" if is_wide else "",
        _attribute("data-severity", severity),
        _attribute("data-gauge", field),
        SafeString(" data-unknown") if is_unknown else "",
        f"{level * 100:.1f}",
    )


@register.simple_tag
def badge(kind: object, text: str = "", *, tone: str = "") -> SafeString:
    """Show a short fact about a thing; BADGES names those with an explanation."""
    label, known_tone, why = BADGES.get(str(kind), (words(kind), "", ""))
    return format_html(
        '<span class="badge"{}{}>{}</span>',
        _attribute("data-tone", tone or known_tone),
        _attribute("title", why),
        text or label,
    )


@register.simple_tag
def age_since(
    instant: object, *, now: object, budget_s: object = None, is_fixed: bool = False
) -> SafeString:
    """Show the age of a reading; the browser keeps it ticking. Beyond its budget it is stale.

    is_fixed  it is no reading of a position: live figures leave its instant alone
    """
    at, present = _instant(instant), _instant(now)
    if at is None or present is None:
        return _unknown_figure(reason="never read", field="age")
    seconds = (present - at).total_seconds()
    budget = _number(budget_s)
    return format_html(
        '<time class="age" datetime="{0}" data-age-at="{0}"{1}{2}{3}>{4}</time>',
        formatting.iso(at),
        SafeString(" data-age-fixed") if is_fixed else "",
        _attribute("data-age-budget", formatting.decimal_string(budget)),
        SafeString(" data-stale") if budget is not None and seconds > budget else "",
        formatting.age(seconds),
    )


@register.simple_tag
def sort_header(
    label: str, key: str, *, params: Any = None, default: str = "", css: str = ""
) -> SafeString:
    """Show a column heading that sorts: a link to the same page with its `sort` changed.

    params   request.GET; every other parameter is kept, `page` is dropped
    default  the sort that holds when the address names none
    css      classes of the heading
    """
    given = params if isinstance(params, Mapping) else QueryDict()
    current = str(given.get("sort") or default)
    is_current = current.lstrip("-") == key
    order = "descending" if current.startswith("-") else "ascending"
    return format_html(
        '<th scope="col"{}{}><a class="sort" href="?{}">{}</a></th>',
        _attribute("class", css),
        _attribute("aria-sort", order if is_current else ""),
        query(given, sort=f"-{key}" if current == key else key, page=None),
        label,
    )


@register.simple_tag
def query(params: Any, **changes: object) -> str:
    """Return the query string of `params` with changes; None takes a parameter out."""
    changed = params.copy() if isinstance(params, QueryDict) else QueryDict(mutable=True)
    for name, value in changes.items():
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = str(value)
    return changed.urlencode()
