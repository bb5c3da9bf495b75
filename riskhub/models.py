"""What belongs to the installation itself and to no team."""

from django.db import models


class Heartbeat(models.Model):
    """The last time a cycle came round."""

    cycle = models.CharField(max_length=30, primary_key=True)
    at = models.DateTimeField()
