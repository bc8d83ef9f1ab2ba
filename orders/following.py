"""Shipments are followed by their ids until delivered, at a pace that grows with their age (rules.follow_pace)."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from orders import cursors, reading
from orders.models import FollowCursor, Reading, Shipment
from orders.polling import growing_pause
from sellers import gateway
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport.errors import CallFailed, Throttled
from shipcrowd.work import database_now

# One run of the task: others wait for its worker.
CALLS_A_RUN = 5
# Not for each shipment by itself: what comes due within a minute goes together.
SOONEST, LATEST = timedelta(minutes=1), timedelta(minutes=15)


def work_due(*, seller_id: int) -> bool:
    """One run: up to five full batches that are due, then missing details; True when more is due now.

    Outside of any scope. A call that fails ends the run with its words on the cursor.
    """
    cursor = cursors.claim(FollowCursor, seller_id)
    if cursor is None:
        return False
    try:
        client = gateway.client_for(seller_id, for_polling=True)
    except gateway.ReadingIsOff as error:
        cursors.release(cursor, after=settings.POLL_EVERY, says=error.says[:300])
        return False
    except gateway.NotConnected as error:
        cursors.release(cursor, after=None, says=str(error)[:300])
        return False
    except CallFailed as error:
        return _put_off(cursor, error)
    due, is_more_due = _due(seller_id, client)
    again = reading.read_again(seller_id=seller_id, shipments=due, client=client)
    if again.failed:
        return _put_off(cursor, again.failed)
    with seller_scope(seller_id):
        if not cursors.keep(cursor):
            return False
    details = reading.fetch_details(seller_id=seller_id, client=client, most_calls=CALLS_A_RUN)
    if details.failed:
        gateway.heard(seller_id, details.failed)
        return _put_off(cursor, details.failed)
    is_more_due = is_more_due or details.is_more_waiting
    after = timedelta(0) if is_more_due else _until_next(seller_id)
    return cursors.release(cursor, after=after, failures_in_a_row=0, says="") and is_more_due


def _due(seller_id: int, client: FlipkartClient) -> tuple[list[Shipment], bool]:
    """Shipments to read now, and whether more are due. The last batch is filled with those that come due next."""
    size = client.limits.ids
    with seller_scope(seller_id):
        following = Reading.objects.filter(seller_id=seller_id, follow_at__isnull=False).order_by("follow_at", "pk")
        due = following.filter(follow_at__lte=Now()).values_list("pk", flat=True)[: size * CALLS_A_RUN + 1]
        calls = min(-(-len(due) // size), CALLS_A_RUN)
        keys = list(following.values_list("shipment_id", flat=True)[: size * calls])
        return list(Shipment.objects.filter(seller_id=seller_id, pk__in=keys)), len(due) > size * CALLS_A_RUN


def _until_next(seller_id: int) -> timedelta:
    with seller_scope(seller_id):
        at = cursors.next_follow_at(seller_id)
    return LATEST if at is None else min(max(at - database_now(), SOONEST), LATEST)


def _put_off(cursor: FollowCursor, error: CallFailed) -> bool:
    """Later, with the reason on the cursor; nothing is due now."""
    is_throttled = isinstance(error, Throttled)
    failures = cursor.failures_in_a_row + (0 if is_throttled else 1)
    pause = max(growing_pause(error, max(failures, 1)), SOONEST if is_throttled else timedelta(0))
    cursors.release(cursor, after=pause, failures_in_a_row=failures, says=str(error)[:300])
    return False
