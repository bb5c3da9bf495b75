"""Tags for positions: a figure of a row by its name, and the badges of a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from django import template
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString

from positions.live_cells import TAGGED, Shown
from positions.pages.phrases import Phrase
from positions.templatetags.risk import badge, figure

register = template.Library()


@register.simple_tag
def cell(
    shown: Shown,
    *,
    field: str = "",
    unit: str = "",
    is_tagged: bool | None = None,
    in_dollars: bool = False,
) -> SafeString:
    """Show a figure of a position with its source and reason.

    field      the name by which live.js finds it; the figure's own when none is given
    unit       set apart after the figure; amounts of money carry their own
    is_tagged  whether "ours" stands before what we computed; None: where the venue could say it
    in_dollars an amount in coins may never stand in its place, live neither
    """
    is_apart = unit and shown.form.name == "quantity" and shown.value is not None
    text = figure(
        shown.text if shown.is_beyond else shown.value,
        "text" if shown.is_beyond else shown.form.name,
        unit=shown.unit or ("" if is_apart else unit),
        digits=shown.form.digits,
        source=shown.source,
        reason=shown.reason,
        field=field or shown.name,
        is_tagged=shown.name in TAGGED if is_tagged is None else is_tagged,
        in_dollars=in_dollars,
    )
    # What live.js patches is the bare amount: its unit stands beside it, not in it.
    return format_html('{}<span class="figure-unit">{}</span>', text, unit) if is_apart else text


@register.simple_tag
def phrases_script(phrases: Mapping[str, Phrase]) -> SafeString:
    """Put a headline's phrases into the page, as static/js/headline.js reads them."""
    return json_script({key: asdict(phrase) for key, phrase in phrases.items()})


@register.simple_tag
def badges(kinds: Iterable[str]) -> SafeString:
    """Show badges beside each other."""
    return format_html_join(" ", "{}", ((badge(kind),) for kind in kinds))


@register.simple_tag
def state_badge(state: str, live_states: Iterable[str] = ()) -> SafeString:
    """Show the badge of a state that is not plain "open", so that live.js can change it.

    live_states  the states whose badges the page keeps in a <template>; "gone" is not among them
    """
    if state not in {*live_states, "gone"}:
        return SafeString("")
    return format_html('<span data-state-badge="{}">{}</span>', state, badge(state))
