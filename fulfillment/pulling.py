"""Pulled: a parcel that must not leave is taken out of the stack, and a scan of it says that it was.

The buyer cancelled after the label, its items changed since then, or it was printed unchecked and found wrong: until
somebody has it in hands it stays in attention, refused at print and dispatch. What was cancelled is over then; the
label of anything else is fetched anew, by the same row, as a new version. Of a shipment in several parcels each is
scanned, and it is pulled with the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from fulfillment import labels, queries
from fulfillment.verdicts import in_ist
from orders import queries as orders
from orders import timeline
from orders.display import place_in_print
from orders.models import Shipment
from sellers.models import Seller, User
from shipcrowd import audit
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import require_scope
from shipcrowd.work import Attention

KIND = "pulled"
PARCEL = "parcel_pulled"  # one of several


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scan was, in words and the tone that colours them."""

    tone: str
    says: str
    shipment: Shipment | None = None


def waiting(seller: Seller) -> QuerySet[Shipment]:
    """What must be pulled, by place; in the seller's scope."""
    require_scope(seller)
    rows = Shipment.objects.filter(seller=seller, attention=Attention.PULL).select_related("facility")
    return rows.order_by("facility__name", "pk")


def places(seller_id: int, shipments: Sequence[Shipment]) -> dict[int, str]:
    """Where each of these parcels was printed last: "stack B, page 31, job of 24 Nov 12:40"; in the caller's scope."""
    return {
        shipment_id: place_in_print(line.stack.letter, line.page or 0, line.stack.job.asked_at)
        for shipment_id, line in queries.last_prints(seller_id, [shipment.pk for shipment in shipments]).items()
        if line.stack is not None
    }


def pull(*, seller: Seller, scanned: str, by: User, now: datetime) -> Answer:
    """Takes out the parcel whose tracking, shipment or order id was scanned; a second scan of it changes nothing.

    Where a shipment travels in several, only a tracking id says which was scanned.
    """
    require_scope(seller)
    with transaction.atomic():
        found = queries.lock_shipments(seller.pk, orders.scanned_ids(seller, scanned))
        if not found:
            return Answer("bad", _("“%(id)s” is no parcel of this seller") % {"id": orders.scanned_id(scanned)})
        to_pull = [shipment for shipment in found if shipment.attention == Attention.PULL]
        if not to_pull:
            return _needs_none(seller, found[0], now)
        if len(to_pull) > 1:
            return Answer("warn", _("Several parcels of this order must be pulled: scan their tracking ids"))
        (shipment,) = to_pull
        if waits := _others_wait(shipment, orders.scanned_id(scanned), by=by):
            return waits
        is_over = shipment.state == State.CANCELLED
        _take_out(shipment, by=by, now=now)
    done = _("pulled: it stays here") if is_over else _("pulled: its label is fetched anew")
    return Answer("good", f"{done} ({shipment.attention_says})", shipment)


def _needs_none(seller: Seller, shipment: Shipment, now: datetime) -> Answer:
    before = timeline.latest(seller, shipment.pk, KIND)
    if before is not None:
        who = before.by.get_username() if before.by else _("somebody")
        says = _("pulled already, %(at)s by %(who)s") % {"at": in_ist(before.at, now=now), "who": who}
        return Answer("note", says, shipment)
    return Answer("warn", _("needs no pulling: put it back into its stack"), shipment)


def _others_wait(shipment: Shipment, scanned: str, *, by: User) -> Answer | None:
    """Of a shipment in several parcels each must be in somebody's hands: what is said while some are not, else None."""
    all_ids, left = shipment.parcel_ids, shipment.parcels_to_pull
    if len(all_ids) < 2 or not left:
        return None
    one = next((one for one in all_ids if one.upper() == scanned.upper()), "")
    if not one:
        words = {"count": len(all_ids), "left": ", ".join(left)}
        return Answer("warn", _("it travels in %(count)d parcels: scan the tracking id of each, %(left)s") % words)
    if one not in left:
        words = {"at": in_parcels(shipment), "left": ", ".join(left)}
        return Answer("note", _("this one is pulled already; %(at)s, scan the others: %(left)s") % words, shipment)
    shipment.pulled_ids = [*shipment.pulled_ids, one]
    left = shipment.parcels_to_pull
    if not left:
        return None
    Shipment.objects.filter(seller_id=shipment.seller_id, pk=shipment.pk).update(pulled_ids=shipment.pulled_ids)
    words = {"id": one, "at": in_parcels(shipment), "left": ", ".join(left)}
    timeline.note(shipment.seller_id, [shipment.pk], PARCEL, _("parcel %(id)s pulled; %(at)s") % words, by=by)
    return Answer("warn", _("%(at)s, scan the others: %(left)s") % words, shipment)


def in_parcels(shipment: Shipment) -> str:
    """ "1 of 3 pulled"; "" of a shipment in one parcel, which needs no count."""
    count = len(shipment.parcel_ids)
    if count < 2:
        return ""
    return _("%(pulled)d of %(count)d pulled") % {"pulled": count - len(shipment.parcels_to_pull), "count": count}


def _take_out(shipment: Shipment, *, by: User, now: datetime) -> None:
    seller_id = shipment.seller_id
    own = Shipment.objects.filter(seller_id=seller_id, pk=shipment.pk)
    own.update(
        attention=Attention.NONE,
        attention_says="",
        printed_at=None,
        packed_at_bench_at=None,
        pulled_at=now,
        pulled_ids=[],
    )
    queries.void_papers(seller_id, [shipment.pk], now=now)
    timeline.note(seller_id, [shipment.pk], KIND, _("pulled out of the stack"), by=by)
    audit.record(by, "pulled a parcel", seller=shipment.seller, rows=[shipment])
    if shipment.state != State.CANCELLED:
        labels.fetch_anew(seller_id, [shipment], says=_("pulled: its label is fetched anew"), by=by, now=now)
