"""App configuration."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "positions.alerts"
    label = "alerts"

    def ready(self) -> None:
        from positions.alerts import registry

        registry.load()
