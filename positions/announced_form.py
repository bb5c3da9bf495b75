"""The form of an announced change of a market's rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms

from positions.announced_terms import (
    LIMIT_NAMES,
    AnnouncementError,
    check_instants,
    collect_terms,
)
from venues.models import Market

_INSTANTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]
_NOT_AN_INSTANT = {"invalid": "Give a day and a time in UTC, such as 2026-12-01 08:00."}


def _instant(**options: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    messages = {**_NOT_AN_INSTANT, **options.pop("error_messages", {})}
    return forms.DateTimeField(
        widget=widget, input_formats=_INSTANTS, error_messages=messages, **options
    )


def _limit(label: str) -> forms.FloatField:
    return forms.FloatField(label=label, required=False)


class AnnouncementForm(forms.Form):
    """What a venue has announced; what is left empty does not change.

    now  the moment at which it is asked
    """

    effective_at = _instant(
        label="Comes into force (UTC)",
        error_messages={"required": "Say when it comes into force."},
    )
    tiers = forms.CharField(
        label="Maintenance table",
        required=False,
        strip=False,
        max_length=20_000,
        widget=forms.Textarea(
            attrs={"rows": 5, "spellcheck": "false", "placeholder": "0 0.4%\n50,000 0.5%"}
        ),
        help_text="One step a line: floor and rate, and its amount and highest leverage if told.",
    )
    max_leverage = _limit("Highest leverage")
    min_contracts = _limit("Smallest order, contracts")
    max_contracts = _limit("Largest order, contracts")
    min_notional = _limit("Smallest order value")
    funding_interval_h = forms.FloatField(label="Hours between fundings", required=False)
    delists_at = _instant(label="Trading ends (UTC)", required=False)
    note = forms.CharField(
        required=False, max_length=300, help_text="Where it was announced, for instance."
    )

    def __init__(self, *args: Any, market: Market, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.market, self.now = market, now
        self.terms: dict[str, dict[str, Any]] = {}

    def clean(self) -> dict[str, Any]:
        """Read all that is given; what cannot be a change is a sentence over the form."""
        values = super().clean() or {}
        if self.errors:
            return values
        try:
            self.terms = collect_terms(
                market=self.market,
                tiers=values.get("tiers", ""),
                limits={name: values.get(name) for name in LIMIT_NAMES},
                delists_at=values.get("delists_at"),
                funding_interval_h=values.get("funding_interval_h"),
            )
        except AnnouncementError as error:
            raise forms.ValidationError(str(error)) from None
        try:
            check_instants(terms=self.terms, effective_at=values["effective_at"], now=self.now)
        except AnnouncementError as error:
            self.add_error("effective_at", str(error))
        return values

    @property
    def is_at_once(self) -> bool:
        """Tell whether it comes into force without a wait; of a valid form."""
        return self.effective <= self.now

    @property
    def effective(self) -> datetime:
        """When it comes into force; of a valid form."""
        at: datetime = self.cleaned_data["effective_at"]
        return at
