"""What an effect's own outcome shows of a shipment's state, written down as if it had just been read."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import BooleanField, Case, Q, Value, When
from django.db.models.functions import Now

from orders.ingest import forget_fingerprints
from orders.models import Shipment
from orders.states import is_dispatched_or_later, rank
from shipcrowd.flipkart.types import State


def mark_shown(seller_id: int, shipment_ids: Collection[int], state: State, *, at: datetime) -> None:
    """The shipments are `state` at least, known at `at` (the database's clock); those further along stay as they are.

    Without it a shipment would look unpacked until its next read. A read that began before `at` may still bring the
    older state: it counts as older and is not taken; the next one compares anew, its fingerprint being gone. Not a
    reading: what else may have changed (a hold, a cancellation) is as stale as before. In the caller's scope, the
    shipments locked.
    """
    earlier = [other for other in State if (rank(other) is not None) and (rank(other) or 0) < (rank(state) or 0)]
    moved = list(
        Shipment.objects.filter(seller_id=seller_id, pk__in=shipment_ids, state__in=earlier).values_list(
            "pk", flat=True
        )
    )
    if not moved:
        return
    forget_fingerprints(moved)
    rows = Shipment.objects.filter(seller_id=seller_id, pk__in=moved)
    rows.update(state=state, state_word=state.value, state_changed_at=Now(), read_began_at=at)
    if is_dispatched_or_later(state):
        is_late = Case(
            When(dispatch_by_at__isnull=True, then=Value(None)),
            default=Q(dispatch_by_at__lt=at),
            output_field=BooleanField(),
        )
        rows.filter(dispatched_at=None).update(dispatched_at=at, was_dispatched_late=is_late)
