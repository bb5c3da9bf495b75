"""Signed HTTP, as the Standard Webhooks specification says; see docs/webhooks.md."""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import ClassVar

from positions.alerts import http
from positions.alerts.base import Channel, Config, DeliveryError, Message

_KEY_BYTES = range(24, 65)


def make_secret() -> str:
    """Return a new signing secret of 32 random bytes."""
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


class Webhook(Channel):
    """Posts the payload with `webhook-id`, `webhook-timestamp` and `webhook-signature`."""

    kind = "webhook"
    label = "Webhook"
    config_fields = ("url", "secret")
    secret_fields = ("secret",)
    makers: ClassVar[Mapping[str, Callable[[], str]]] = {"secret": make_secret}
    words: ClassVar[Mapping[str, tuple[str, str]]] = {
        "url": ("URL", "Of the receiver; https, and an address of the public internet."),
        "secret": ("Signing secret", "Leave it empty and one is made, shown once."),
    }
    help = "Signed JSON, posted to a receiver of yours as docs/webhooks.md describes it."

    def find_problem(self, config: Config) -> str:
        try:
            http.read_url(config.get("url", ""))
        except DeliveryError as error:
            return str(error)
        keys = config.get("secret", "").split()
        if not keys or any(_key_length(key) not in _KEY_BYTES for key in keys):
            return 'The secret must be "whsec_" and 24 to 64 bytes in base64.'
        return ""

    def find_refusal(self, config: Config) -> str:
        return http.find_refusal(config.get("url", ""))

    def send(self, message: Message, config: Config) -> None:
        reply = http.post_signed(config["url"], message, secret=config["secret"])
        if not reply.is_accepted:
            raise DeliveryError(
                f"HTTP {reply.status}",
                retryable=reply.is_worth_retrying,
                retry_after_s=reply.retry_after_s,
                disable=reply.status == HTTPStatus.GONE,
            )


def _key_length(key: str) -> int:
    prefix, _, encoded = key.partition("_")
    try:
        return len(b64decode(encoded, validate=True)) if prefix == "whsec" else 0
    except ValueError:
        return 0
