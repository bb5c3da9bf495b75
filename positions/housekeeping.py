"""Delete what has outlived its use, in small steps that hold no lock for long."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Func, IntegerField, Model, QuerySet, Window
from django.db.models.functions import RowNumber

from positions.models import Poll, RawAnswer, Reading

_STEP = 2000
# Readings of the last day are kept one by one; of earlier days one in five minutes.
_DENSE = timedelta(days=1)
_THIN_S = 300


def keep_house(*, now: datetime) -> dict[str, int]:
    """Delete expired answers, readings and polls, and thin older readings; returns the counts."""
    history = now - timedelta(days=settings.HISTORY_DAYS)
    raw = now - timedelta(hours=settings.RAW_HOURS)
    return {
        "raw_answers": _delete(RawAnswer.objects.filter(received_at__lt=raw)),
        "readings": _delete(Reading.objects.filter(received_at__lt=history)),
        "thinned": _delete(_thinnable(now)),
        "polls": _delete(Poll.objects.filter(committed_at__lt=max(history, now - 7 * _DENSE))),
    }


def _delete(rows: QuerySet[Model]) -> int:
    """Delete at most some steps' worth; the next round goes on."""
    total = 0
    for _ in range(20):
        ids = list(rows.values_list("pk", flat=True)[:_STEP])
        if not ids:
            break
        total += rows.model._default_manager.filter(pk__in=ids).delete()[0]
    return total


class _Bucket(Func):
    """Whole five-minute intervals since the epoch, in both databases."""

    output_field = IntegerField()

    def as_sqlite(self, compiler, connection, **context):  # type: ignore[no-untyped-def]
        template = f"(CAST(strftime('%%s', %(expressions)s) AS INTEGER) / {_THIN_S})"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler, connection, **context):  # type: ignore[no-untyped-def]
        template = f"FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / {_THIN_S})::bigint"
        return self.as_sql(compiler, connection, template=template, **context)


def _thinnable(now: datetime) -> QuerySet[Reading]:
    """Readings between one and two days old that are not the first of their five minutes."""
    window = Reading.objects.filter(
        received_at__lt=now - _DENSE, received_at__gte=now - 2 * _DENSE
    ).annotate(
        place=Window(
            RowNumber(),
            partition_by=[F("position_id"), _Bucket(F("received_at"))],
            order_by=F("received_at").asc(),
        )
    )
    return window.filter(place__gt=1)
