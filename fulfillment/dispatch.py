"""Ready to dispatch: tells Flipkart that a packed parcel may be collected.

An effect, sent at most once (`sending`). Guide 3.3.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from fulfillment import queries, sending
from fulfillment.models import Dispatch
from fulfillment.sending import Effect
from fulfillment.shown import mark_shown
from orders import queries as orders
from orders import rules, timeline
from orders.models import Shipment
from orders.outcome import Outcome, Split, split
from orders.states import is_dispatched_or_later
from sellers import switches
from sellers.models import Seller, User
from shipcrowd import audit, queue, work
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import Parcel, RowOutcome, State
from shipcrowd.tenancy import require_scope

KIND = Dispatch.KIND


def request_dispatch(*, seller: Seller, shipment_ids: Collection[int], by: User | None, now: datetime) -> Outcome:
    """Asks to mark every shipment ready to dispatch that may be; the others come back with their reason.

    Pressed twice, or for a shipment on its way, it asks nothing more. One that had ended without effect is taken up
    again by the same row. Rings the bell in the same transaction.
    """
    require_scope(seller)
    with transaction.atomic():
        chosen = _split(seller, queries.lock_shipments(seller.pk, shipment_ids), now)
        sending.write_rows(Dispatch, sending.most_urgent_first(chosen.new, now), by=by, now=now)
        work.sent_again_by_hand(chosen.taken_up_again, by_id=by.pk if by else None)
        _mark_requested(seller, chosen.ready, by=by, now=now)
    return chosen.outcome(why_waits=switches.why_not_sending(seller))


def preview(*, seller: Seller, shipment_ids: Collection[int], now: datetime) -> Outcome:
    """What a request for these shipments would do; writes nothing."""
    require_scope(seller)
    chosen = _split(seller, orders.chosen(seller, shipment_ids), now)
    unseen = sum(not (shipment.printed_at or shipment.packed_at_bench_at) for shipment in chosen.ready)
    warns = ngettext(
        "%(count)d of them was never printed here: mark it only if it stands packed.",
        "%(count)d of them were never printed here: mark them only if they stand packed.",
        unseen,
    ) % {"count": unseen}
    return replace(chosen.outcome(why_waits=switches.why_not_sending(seller)), warns=warns if unseen else "")


def why_not(shipment: Shipment, request: Dispatch | None, now: datetime) -> str | None:
    """Why it may not be marked ready to dispatch, or None. Pure."""
    if request is not None and request.state == work.State.DONE:
        return _("already marked ready to dispatch")
    return rules.why_not(shipment, rules.Act.DISPATCH, now, is_asked=request is not None)


def work_due(*, seller_id: int) -> bool:
    """One batch: sent, or read back. True when there may be more."""
    return sending.work_batch(DISPATCHING, seller_id=seller_id)


def _split(seller: Seller, shipments: Iterable[Shipment], now: datetime) -> Split[Dispatch]:
    shipments = list(shipments)
    asked = queries.dispatches(seller, [shipment.pk for shipment in shipments])
    return split(shipments, asked, lambda shipment, row: why_not(shipment, row, now))


def _mark_requested(seller: Seller, shipments: Sequence[Shipment], *, by: User | None, now: datetime) -> None:
    if not shipments:
        return
    ids = [shipment.pk for shipment in shipments]
    Shipment.objects.filter(seller=seller, pk__in=ids).update(dispatch_requested_at=now)
    timeline.note(seller.pk, ids, KIND, _("ready to dispatch asked for"), by=by)
    audit.record(by, "asked to mark ready to dispatch", seller=seller, rows=ids)
    queue.ring(seller.pk, KIND)


def _dispatched(rows: Sequence[Dispatch], outside: bool) -> None:
    says = _("was ready to dispatch at Flipkart already") if outside else _("ready to dispatch at Flipkart")
    ours = work.done(rows, says=says)
    told = [row.shipment_id for row in rows if row.pk in ours]
    mark_shown(rows[0].seller_id, told, State.READY_TO_DISPATCH, at=work.database_now())
    timeline.note(rows[0].seller_id, told, KIND, says)


def _destinations(client: FlipkartClient, rows: Sequence[Dispatch]) -> dict[int, Parcel | str]:
    """Each shipment and where it ships from, which one call has in common where the wire wants that."""
    found: dict[int, Parcel | str] = {}
    for row in rows:
        facility = row.shipment.facility
        if facility is None and client.wire.ABILITIES.dispatch_by_location:
            found[row.pk] = _("Flipkart did not say from which location it ships")
        else:
            found[row.pk] = Parcel(
                flipkart_shipment_id=row.shipment.flipkart_shipment_id,
                flipkart_location_id=facility.flipkart_location_id if facility else "",
            )
    return found


def _send(client: FlipkartClient, parcels: Sequence[Parcel]) -> Sequence[RowOutcome]:
    ids = [parcel.flipkart_shipment_id for parcel in parcels]
    return client.dispatch(ids, location_id=parcels[0].flipkart_location_id)


DISPATCHING = Effect(
    model=Dispatch,
    only=Q(),
    words=gettext_lazy("not marked ready to dispatch: %(why)s"),
    payloads=_destinations,
    send=_send,
    is_grouped=lambda abilities: abilities.dispatch_by_location,
    group=lambda parcel: parcel.flipkart_location_id,
    limit=lambda limits: limits.dispatch,
    is_there=sending.in_state(is_dispatched_or_later),
    why_not=lambda shipment, now: rules.why_not(shipment, rules.Act.DISPATCH, now, is_asked=True),
    arrived=_dispatched,
)
