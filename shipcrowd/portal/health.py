"""`/healthz`: whether this machine can serve and whether somebody works. Ids, ages and counts only: anybody may ask."""

from datetime import timedelta
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shipcrowd import queue, work
from shipcrowd.work import database_now

DUE_WAITS_AT_MOST = timedelta(minutes=10)


@require_safe
@never_cache
def healthz(_request: HttpRequest) -> JsonResponse:
    """200 while the database answers, each cluster was seen lately and no due work waits long; else 503."""
    try:
        found = _look()
    except DatabaseError:
        return JsonResponse({"ok": False, "database": False}, status=503)
    is_well = not found["missing_workers"] and found["oldest_due_s"] <= DUE_WAITS_AT_MOST.total_seconds()
    return JsonResponse({"ok": is_well, "database": True, **found}, status=200 if is_well else 503)


def _look() -> dict[str, Any]:
    now = database_now()
    missing = [cluster for cluster, is_alive in queue.clusters_alive(now).items() if not is_alive]
    return {"missing_workers": missing, "oldest_due_s": round(work.longest_wait().total_seconds(), 1)}
