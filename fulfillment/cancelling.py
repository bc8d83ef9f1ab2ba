"""Cancelling by the seller: what cannot be sent is cancelled at Flipkart before it is packed, all that is left of it.

An effect, sent at most once (`sending`); afterwards only the buyer and Flipkart can cancel. Source: wire.md 3.7.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment import queries, sending
from fulfillment.models import CancelReason, LabelRequest, SellerCancellation
from fulfillment.sending import Effect
from fulfillment.verdicts import CANCELLED, MAY_BE_DONE
from orders import queries as orders
from orders import rules, timeline
from orders.models import Shipment, ShipmentItem
from orders.outcome import Outcome, Split, split
from sellers import gateway, switches
from sellers.models import Seller, User
from shipcrowd import audit, queue, work
from shipcrowd.flipkart import types
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import Cancellation, Offer, State
from shipcrowd.tenancy import require_scope, seller_scope

KIND = SellerCancellation.KIND


def request_cancellation(
    *, seller: Seller, shipment_ids: Collection[int], reason: CancelReason, by: User, now: datetime
) -> Outcome:
    """Asks to cancel every shipment that may be; the others come back with their reason. Rings the bell.

    Pressed twice it asks nothing more; one that Flipkart refused is taken up again by the same row, for this reason.
    """
    require_scope(seller)
    with transaction.atomic():
        chosen = _split(seller, queries.lock_shipments(seller.pk, shipment_ids))
        sending.write_rows(SellerCancellation, chosen.new, by=by, now=now, values=lambda _shipment: {"reason": reason})
        again = [row.pk for row in chosen.taken_up_again]
        SellerCancellation.objects.filter(seller=seller, pk__in=again).update(reason=reason)
        work.sent_again_by_hand(chosen.taken_up_again, by_id=by.pk)
        if chosen.ready:
            ids = [shipment.pk for shipment in chosen.ready]
            words = _("cancellation asked for: %(why)s") % {"why": reason.value}
            timeline.note(seller.pk, ids, KIND, words, by=by)
            audit.record(by, "asked to cancel shipments", seller=seller, rows=ids, why=reason.value)
            queue.ring(seller.pk, KIND)
    return chosen.outcome(why_waits=switches.why_not_sending(seller))


def preview(*, seller: Seller, shipment_ids: Collection[int], **_asked: object) -> Outcome:
    """What a request for these shipments would do; writes nothing."""
    require_scope(seller)
    return _split(seller, orders.chosen(seller, shipment_ids)).outcome(why_waits=switches.why_not_sending(seller))


def why_not(shipment: Shipment, request: LabelRequest | None) -> str | None:
    """Why the seller may not cancel it, or None; `request` is that for its label. Pure."""
    return rules.why_not_cancel(shipment, is_being_labelled=request is not None and request.is_open)


def work_due(*, seller_id: int) -> bool:
    """One batch: sent, or read back. True when there may be more."""
    return sending.work_batch(CANCELLING, seller_id=seller_id)


def _split(seller: Seller, shipments: Iterable[Shipment]) -> Split[SellerCancellation]:
    shipments = list(shipments)
    ids = [shipment.pk for shipment in shipments]
    asked = queries.cancellations(seller, ids)
    labels = queries.label_requests(seller, ids)
    not_here = rules.why_not_here(gateway.abilities_of(seller.pk), Offer.CANCEL)
    return split(shipments, asked, lambda shipment, _row: not_here or why_not(shipment, labels.get(shipment.pk)))


def _cancellations(client: FlipkartClient, rows: Sequence[SellerCancellation]) -> dict[int, Cancellation | str]:
    """All groups of what is left of each shipment."""
    seller_id = rows[0].seller_id
    groups: dict[int, list[str]] = {row.shipment_id: [] for row in rows}
    with seller_scope(seller_id):
        items = ShipmentItem.objects.filter(seller_id=seller_id, shipment_id__in=groups.keys()).order_by("pk")
        for item in items:
            if not item.is_cancelled:
                groups[item.shipment_id].append(item.cancellation_group_id)
    not_here = rules.why_not_here(client.wire.ABILITIES, Offer.CANCEL)
    return {row.pk: not_here or _cancellation(row, groups[row.shipment_id]) for row in rows}


def _cancellation(row: SellerCancellation, groups: Sequence[str]) -> Cancellation | str:
    facility = row.shipment.facility
    if facility is None or not groups or not all(groups):
        return _("Flipkart did not say what of it belongs together: cancel it in Flipkart's own panel")
    return Cancellation(
        flipkart_shipment_id=row.shipment.flipkart_shipment_id,
        flipkart_location_id=facility.flipkart_location_id,
        cancellation_group_ids=tuple(dict.fromkeys(groups)),
        reason=types.CancelReason(row.reason),
    )


def _arrived(rows: Sequence[SellerCancellation], outside: bool) -> None:
    says = _("was cancelled at Flipkart already") if outside else _("cancelled at Flipkart by us")
    ours = work.done(rows, says=says)
    timeline.note(rows[0].seller_id, [row.shipment_id for row in rows if row.pk in ours], KIND, says)


CANCELLING = Effect(
    model=SellerCancellation,
    only=Q(),
    words=gettext_lazy("not cancelled: %(why)s"),
    payloads=_cancellations,
    send=lambda client, cancellations: client.cancel(cancellations),
    limit=lambda limits: limits.cancel,
    is_there=lambda state: state is State.CANCELLED,
    why_not=lambda shipment, _now: why_not(shipment, None),
    is_of_the_day=False,
    may_be_done=MAY_BE_DONE | CANCELLED,
    reads_after=True,
    arrived=_arrived,
)
