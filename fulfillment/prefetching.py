"""Labels ahead of time: at a facility's own time of day they are asked for what must leave with its next pickup.

In the order of their deadlines, and within the quota as all label requests. Off until an owner gives the time.
"""

from datetime import datetime, time, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from fulfillment import labels, queries
from fulfillment.models import Prefetch
from orders import queries as orders
from orders.queries import Filters
from orders.rules import leaves_with_next_pickup
from orders.stages import Stage
from sellers.models import Facility
from shipcrowd.flipkart.times import INDIAN_TIME
from shipcrowd.tenancy import require_scope, seller_scope
from shipcrowd.work import database_now


def set_time(facility: Facility) -> None:
    """A facility was saved (settings.ON_FACILITY_SAVED): its next turn is at its time, or never."""
    require_scope(facility.seller_id)
    at = facility.prefetch_at
    wake_at = next_time(at, timezone.now()) if at else None
    known = Prefetch.objects.filter(seller_id=facility.seller_id, facility=facility)
    if not known.update(wake_at=wake_at) and wake_at:
        Prefetch.objects.create(seller_id=facility.seller_id, facility=facility, wake_at=wake_at)


def next_time(at: time, now: datetime) -> datetime:
    """When it is next `at` in India, after `now`. Pure."""
    today = datetime.combine(now.astimezone(INDIAN_TIME).date(), at, INDIAN_TIME)
    return today if today > now else today + timedelta(days=1)


def work_due(*, seller_id: int) -> bool:
    """One facility's turn, all in one transaction: it asks nobody outside. True when there may be more."""
    with seller_scope(seller_id):
        due = Prefetch.objects.filter(seller_id=seller_id, wake_at__lte=database_now()).order_by("wake_at", "pk")
        row = due.select_for_update(skip_locked=True, of=("self",)).select_related("facility", "seller").first()
        if row is None:
            return False
        now = timezone.now()
        asked = _request(row, now)
        at = row.facility.prefetch_at
        Prefetch.objects.filter(pk=row.pk).update(
            wake_at=next_time(at, now) if at else None, last_at=now, last_asked=asked
        )
    return True


def _request(row: Prefetch, now: datetime) -> int:
    place = row.facility
    waiting = orders.shipments(row.seller, Filters(stage=Stage.TO_LABEL, facilities=[place.pk]), now)
    leaving = [
        shipment.pk
        for shipment in queries.without_label_request(waiting)
        if leaves_with_next_pickup(shipment.dispatch_by_at, place.pickup_times, place.holidays, now)
    ]
    outcome = labels.request_labels(
        seller=row.seller, shipment_ids=leaving, by=None, now=now, why=_("due by the next pickup")
    )
    return outcome.accepted
