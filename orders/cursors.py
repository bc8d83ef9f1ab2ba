"""Whose turn it is to read a connection: a cursor is held under a lease, by a token that every later write must hold.

So a worker that stood still while its lease ended writes nothing more, and a seller is never polled twice at once.
"""

import uuid
from datetime import datetime, timedelta
from typing import TypeVar, cast

from django.conf import settings
from django.db.models import Min
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from orders.models import Cursor, FollowCursor, Reading
from sellers.models import Standing
from shipcrowd.tenancy import seller_scope

CursorT = TypeVar("CursorT", bound=Cursor)


def claim(model: type[CursorT], seller_id: int) -> CursorT | None:
    """The seller's cursor when it is due and in nobody's hand, now ours until the lease ends. Opens its own scope."""
    token = uuid.uuid4()
    with seller_scope(seller_id):
        due = model._default_manager.filter(seller_id=seller_id, wake_at__lte=Now())
        if not due.update(token=token, wake_at=_lease_end()):
            return None
        return cast(CursorT, model._default_manager.get(seller_id=seller_id, token=token))


def keep(cursor: Cursor, **values: object) -> bool:
    """Store `values` and begin the lease anew, in the caller's scope; False when it has passed to somebody else."""
    return bool(_ours(cursor).update(wake_at=_lease_end(), **values))


def release(cursor: Cursor, *, after: timedelta | None, **values: object) -> bool:
    """Free again and due `after` from now (None: never), in a scope of its own; False when it is not ours any more."""
    with seller_scope(cursor.seller_id):
        wake_at = None if after is None else Now() + after
        return bool(_ours(cursor).update(token=None, wake_at=wake_at, **values))


def wake_follower(seller_id: int) -> None:
    """New shipments are here: their details may be asked for. In the caller's scope."""
    FollowCursor.objects.filter(seller_id=seller_id, token__isnull=True, wake_at__isnull=False).update(wake_at=Now())


def wake(model: type[Cursor], seller_id: int) -> bool:
    """Due now, when the seller is connected and nobody is at it already; in the caller's scope."""
    free = model._default_manager.filter(seller_id=seller_id, connection__standing=Standing.CONNECTED, token=None)
    return bool(free.update(wake_at=Now()))


def next_follow_at(seller_id: int) -> datetime | None:
    """When the next shipment wants to be read again; in the caller's scope."""
    following = Reading.objects.filter(seller_id=seller_id, follow_at__isnull=False)
    at: datetime | None = following.aggregate(at=Min("follow_at"))["at"]
    return at


def _ours(cursor: Cursor):  # type: ignore[no-untyped-def]  # a queryset of whichever cursor it is
    return type(cursor)._default_manager.filter(pk=cursor.pk, seller_id=cursor.seller_id, token=cursor.token)


def _lease_end() -> CombinedExpression:
    return Now() + timedelta(seconds=settings.LEASE_SECONDS)
