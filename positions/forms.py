"""Forms of the pages; what they mean is decided by the services they hand it to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms

from positions.alerts.base import Channel
from riskhub.teams.models import Role
from riskhub.teams.tokens import Scope
from venues import entry, services
from venues.base import REGISTRY, VenueAdapter
from venues.errors import BadAccount

Given = TypeVar("Given")
Kept = TypeVar("Kept")
ROLES = {
    Role.VIEWER: "viewer: looks",
    Role.TRADER: "trader: looks and changes",
    Role.OWNER: "owner: changes members, too",
}
# Secret fields by the name of their form field: a venue may call one "wallet" or "label".
SECRET = "secret-"  # noqa: S105 - a prefix
_WALLET = "walletAddress"
_LABELS = {
    "apiKey": "API key",
    "secret": "Secret",
    "password": "Passphrase",
    "privateKey": "Private key",
    _WALLET: "Wallet address",
    "accountId": "Account id",
}
_HINTS = {
    "apiKey": "Of a key that may only read.",
    "password": "The passphrase chosen when the key was made.",
    "privateKey": "Signs requests to read. Prefer a key made for this alone.",
}


def venue_choices() -> list[tuple[str, str]]:
    """Return the venues an account may be added at, by name; simulated ones are made elsewhere."""
    found = [(slug, venue.label) for slug, venue in REGISTRY.items() if not venue.is_simulated]
    return sorted(found, key=lambda pair: pair[1].lower())


class SecretsForm(forms.Form):
    """The secret fields of one venue; what was typed into them is never shown again."""

    def __init__(self, *args: Any, adapter: VenueAdapter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.adapter = adapter
        for name in adapter.credentials:
            self.fields[SECRET + name] = self._secret_field(name)

    def _secret_field(self, name: str) -> forms.CharField:
        label = _LABELS.get(name, name)
        return forms.CharField(
            label=label,
            required=self._is_needed(),
            strip=True,
            help_text=_HINTS.get(name, ""),
            widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            error_messages={"required": f"{self.adapter.label} needs this: {label}."},
        )

    def _is_needed(self) -> bool:
        return True

    def _secrets(self) -> list[str]:
        return [name for name in self.fields if name.startswith(SECRET)]

    def credentials(self) -> dict[str, str]:
        """Return the secrets that were typed, by the venue's names."""
        typed = {name: self.cleaned_data.get(name, "") for name in self._secrets()}
        return {name.removeprefix(SECRET): value for name, value in typed.items() if value}


class KeyForm(SecretsForm):
    """Another key for an account: every secret field, for they belong together."""


