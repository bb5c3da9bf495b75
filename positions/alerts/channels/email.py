"""Mail in text and HTML, through the server that EMAIL_URL names."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import EmailValidator
from django.template.loader import render_to_string

from positions.alerts.base import Channel, Config, DeliveryError, Message
from riskhub import formatting

_SUBJECT_LENGTH = 180
# 4xx asks to come again later (greylisting), 5xx refuses for good.
_REFUSED = 500
_check_address = EmailValidator(allowlist=["localhost"])


class Email(Channel):
    """Sends to one or more addresses, separated by commas."""

    kind = "email"
    label = "Email"
    config_fields = ("to",)
    words: ClassVar[Mapping[str, tuple[str, str]]] = {
        "to": ("Addresses", "One or more, separated by commas."),
    }
    help = "Mail in text and HTML, through the mail server of this installation."

    def find_problem(self, config: Config) -> str:
        addresses = _split(config.get("to", ""))
        try:
            for address in addresses:
                _check_address(address)
        except ValidationError:
            return "Each address must look like name@host."
        return "" if addresses else "Give at least one address."

    def send(self, message: Message, config: Config) -> None:
        mail = _compose(message, to=_split(config["to"]))
        try:
            mail.send()
        except smtplib.SMTPRecipientsRefused as refusal:
            # One answer for each address; a temporary one makes the whole worth another try.
            codes = [code for code, _ in refusal.recipients.values()]
            raise _failure(min(codes)) from None
        except smtplib.SMTPResponseException as refusal:
            raise _failure(refusal.smtp_code) from None
        except (smtplib.SMTPException, OSError) as error:
            kind = type(error).__name__
            raise DeliveryError(
                f"The mail server could not be reached ({kind}).", retryable=True
            ) from None


def _failure(code: int) -> DeliveryError:
    return DeliveryError(f"The mail server answered {code}.", retryable=code < _REFUSED)


def _compose(message: Message, *, to: list[str]) -> EmailMultiAlternatives:
    context = _context(message)
    # A header is one line; whatever breaks lines in a symbol or a label does not reach it.
    subject = " ".join(render_to_string("alerts/mail/subject.txt", context).split())
    mail = EmailMultiAlternatives(
        subject="".join(char for char in subject if char.isprintable())[:_SUBJECT_LENGTH],
        body=render_to_string("alerts/mail/body.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=to,
        headers={
            "Message-ID": f"<{message.id}@riskhub.invalid>",
            "X-RiskHub-Message": message.id,
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("alerts/mail/body.html", context), "text/html")
    return mail


def _context(message: Message) -> dict[str, Any]:
    data = message.payload["data"]
    why = data.get("why", {})
    return {
        "data": data,
        "as_of": _when(why.get("as_of")),
        "price_as_of": _when(why.get("price_as_of")),
        "scopes": [
            {**scope, "seen": _when(scope["seen_at"]) if scope["seen_at"] else "never"}
            for scope in why.get("scopes", [])
        ],
    }


def _when(instant: str | None) -> str:
    return formatting.timestamp(datetime.fromisoformat(instant) if instant else None)


def _split(addresses: str) -> list[str]:
    return [part.strip() for part in addresses.split(",") if part.strip()]
