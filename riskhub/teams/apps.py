"""App configuration."""

from django.apps import AppConfig


class TeamsConfig(AppConfig):
    name = "riskhub.teams"
    label = "teams"
