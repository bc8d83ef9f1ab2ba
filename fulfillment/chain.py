"""Label and print: one press that takes each shipment as far as it can.

Labels are asked for where there are none, and what has come is printed once all of them are settled, or after a wait
that has an end. No worker waits meanwhile: the job looks again every few seconds. Where the seller has turned the full
chain on, what is printed is marked ready to dispatch at once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery, Value
from django.db.models.functions import Concat, Left
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment import claiming, labels, laying_out, presses, printing, queries, ways
from fulfillment.models import LabelRequest, PrintJob, PrintJobLine
from fulfillment.options import Options
from fulfillment.parcels import NoSize
from fulfillment.stacking import sheets_between
from orders import queries as orders
from orders.outcome import Outcome, by_reason
from sellers import switches
from sellers.models import Seller, User
from shipcrowd import work
from shipcrowd.tenancy import require_scope, seller_scope

LOOK_AGAIN = timedelta(seconds=3)
LEAST_WAIT, MOST_WAIT = timedelta(minutes=5), timedelta(hours=2)
# Flipkart's quota gives some 300 labels a minute; three times as long is given.
WAIT_A_LABEL = timedelta(seconds=0.6)
WARNING = gettext_lazy(
    "The full chain is on: what is printed is marked ready to dispatch at once. "
    "A parcel that is not packed when the courier comes counts as a false ready-to-dispatch against you."
)
NOT_COME = gettext_lazy("its label has not come yet")


def label_and_print(
    *,
    seller: Seller,
    shipment_ids: Sequence[int],
    by: User,
    now: datetime,
    options: Options,
    reprint_reason: str = "",
    member_id: int | None = None,
    once: UUID | None = None,
) -> PrintJob:
    """A print job that first waits for the labels of those shipments that have none; pressed twice it is one job."""
    require_scope(seller)
    with transaction.atomic():
        known = PrintJob.objects.filter(seller=seller, public_id=presses.row_id(seller, once)).first()
        if known is not None:
            return known
        labels.request_labels(seller=seller, shipment_ids=shipment_ids, by=by, now=now)
        job = printing.request_print(
            seller=seller,
            shipment_ids=shipment_ids,
            by=by,
            now=now,
            options=options,
            reprint_reason=reprint_reason,
            member_id=member_id,
            once=once,
        )
        own = PrintJob.objects.filter(pk=job.pk)
        own.update(
            labels_until=now + patience(len(shipment_ids)),
            then_dispatch=ways.of(seller).is_full_chain and options.prints_labels,
        )
    job.refresh_from_db()
    return job


def preview(*, seller: Seller, shipment_ids: Sequence[int], now: datetime, options: Options | None = None) -> Outcome:
    """How many these options would print, those that are labelled first counted in; writes nothing."""
    require_scope(seller)
    options = options or Options()
    shipments = list(orders.chosen(seller, shipment_ids))
    ids = [shipment.pk for shipment in shipments]
    asked = queries.label_requests(seller, ids)
    foreseen = laying_out.foreseen(seller.pk, shipments, options.layout, now)
    taken = claiming.why_taken(seller.pk, shipments, now) if options.prints_labels else {}
    against = labels.reasons(seller, shipments, asked, now)
    left_out, again, to_label, printed = [], 0, 0, []
    for shipment in shipments:
        request = asked.get(shipment.pk)
        is_coming = not shipment.label_stored_at and (
            (request is not None and request.is_open) or shipment.pk not in against
        )
        reason = None if is_coming else foreseen.get(shipment.pk)
        if reason and not shipment.label_stored_at:
            reason = against[shipment.pk]
        again += reason is None and shipment.pk in taken
        to_label += is_coming and shipment.pk not in taken
        if reason := reason or taken.get(shipment.pk):
            left_out.append((shipment, reason))
        else:
            printed.append(shipment)
    why_waits = switches.why_not_sending(seller) if to_label else ""
    return Outcome(
        accepted=len(printed),
        sheets_between=sheets_between(printed),
        first=to_label,
        left_out=by_reason(left_out),
        again=again,
        wants_sizes=any(isinstance(reason, NoSize) for _shipment, reason in left_out),
        warns=str(WARNING) if options.prints_labels and ways.of(seller).is_full_chain else "",
        waits=_("%(why)s: they wait") % {"why": why_waits} if why_waits else "",
    )


def patience(shipments: int) -> timedelta:
    """How long a job waits for so many labels at most. Pure."""
    return min(MOST_WAIT, LEAST_WAIT + shipments * WAIT_A_LABEL)


def wait_for_labels(job: PrintJob) -> bool:
    """True while the job must go on waiting: it is put off then. What has not come in time is left out in words.

    Opens its own scope.
    """
    if job.labels_until is None:
        return False
    with seller_scope(job.seller_id):
        lines = PrintJobLine.objects.filter(seller_id=job.seller_id, job=job, left_out="")
        missing = lines.filter(shipment__label_stored_at=None)
        requests = LabelRequest.objects.filter(seller_id=job.seller_id, shipment_id=OuterRef("shipment_id"))
        waiting = missing.filter(Exists(requests.filter(state__in=work.OPEN)))
        count = waiting.count()
        if count and timezone.now() < job.labels_until:
            come = lines.count() - missing.count()
            words = _("waiting for labels: %(come)d of %(count)d have come") % {"come": come, "count": come + count}
            work.put_off([job], after=LOOK_AGAIN, says=words)
            return True
        waiting.update(left_out=str(NOT_COME))
        ended = missing.filter(Exists(requests.exclude(says="")))
        before, _mark, behind = _("no label: %(why)s").partition("%(why)s")
        why = Concat(Value(before), Subquery(requests.values("says")[:1]), Value(behind))
        ended.update(left_out=Left(why, 300))
    return False
