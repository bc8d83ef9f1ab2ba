"""A warehouse's day in a few words: shipments come in, work is done as time passes, and what is here is told."""

from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from fulfillment import dispatch, labels, printing
from fulfillment.models import Dispatch, Document, FormAcknowledgement, LabelRequest, PrintJob, SellerCancellation
from orders.ingest import ingest
from orders.models import Reading, Shipment, TimelineEntry
from orders.outcome import Outcome
from sellers import gateway
from sellers.models import Quota, Seller, User
from shipcrowd import queue, work
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import WorkRow
from tests import factories
from tests.factories import as_ops

KINDS = ("labels", "dispatches", "print_jobs", "hand_overs", "cancellations", "form_acks")
WAITING = (LabelRequest, Dispatch, PrintJob, SellerCancellation, FormAcknowledgement)


def take_in(seller: Seller, shipment_ids: Sequence[str]) -> list[Shipment]:
    """What polling would have brought, read just now."""
    client = gateway.client_for(seller.pk)
    for start in range(0, len(shipment_ids), client.limits.ids):
        began = work.database_now()
        page = client.fetch_shipments(shipment_ids[start : start + client.limits.ids])
        with seller_scope(seller):
            ingest(seller_id=seller.pk, shipments=page.shipments, read_began_at=began)
    return as_ops(Shipment, seller=seller, flipkart_shipment_id__in=list(shipment_ids))


def drain() -> int:
    """Does all that is due now of this app's work; how many batches. What goes wrong comes out."""
    batches = 0
    for _ in range(200):
        due = [(seller_id, kind) for seller_id, kind in work.look_for_due() if kind in KINDS]
        if not due:
            return batches
        for seller_id, kind in due:
            queue.work_batch(seller_id=seller_id, kind=kind)
            batches += 1
    raise AssertionError("the work does not come to an end")


def wait(clock, **span: float) -> None:
    """Time passes, at Flipkart and here, and what wants to wake up does."""
    clock.pass_(**span)
    factories.wake(*WAITING)


def read_long_ago() -> None:
    """Everything was last read more than five minutes ago."""
    with factories.ops():
        Reading.objects.update(read_at=timezone.now() - timedelta(minutes=6))


def spend_quota(seller: Seller) -> None:
    """Nothing may be asked of Flipkart for an hour."""
    with factories.ops():
        Quota.objects.filter(seller=seller).update(closed_until=timezone.now() + timedelta(hours=1))


def refill_quota(seller: Seller) -> None:
    with factories.ops():
        Quota.objects.filter(seller=seller).update(left=1000, closed_until=None)


def work_on(clock, *, looks: int = 12, seconds: float = 6) -> None:
    """Works until everything has ended or only wants to wait for longer than `looks` times `seconds`."""
    drain()
    for _ in range(looks):
        if not [row for model in WAITING for row in as_ops(model, wake_at__isnull=False)]:
            return
        wait(clock, seconds=seconds)
        drain()


def ask_labels(seller: Seller, shipments: Sequence[Shipment], by: User) -> Outcome:
    with seller_scope(seller):
        return labels.request_labels(seller=seller, shipment_ids=keys(shipments), by=by, now=timezone.now())


def ask_dispatch(seller: Seller, shipments: Sequence[Shipment], by: User) -> Outcome:
    with seller_scope(seller):
        return dispatch.request_dispatch(seller=seller, shipment_ids=keys(shipments), by=by, now=timezone.now())


def ask_print(seller: Seller, shipments: Sequence[Shipment], by: User, **options) -> PrintJob:
    with seller_scope(seller):
        return printing.request_print(seller=seller, shipment_ids=keys(shipments), by=by, now=timezone.now(), **options)


def keys(shipments: Sequence[Shipment]) -> list[int]:
    return [shipment.pk for shipment in shipments]


def states(model: type[WorkRow], **filters) -> list[str]:
    return [row.state for row in as_ops(model, **filters)]


def only(model, **filters):
    (row,) = as_ops(model, **filters)
    return row


def papers(shipment: Shipment) -> list[Document]:
    return as_ops(Document, shipment=shipment)


def told(shipment: Shipment) -> list[str]:
    """The lines of its timeline, oldest first."""
    return [entry.says for entry in as_ops(TimelineEntry, shipment=shipment)]
