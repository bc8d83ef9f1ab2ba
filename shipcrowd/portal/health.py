"""`/healthz`: whether this machine can serve and whether somebody works. Ids, ages and counts only: anybody may ask."""

from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shipcrowd import queue
from shipcrowd.tenancy import through_door
from shipcrowd.work import Due, database_now

DUE_WAITS_AT_MOST = timedelta(minutes=10)


@require_safe
@never_cache
def healthz(_request: HttpRequest) -> JsonResponse:
    """200 while the database answers, each cluster was seen lately and no work has been due for long; else 503."""
    try:
        found = _look()
    except DatabaseError:
        return JsonResponse({"ok": False, "database": False}, status=503)
    is_well = not found["missing_workers"] and found["oldest_due_s"] <= DUE_WAITS_AT_MOST.total_seconds()
    return JsonResponse({"ok": is_well, "database": True, **found}, status=200 if is_well else 503)


def _look() -> dict[str, Any]:
    now = database_now()
    missing = [cluster for cluster, is_alive in queue.clusters_alive(now).items() if not is_alive]
    oldest = through_door("due", "on", _oldest_due)
    return {
        "missing_workers": missing,
        "oldest_due_s": max(0.0, round((now - oldest).total_seconds(), 1)) if oldest else 0.0,
    }


def _oldest_due() -> datetime | None:
    """When the work that has waited longest became due, of all sellers and kinds."""
    tables = sorted(model._meta.db_table for model in apps.get_models() if issubclass(model, Due))
    oldest = ", ".join(f'(select min(wake_at) from "{table}")' for table in tables)  # noqa: S608 - names of our own tables
    with connection.cursor() as cursor:
        cursor.execute(f"select least({oldest})")
        found: datetime | None = cursor.fetchone()[0]
    return found
