"""Label requests: Flipkart packs a shipment and makes its papers; we fetch, check, cut and store them.

Packing is the effect (step PACK: sent at most once, `sending`). Fetching is a read and may be repeated (step FETCH):
Flipkart's one status for many ids means accepted and not done, only the papers themselves tell (guide 3.1, 3.2, Issue
2; guide-gaps 8).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment import cancelling, fetching, parcels, queries, sending
from fulfillment.models import LabelRequest, Step
from fulfillment.parcels import NoSize
from fulfillment.sending import Effect
from orders import queries as orders
from orders import rules, timeline
from orders.models import Shipment
from orders.outcome import Outcome, Split, split
from orders.states import is_packed_or_later, is_packing_or_later
from sellers import gateway, switches
from sellers.models import Seller, User
from shipcrowd import audit, queue, work
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.times import INDIAN_TIME
from shipcrowd.flipkart.types import Limits, Parcel, State
from shipcrowd.tenancy import require_scope, seller_scope
from shipcrowd.transport.retry import next_look_at_packing

KIND = LabelRequest.KIND
# Labels are ready two to five seconds after the request (guide, Issue 2).
FIRST_FETCH = timedelta(seconds=2)


def request_labels(
    *, seller: Seller, shipment_ids: Collection[int], by: User | None, now: datetime, why: str = ""
) -> Outcome:
    """Asks for a label for every shipment that may have one; the others come back with their reason.

    `by` empty: the machine, and `why` it does.

    Pressed twice, or for a shipment on its way, it asks nothing more. A request that had ended is taken up again by
    the same row. A shipment that was packed outside gets its papers fetched and is never packed. Rings the bell in
    the same transaction.
    """
    require_scope(seller)
    with transaction.atomic():
        chosen = _split(seller, queries.lock_shipments(seller.pk, shipment_ids), now)
        _write_rows(chosen.new, by=by, now=now)
        work.sent_again_by_hand(chosen.taken_up_again, by_id=by.pk if by else None)
        _mark_requested(seller, chosen.ready, by=by, now=now, why=why)
    return chosen.outcome(why_waits=switches.why_not_sending(seller))


def preview(*, seller: Seller, shipment_ids: Collection[int], now: datetime) -> Outcome:
    """What a request for these shipments would do; writes nothing."""
    require_scope(seller)
    chosen = _split(seller, orders.chosen(seller, shipment_ids), now)
    outcome = chosen.outcome(why_waits=switches.why_not_sending(seller))
    return replace(outcome, wants_sizes=any(isinstance(reason, NoSize) for _shipment, reason in chosen.left_out))


def calls_for(count: int, limits: Limits) -> int:
    """How many calls the labels of `count` shipments take when all goes well: packed, fetched, and read twice. Pure."""
    return 2 * -(-count // limits.labels) + 2 * -(-count // limits.ids)


def why_not(shipment: Shipment, request: LabelRequest | None, now: datetime) -> str | None:
    """Why no label may be asked for, or None; what had ended without one may be asked for again. Pure."""
    return rules.why_not_label(shipment, now, is_asked=request is not None)


def reasons(
    seller: Seller, shipments: Sequence[Shipment], asked: Mapping[int, LabelRequest], now: datetime
) -> dict[int, str]:
    """Why no label may be asked for some of these (our keys); `asked` is what was before, by shipment. In a scope."""
    unfit = parcels.why_not(seller, shipments, today=now.astimezone(INDIAN_TIME).date())
    unfit |= cancelling.asked_for(seller.pk, shipments)
    found = {one.pk: why_not(one, asked.get(one.pk), now) or unfit.get(one.pk) for one in shipments}
    return {key: reason for key, reason in found.items() if reason}


def fetch_anew(seller_id: int, shipments: Sequence[Shipment], *, says: str, by: User | None, now: datetime) -> None:
    """The papers of these shipments are fetched once more, by the rows that fetched them; nothing is packed again.

    One that has no row, packed outside, gets one. In the caller's scope, the shipments locked. Rings the bell.
    """
    if not shipments:
        return
    ids = [shipment.pk for shipment in shipments]
    Shipment.objects.filter(seller_id=seller_id, pk__in=ids).update(label_stored_at=None)
    rows = LabelRequest.objects.filter(seller_id=seller_id, shipment_id__in=ids)
    asked = set(rows.values_list("shipment_id", flat=True))
    # One that a worker is just fetching is taken from it: what it brings is of before.
    rows.exclude(state__in=work.OPEN, step=Step.PACK).update(
        state=work.State.DUE,
        claim_token=None,
        step=Step.FETCH,
        in_doubt=False,
        fetches=0,
        read_backs=0,
        attention="",
        packed_at=now,  # its patience begins anew
        wake_at=Now(),
        give_up_at=now + settings.GIVE_UP_AFTER,
        says=says,
    )
    packed_outside = [s for s in shipments if s.pk not in asked and is_packed_or_later(State(s.state))]
    _write_rows(packed_outside, by=by, now=now)
    timeline.note(seller_id, ids, KIND, says, by=by)
    queue.ring(seller_id, KIND)


def work_due(*, seller_id: int) -> bool:
    """One batch of papers that may be ready, else one batch to pack; True when there may be more.

    Papers first: they are what people wait for, and each batch of them ends sooner than it grows.
    """
    return fetching.work_batch(seller_id=seller_id) or sending.work_batch(PACKING, seller_id=seller_id)


def _split(seller: Seller, shipments: Iterable[Shipment], now: datetime) -> Split[LabelRequest]:
    shipments = list(shipments)
    asked = queries.label_requests(seller, [shipment.pk for shipment in shipments])
    against = reasons(seller, shipments, asked, now)
    return split(shipments, asked, lambda shipment, _row: against.get(shipment.pk))


def _write_rows(shipments: Sequence[Shipment], *, by: User | None, now: datetime) -> None:
    urgent_first = sending.most_urgent_first(shipments, now)
    sending.write_rows(LabelRequest, urgent_first, by=by, now=now, values=lambda shipment: _first_step(shipment, now))


def _first_step(shipment: Shipment, now: datetime) -> dict[str, Any]:
    """What is packed already gets its papers fetched."""
    if is_packed_or_later(State(shipment.state)):
        return {"step": Step.FETCH, "packed_at": now}
    return {"step": Step.PACK}


def _mark_requested(seller: Seller, shipments: Sequence[Shipment], *, by: User | None, now: datetime, why: str) -> None:
    if not shipments:
        return
    ids = [shipment.pk for shipment in shipments]
    outside = [s.pk for s in shipments if is_packed_or_later(State(s.state)) and s.label_requested_at is None]
    Shipment.objects.filter(seller=seller, pk__in=outside).update(labelled_outside=True)
    Shipment.objects.filter(seller=seller, pk__in=ids).update(label_requested_at=now)
    words = _("label requested: %(why)s") % {"why": why} if why else _("label requested")
    timeline.note(seller.pk, ids, KIND, words, by=by)
    audit.record(by, "asked for labels", seller=seller, rows=ids, why=why)
    queue.ring(seller.pk, KIND)


def _packed(rows: Sequence[LabelRequest], outside: bool) -> None:
    """Flipkart has accepted or shown it: now its papers are to be fetched."""
    abilities = gateway.abilities_of(rows[0].seller_id)
    first = next_look_at_packing(1) if abilities and abilities.packs_later else FIRST_FETCH
    after = timedelta(0) if outside else first
    says = _("packed outside: fetching its papers") if outside else _("accepted by Flipkart: waiting for the label")
    ours = work.goes_on(rows, after=after, says=says)
    LabelRequest.objects.filter(seller_id=rows[0].seller_id, pk__in=ours).update(
        step=Step.FETCH, packed_at=Now(), fetches=0
    )
    told = [row.shipment_id for row in rows if row.pk in ours]
    if outside:
        Shipment.objects.filter(seller_id=rows[0].seller_id, pk__in=told).update(labelled_outside=True)
    timeline.note(rows[0].seller_id, told, KIND, says)


def _parcels(client: FlipkartClient, rows: Sequence[LabelRequest]) -> dict[int, Parcel | str]:
    seller_id = rows[0].seller_id
    today = timezone.now().astimezone(INDIAN_TIME).date()
    shipments = [row.shipment for row in rows]
    with seller_scope(seller_id):
        found = parcels.parcels_of(seller_id, shipments, abilities=client.wire.ABILITIES, today=today)
        found |= cancelling.asked_for(seller_id, shipments)
    return {row.pk: found[row.shipment_id] for row in rows}


PACKING = Effect(
    model=LabelRequest,
    only=Q(step=Step.PACK),
    words=gettext_lazy("not packed: %(why)s"),
    payloads=_parcels,
    send=lambda client, parcels: client.generate_labels(parcels),
    limit=lambda limits: limits.labels,
    is_there=sending.in_state(is_packing_or_later),
    why_not=lambda shipment, now: rules.why_not(shipment, rules.Act.LABEL, now, is_asked=True),
    arrived=_packed,
)
