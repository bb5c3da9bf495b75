"""Invented values for the style guide; nothing here comes from a venue or a database."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django import forms, template
from django.core.paginator import Page, Paginator

from riskhub import clock

register = template.Library()

# One position a line; "?" is unknown.
_POSITIONS = """
id asset side venue account severity distance margin_ratio liquidation_price mark_price entry_price quantity collateral pnl age_s source
1 SOL short Bybit main critical 0.031 0.86 188.1 182.44 176.02 142.5 4200 -812 2 reported
2 DOGE long Binance desk-2 warning 0.052 0.74 0.17462 0.1842 0.1871 140000 2600 -402 4 reported
3 1000PEPE long OKX main warning 0.088 0.61 0.01005 0.01102 0.01123 576190 900 -121 3 derived
4 WIF long Kraken kraken-old unknown ? ? ? 0.4412 0.4481 9000 ? ? 254 reported
5 ETH long Hyperliquid 0x3f…a1 calm 0.127 0.44 2710.8 3105.2 3086.1 12.2 12500 233 1 reported
6 BTC long Binance desk-1 calm 0.203 0.31 77508 97250 95012.4 0.822 30000 1840 4 reported
7 BTC long Reference paper calm 0.421 0.12 56307 97248 96001 0.25 5000 310 1 derived
"""  # noqa: E501 - a table
_STALE_AFTER_S = 70
# Venue, then label, side, collateral, margin ratio, severity of each compartment.
_VENUES = (
    ("Bybit", (("SOL", "short", 4_200, 0.86, "critical"), ("ETH", "short", 8_000, 0.39, "calm"))),
    ("Binance", (("DOGE", "long", 2_600, 0.74, "warning"), ("BTC", "long", 30_000, 0.31, "calm"))),
    ("OKX", (("1000PEPE", "long", 900, 0.61, "warning"), ("BTC", "short", 22_000, 0.27, "calm"))),
    ("Kraken", (("WIF", "long", None, None, "unknown"),)),
    ("Gate", (("ARB", "long", 700, 1.04, "critical"),)),
    ("Hyperliquid", (("ETH", "long", 12_500, 0.44, "calm"),)),
    ("Reference", (("BTC", "long", 5_000, 0.12, "calm"),)),
)


class _SampleForm(forms.Form):
    """A form with a hint, an error and a tick."""

    label = forms.CharField(help_text="How you will find this account again.")
    venue = forms.ChoiceField(choices=[("bybit", "Bybit"), ("okx", "OKX")])
    secret = forms.CharField(widget=forms.PasswordInput)
    is_watched = forms.BooleanField(label="Watch from now on", required=False)


@register.simple_tag
def sample_now() -> datetime:
    """Return the present, for the ages of the samples."""
    return clock.now()


@register.simple_tag
def sample_positions() -> list[dict[str, Any]]:
    """Return rows of a position table in every severity."""
    head, *lines = (line.split() for line in _POSITIONS.strip().splitlines())
    now = clock.now()
    rows = [dict(zip(head, map(_sample, line), strict=True)) for line in lines]
    for row in rows:
        row["as_of"] = now - timedelta(seconds=row["age_s"])
        row["is_simulated"] = row["venue"] == "Reference"
        row["is_stale"] = row["age_s"] > _STALE_AFTER_S
    return rows


def _sample(word: str) -> Any:
    if word == "?":
        return None
    try:
        return float(word)
    except ValueError:
        return word


@register.simple_tag
def sample_compartments() -> dict[str, Any]:
    """Return the data of a compartments figure: each severity, unknown, breached, merged."""
    venues: list[dict[str, Any]] = [
        {"label": venue, "merged": None, "compartments": _compartments(venue, positions)}
        for venue, positions in _VENUES
    ]
    venues[5]["merged"] = {"count": 37, "collateral_usd": 41_000.0, "max_margin_ratio": 0.22}
    return {"venues": venues}


def _compartments(venue: str, positions: tuple[tuple[Any, ...], ...]) -> list[dict[str, Any]]:
    names = ("label", "side", "collateral_usd", "margin_ratio", "severity")
    return [
        {
            "id": f"{venue}-{values[0]}",
            "url": "#compartments",
            "distance": None if values[3] is None else round((1 - values[3]) / 4.5, 4),
            "is_simulated": venue.startswith("Reference"),
            **dict(zip(names, values, strict=True)),
        }
        for values in positions
    ]


@register.simple_tag
def sample_price_chart(*, is_unknown: bool = False) -> dict[str, Any]:
    """Return two days of an invented price, its liquidation moved once by added margin."""
    count, moved = 288, 120
    end = clock.now()
    at = [end - timedelta(minutes=10 * (count - 1 - i)) for i in range(count)]
    mark: list[float | None] = [round(_invented_price(i / count), 2) for i in range(count)]
    mark[90:104] = [None] * 14
    liquidation = [None if is_unknown else 184.6 if i < moved else 188.1 for i in range(count)]
    return {
        "symbol": "SOL/USDT:USDT",
        "simulated": True,
        "entry": 176.02,
        "at": [instant.isoformat(timespec="seconds") for instant in at],
        "mark": mark,
        "liquidation": liquidation,
        "bankruptcy": [None if price is None else round(price + 1.6, 2) for price in liquidation],
    }


def _invented_price(part: float) -> float:
    waves = ((9.0, 2.1), (23.0, 1.2), (61.0, 0.7), (139.0, 0.45))
    wobble = sum(size * math.sin(turns * part * math.tau + turns) for turns, size in waves)
    return 174.5 + 7.4 * part**3 + 0.8 * wobble


@register.simple_tag
def sample_facts() -> list[dict[str, str]]:
    """Return totals, one of them unknown."""
    return [
        {"label": "Collateral at risk", "value": "$92,800", "note": "12 positions, 8 venues"},
        {"label": "Nearest", "value": "3.1 %", "note": "SOL short, Bybit", "severity": "critical"},
        {"label": "Endangered", "value": "3", "note": "1 critical, 2 warning"},
        {"label": "Unrealised", "value": "+$1,037", "note": "since entry"},
        {"label": "Expected loss 24 h", "value": "—", "note": "no volatility known"},
    ]


@register.simple_tag
def sample_items(kind: str) -> list[dict[str, Any]]:
    """Return the items of a list component: nav, tabs, chips, crumbs, filters, kv."""
    return _ITEMS[kind]


_ITEMS: dict[str, list[dict[str, Any]]] = {
    "nav": [
        {"name": "Overview", "url": "#nav", "is_current": True},
        {"name": "Alerts", "url": "#nav", "is_current": False, "count": 3},
        {"name": "Accounts", "url": "#nav", "is_current": False},
    ],
    "tabs": [
        {"name": "Figures", "url": "#tabs", "is_current": True},
        {"name": "History", "url": "#tabs", "is_current": False},
        {"name": "Events", "url": "#tabs", "is_current": False},
    ],
    "chips": [
        {"name": "All", "url": "#chips", "is_current": True},
        {"name": "Endangered", "url": "#chips"},
        {"name": "Bybit", "url": "#chips", "is_removable": True},
    ],
    "crumbs": [{"name": "Overview", "url": "#crumbs"}, {"name": "Bybit"}, {"name": "main"}],
    "filters": [
        {
            "name": "venue",
            "label": "Venue",
            "options": [
                {"value": "", "label": "All", "is_selected": True},
                {"value": "bybit", "label": "Bybit"},
            ],
        },
        {
            "name": "severity",
            "label": "Severity",
            "options": [{"value": "", "label": "All"}, {"value": "critical", "label": "Critical"}],
        },
    ],
    "kv": [
        {"label": "Bybit says", "value": "188.05"},
        {"label": "We compute", "value": "188.10"},
        {"label": "Gap", "value": "2.7 bp"},
        {"label": "rounding to tick", "value": "2.7 bp", "is_part": True},
        {"label": "unexplained", "value": "0.0 bp", "is_part": True},
        {"label": "Stop order", "value": "none", "severity": "warning"},
        {"label": "ADL rank", "value": "—", "note": "the venue gives none"},
    ],
}


@register.simple_tag
def sample_seen() -> dict[str, Any]:
    """Return a coverage strip with blind accounts."""
    return {"seen": 11, "total": 14, "blind": ["kraken-old", "okx-sub3", "gate-2"], "url": "#seen"}


@register.simple_tag
def sample_page() -> Page[int]:
    """Return the second of several pages."""
    return Paginator(range(1_204), 50).page(2)


@register.simple_tag
def sample_form() -> forms.Form:
    """Return a form that was sent with one field missing."""
    return _SampleForm({"label": "main", "venue": "okx", "is_watched": "on"})