class AccountForm(SecretsForm):
    """An account at one venue: its fields are the ones that the venue needs."""

    venue = forms.ChoiceField()
    label = forms.CharField(
        help_text="How you will find this account again.",
        error_messages={"required": "Give the account a label, a short name of your own."},
    )
    wallet = forms.CharField(
        label="Wallet address",
        help_text="The public address, never a private key.",
        required=False,
    )
    environment = forms.CharField(
        label="Base URL",
        required=False,
        help_text="Only for a proxy or a testnet: replaces the venue's own hosts.",
    )
    options = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, adapter: VenueAdapter, **kwargs: Any) -> None:
        super().__init__(*args, adapter=adapter, **kwargs)
        venue = self.fields["venue"]
        venue.choices = venue_choices()  # type: ignore[attr-defined]
        venue.initial = adapter.slug
        if not self._takes_wallet():
            del self.fields["wallet"]
        # The same address, asked for once, where it can be read while it is typed.
        self.fields.pop(SECRET + _WALLET, None)
        known = " ".join(option.words for option in adapter.account_options)
        self.fields["options"].help_text = f"One NAME=VALUE a line. {known}"
        self.order_fields(["venue", "label", "wallet", *self._secrets(), "environment", "options"])

    def _is_needed(self) -> bool:
        return not self.adapter.needs_wallet

    def _takes_wallet(self) -> bool:
        return self.adapter.needs_wallet or _WALLET in self.adapter.credentials

    def credentials(self) -> dict[str, str]:
        """Return the secrets that were typed, by the venue's names, with the wallet they are of."""
        typed = super().credentials()
        wallet = self.cleaned_data.get("wallet", "")
        is_part = _WALLET in self.adapter.credentials and wallet and (typed or self._is_needed())
        return {**typed, _WALLET: wallet} if is_part else typed

    def full_clean(self) -> None:
        """Check all fields, and forget what is secret though it was typed where all is shown."""
        super().full_clean()
        for name in ("label", "wallet", "environment", "options"):
            text = self.data.get(name, "")
            parts = [text, *text.replace("=", "\n").split("\n")]
            if any(services.is_private(part) for part in parts):
                self.data = {**dict(self.data.items()), name: ""}

    def clean_label(self) -> str:
        return _checked(services.check_label, self.cleaned_data["label"])

    def clean_wallet(self) -> str:
        wallet = self.cleaned_data["wallet"]
        if self._takes_wallet() and not wallet.strip():
            raise forms.ValidationError(f"{self.adapter.label} needs the wallet address.")
        return _checked(lambda text: services.check_wallet(text, adapter=self.adapter), wallet)

    def clean_environment(self) -> str:
        return _checked(services.check_base_url, self.cleaned_data["environment"])

    def clean_options(self) -> dict[str, Any]:
        lines = [line.strip() for line in self.cleaned_data["options"].splitlines()]
        given = _checked(entry.read_options, [line for line in lines if line])
        return _checked(lambda it: services.check_options(it, adapter=self.adapter), given)


def _checked(check: Callable[[Given], Kept], value: Given) -> Kept:
    """Run a service's own check, so that its sentence stands at the field."""
    try:
        return check(value)
    except BadAccount as error:
        raise forms.ValidationError(str(error)) from None


class ChannelForm(forms.Form):
    """A channel of one kind: its fields are the ones that the kind declares."""

    label = forms.CharField(
        max_length=60,
        help_text="How you will find this channel again.",
        error_messages={"required": "Give the channel a label, a short name of your own."},
    )

    def __init__(self, *args: Any, channel: type[Channel], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.channel = channel
        for name in channel.config_fields:
            self.fields[name] = self._config_field(name)

    def _config_field(self, name: str) -> forms.CharField:
        label, hint = self.channel.words.get(name, (name, ""))
        is_secret = name in self.channel.secret_fields
        return forms.CharField(
            label=label,
            help_text=hint,
            max_length=1000,
            required=name not in self.channel.makers,
            widget=_secret_input() if is_secret else forms.TextInput(),
            error_messages={"required": f"{self.channel.label} needs this: {label}."},
        )

    def config(self) -> dict[str, str]:
        """Return what was typed, without what was left empty."""
        typed = {name: self.cleaned_data[name] for name in self.channel.config_fields}
        return {name: value for name, value in typed.items() if value}


def _secret_input() -> forms.PasswordInput:
    return forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"})


class MemberForm(forms.Form):
    """A person to let into the team."""

    username = forms.CharField(
        label="Name",
        max_length=150,
        help_text="They sign in with it. A login that is there already is let in as it is.",
        error_messages={"required": "Give the name that the person signs in with."},
    )
    role = forms.ChoiceField(
        choices=[(role.value, words) for role, words in ROLES.items()], initial=Role.VIEWER
    )


class TokenForm(forms.Form):
    """A REST token."""

    label = forms.CharField(
        max_length=80,
        help_text="The program that will use it.",
        error_messages={"required": "Give the token a label, such as the program's name."},
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=3650,
        required=False,
        label="Days until it expires",
        help_text="Empty: it does not expire.",
    )
    may_write = forms.BooleanField(required=False, label="It may change things, too")

    def scopes(self) -> list[str]:
        """Return the scopes that were asked for; every token may read."""
        return [Scope.READ, *([Scope.WRITE] if self.cleaned_data["may_write"] else [])]
