"""App configuration."""

from django.apps import AppConfig


class RiskhubConfig(AppConfig):
    name = "riskhub"

    def ready(self) -> None:
        # Celery tasks bind to this app in every process, web included.
        from riskhub import celery, checks  # noqa: F401
