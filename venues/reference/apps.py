"""App configuration of the local venue."""

from django.apps import AppConfig


class ReferenceConfig(AppConfig):
    name = "venues.reference"
    label = "reference"
