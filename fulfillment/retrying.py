"""A person's retry of work that ended, or that waits longer than they like: the same rows, so that nothing is sent
twice.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from fulfillment import queries
from fulfillment.models import RETRIED, EffectRow, PrintJob
from orders import timeline
from sellers.models import Seller, User
from shipcrowd import audit, queue, work
from shipcrowd.tenancy import require_scope
from shipcrowd.work import State


def retry(*, seller: Seller, row_ids: Collection[UUID], by: User) -> int:
    """Makes these work rows due now; how many were taken up. What is in doubt is read back before anything is sent.

    Rules are not asked here: a row looks at its shipment when its turn comes, and ends with words when it may not be
    sent.
    """
    require_scope(seller)
    taken_up = 0
    with transaction.atomic():
        chosen = _chosen(seller, row_ids)
        # All at once: kind by kind, an ingest that holds one of the next kind would wait for one of this.
        queries.lock_shipments(seller.pk, {key for rows in chosen for key in _shipments(rows)})
        for rows in chosen:
            # A print job that was withdrawn claims nothing any more: its shipments are free for another.
            but = (State.DONE, State.WITHDRAWN) if isinstance(rows[0], PrintJob) else (State.DONE,)
            count = work.sent_again_by_hand(rows, by_id=by.pk, but=but) + _woken(rows)
            if not count:
                continue
            taken_up += count
            timeline.note(seller.pk, _shipments(rows), rows[0].KIND, _("retried by a person"), by=by)
            audit.record(by, f"retried {rows[0].KIND}", seller=seller, rows=rows)
            queue.ring(seller.pk, rows[0].KIND)
    return taken_up


def _chosen(seller: Seller, row_ids: Collection[UUID]) -> list[list[EffectRow | PrintJob]]:
    """The chosen rows of each kind that has any."""
    found = [model._default_manager.filter(seller=seller, public_id__in=row_ids).order_by("pk") for model in RETRIED]
    return [list(rows) for rows in found if rows]


def _shipments(rows: Sequence[EffectRow | PrintJob]) -> list[int]:
    return [row.shipment_id for row in rows if not isinstance(row, PrintJob)]


def _woken(rows: Sequence[EffectRow | PrintJob]) -> int:
    """Those that only wait have their turn now; what a worker has in hand is left alone.

    What was read back once and not found keeps its grace: Flipkart may still be at it, and it would be sent twice.
    """
    waiting = type(rows[0]).objects.filter(pk__in=[row.pk for row in rows], wake_at__gt=Now())
    was_looked_for = Q(state=State.UNKNOWN, read_backs__gt=0)
    return waiting.filter(state__in=(State.DUE, State.UNKNOWN)).update(
        wake_at=Case(When(was_looked_for, then=F("wake_at")), default=Now()),
        give_up_at=Now() + settings.GIVE_UP_AFTER,
    )
