"""Cancelling by the seller: what cannot be sent is cancelled at Flipkart before it is packed, all of it or a part.

The parts are Flipkart's cancellation groups: items that go together or not at all. An effect, sent at most once
(`sending`); afterwards only the buyer and Flipkart can cancel. Source: wire.md 3.7.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment import queries, sending
from fulfillment.models import CancelReason, LabelRequest, SellerCancellation, Step
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What goes together: Flipkart's group, and what lies in it."""

    group_id: str
    items: Sequence[ShipmentItem]


def request_cancellation(
    *,
    seller: Seller,
    shipment_ids: Collection[int],
    reason: CancelReason,
    by: User,
    now: datetime,
    group_ids: Sequence[str] = (),
) -> Outcome:
    """Asks to cancel every shipment that may be; the others come back with their reason. Rings the bell.

    `group_ids` are the parts of one shipment; without them all that is left of each is cancelled. Pressed twice it asks
    nothing more; one that Flipkart refused is taken up again by the same row, for this reason and these parts.
    """
    require_scope(seller)
    what = {"reason": reason, "group_ids": list(group_ids)}
    with transaction.atomic():
        chosen = _split(seller, queries.lock_shipments(seller.pk, shipment_ids))
        sending.write_rows(SellerCancellation, chosen.new, by=by, now=now, values=lambda _shipment: what)
        again = [row.pk for row in chosen.taken_up_again]
        SellerCancellation.objects.filter(seller=seller, pk__in=again).update(**what)
        work.sent_again_by_hand(chosen.taken_up_again, by_id=by.pk)
        if chosen.ready:
            ids = [shipment.pk for shipment in chosen.ready]
            words = (
                _("cancelling a part of it asked for: %(why)s") if group_ids else _("cancellation asked for: %(why)s")
            )
            words %= {"why": reason.value}
            timeline.note(seller.pk, ids, KIND, words, by=by)
            audit.record(by, "asked to cancel shipments", seller=seller, rows=ids, why=reason.value)
            queue.ring(seller.pk, KIND)
    return chosen.outcome(why_waits=switches.why_not_sending(seller))


def preview(*, seller: Seller, shipment_ids: Collection[int], **_asked: object) -> Outcome:
    """What a request for these shipments would do; writes nothing."""
    require_scope(seller)
    return _split(seller, orders.chosen(seller, shipment_ids)).outcome(why_waits=switches.why_not_sending(seller))


def parts(seller: Seller, shipment_id: int) -> list[Part]:
    """What is left of a shipment, by what goes together; nothing where Flipkart did not say that of all of it."""
    require_scope(seller)
    found: dict[str, list[ShipmentItem]] = {}
    for item in orders.items(seller, [shipment_id]):
        if not item.is_cancelled:
            found.setdefault(item.cancellation_group_id, []).append(item)
    return [] if "" in found else [Part(group_id=group_id, items=items) for group_id, items in found.items()]


def asked_for(seller_id: int, shipments: Sequence[Shipment]) -> dict[int, str]:
    """Those (our keys) that are not to be packed, because we asked Flipkart to cancel them or a part of them, with the
    reason that this is: until it is done, and what is left of them was read. In the caller's scope.
    """
    asked = queries.cancellations(seller_id, [shipment.pk for shipment in shipments])
    in_part = {key: set(row.group_ids) for key, row in asked.items() if row.state == work.State.DONE and row.group_ids}
    unread = {
        item.shipment_id
        for item in ShipmentItem.objects.filter(seller_id=seller_id, shipment_id__in=in_part)
        if not item.is_cancelled and item.cancellation_group_id in in_part[item.shipment_id]
    }
    wanted = {key for key, row in asked.items() if row.is_open or (row.state == work.State.DONE and not row.group_ids)}
    return dict.fromkeys(wanted | unread, _("its cancellation was asked for here"))


def why_not(shipment: Shipment, request: LabelRequest | None) -> str | None:
    """Why the seller may not cancel it, or None; `request` is that for its label. Pure."""
    return rules.why_not_cancel(shipment, is_being_labelled=request is not None and request.is_open)


