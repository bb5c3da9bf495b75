"""App configuration: measures register themselves on start."""

from django.apps import AppConfig


class PositionsConfig(AppConfig):
    name = "positions"

    def ready(self) -> None:
        from positions.risk import registry

        registry.load()
