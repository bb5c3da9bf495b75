"""The channel contract: what a channel declares, what it is given, how it fails; the registry.

A channel is one file in `positions/alerts/channels/`. It formats and sends; it never decides,
retries or touches the database.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar


class Config(dict[str, str]):
    """A channel's configuration with its secrets opened; its repr shows neither."""

    def __repr__(self) -> str:
        return f"Config({', '.join(sorted(self))}: …)"


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told.

    id            the same on every attempt
    payload       the versioned document of docs/webhooks.md
    attempted_at  the time of this attempt
    """

    id: str
    payload: Mapping[str, Any]
    attempted_at: datetime


class DeliveryError(Exception):
    """A message was not accepted; says how to react.

    retryable      the next attempt may succeed; otherwise the delivery is dead at once
    retry_after_s  the receiver asked for at least this pause, seconds
    disable        the receiver wants no more messages at all
    """

    def __init__(
        self,
        sentence: str,
        *,
        retryable: bool,
        retry_after_s: float | None = None,
        disable: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.disable = disable


class Channel(ABC):
    """One way to tell somebody. Subclasses register themselves by being defined.

    kind           as in the database
    label          as on pages
    config_fields  what a person fills in, in the order of the form
    secret_fields  those of them that are stored sealed and never shown again
    makers         those of the secrets that may be left empty, and what then makes one
    words          field -> its name and its hint on the form
    help           a sentence for the form: what it sends, and where
    """

    kind: ClassVar[str] = ""
    label: ClassVar[str] = ""
    config_fields: ClassVar[tuple[str, ...]] = ()
    secret_fields: ClassVar[tuple[str, ...]] = ()
    makers: ClassVar[Mapping[str, Callable[[], str]]] = {}
    words: ClassVar[Mapping[str, tuple[str, str]]] = {}
    help: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.kind in CHANNELS:
            raise ValueError(f"two channels call themselves {cls.kind!r}")
        CHANNELS[cls.kind] = cls

    @abstractmethod
    def find_problem(self, config: Config) -> str:
        """Return a sentence that says what is wrong with the configuration; "" when nothing is."""

    def find_refusal(self, config: Config) -> str:
        """Return why messages would not even leave, as far as can be told now; "" when they do."""
        return ""

    @abstractmethod
    def send(self, message: Message, config: Config) -> None:
        """Send; return when the receiver has accepted. Raises DeliveryError."""


CHANNELS: dict[str, type[Channel]] = {}