def work_due(*, seller_id: int) -> bool:
    """One batch: sent, or read back. True when there may be more."""
    return sending.work_batch(CANCELLING, seller_id=seller_id)


def _split(seller: Seller, shipments: Iterable[Shipment]) -> Split[SellerCancellation]:
    shipments = list(shipments)
    ids = [shipment.pk for shipment in shipments]
    # What was cancelled in part is asked for anew, by a row of its own.
    asked = {
        key: row
        for key, row in queries.cancellations(seller, ids).items()
        if not (row.group_ids and row.state == work.State.DONE)
    }
    labels = queries.label_requests(seller, ids)
    not_here = rules.why_not_here(gateway.abilities_of(seller.pk), Offer.CANCEL)
    return split(shipments, asked, lambda shipment, _row: not_here or why_not(shipment, labels.get(shipment.pk)))


def _cancellations(client: FlipkartClient, rows: Sequence[SellerCancellation]) -> dict[int, Cancellation | str]:
    not_here = rules.why_not_here(client.wire.ABILITIES, Offer.CANCEL)
    seller_id = rows[0].seller_id
    with seller_scope(seller_id):  # a retry by hand asks no rules: meanwhile its label may have been asked for
        labels = queries.label_requests(seller_id, [row.shipment_id for row in rows])
    return {row.pk: not_here or _why_packed(row, labels.get(row.shipment_id)) or _cancellation(row) for row in rows}


def _why_packed(row: SellerCancellation, request: LabelRequest | None) -> str | None:
    """Why it may not be cancelled any more; a request to pack that was not sent yet gives way to us (`asked_for`)."""
    gives_way = request is not None and request.state == work.State.DUE and request.step == Step.PACK
    return why_not(row.shipment, None if gives_way else request)


def _wanted(row: SellerCancellation) -> list[str]:
    """The groups that are asked for and still there, in the order of their items."""
    items = sorted(row.shipment.items.all(), key=attrgetter("pk"))
    groups = [item.cancellation_group_id for item in items if not item.is_cancelled]
    return [group_id for group_id in groups if not row.group_ids or group_id in row.group_ids]


def _is_there(row: SellerCancellation) -> bool:
    return row.shipment.state == State.CANCELLED or bool(row.group_ids and not _wanted(row))


def _cancellation(row: SellerCancellation) -> Cancellation | str:
    facility, groups = row.shipment.facility, _wanted(row)
    if facility is None or not groups or not all(groups):
        return _("Flipkart did not say what of it belongs together: cancel it in Flipkart's own panel")
    return Cancellation(
        flipkart_shipment_id=row.shipment.flipkart_shipment_id,
        flipkart_location_id=facility.flipkart_location_id,
        cancellation_group_ids=tuple(dict.fromkeys(groups)),
        reason=types.CancelReason(row.reason),
    )


def _arrived(rows: Sequence[SellerCancellation], outside: bool) -> None:
    by_words: dict[str, list[SellerCancellation]] = {}
    for row in rows:
        by_words.setdefault(_done_words(row, outside=outside), []).append(row)
    for says, alike in by_words.items():
        ours = work.done(alike, says=says)
        timeline.note(rows[0].seller_id, [row.shipment_id for row in alike if row.pk in ours], KIND, says)


def _done_words(row: SellerCancellation, *, outside: bool) -> str:
    if outside:
        return _("was cancelled at Flipkart already")
    return _("a part of it cancelled at Flipkart by us") if row.group_ids else _("cancelled at Flipkart by us")


CANCELLING = Effect(
    model=SellerCancellation,
    only=Q(),
    words=gettext_lazy("not cancelled: %(why)s"),
    payloads=_cancellations,
    send=lambda client, cancellations: client.cancel(cancellations),
    limit=lambda limits: limits.cancel,
    is_there=_is_there,
    wants_items=True,
    why_not=lambda shipment, _now: why_not(shipment, None),
    is_of_the_day=False,
    may_be_done=MAY_BE_DONE | CANCELLED,
    reads_after=True,
    arrived=_arrived,
)
