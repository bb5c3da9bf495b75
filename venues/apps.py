"""App configuration: every adapter registers itself on start, without ccxt."""

from django.apps import AppConfig


class VenuesConfig(AppConfig):
    name = "venues"

    def ready(self) -> None:
        from venues import registry

        registry.load()
