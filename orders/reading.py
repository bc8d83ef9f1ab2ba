"""Shipments read again by their ids: before anything leaves the house, to follow them, and for their shipping details.

Calls go out in full batches and outside of any scope; what came is ingested in a scope of its own, batch by batch.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from orders import timeline
from orders.ingest import forget_fingerprints, ingest, lock_ingest, lock_readings
from orders.models import Buyer, PollCursor, Reading, Shipment, TimelineEntry
from orders.states import FINAL
from sellers import gateway
from shipcrowd.flipkart import types
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport.errors import CallFailed, Refused, UnexpectedPayload
from shipcrowd.work import database_now

T = TypeVar("T")

# One that Flipkart did not give back, or gave back unreadable, does not stand in front of the others.
NOT_READ_PAUSE = timedelta(hours=6)
# Paths of the Unreadable rows that say so.
MISSING = "missing"
ALONE = "asked for alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAgain:
    """Keys of the shipments that are read now, and of those Flipkart no longer gives back; what ended it early."""

    read: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    failed: CallFailed | None = None


def stale(seller_id: int, shipment_ids: Collection[int], *, before: datetime) -> list[Shipment]:
    """Those of these shipments (our keys) that were last read before `before` and may still change; in a scope."""
    fresh = Reading.objects.filter(seller_id=seller_id, shipment_id=OuterRef("pk"), read_at__gte=before)
    asked = Shipment.objects.filter(seller_id=seller_id, pk__in=shipment_ids).exclude(state__in=FINAL)
    return list(asked.filter(~Exists(fresh)).order_by("pk"))


def read_stale(
    seller_id: int, shipment_ids: Collection[int], *, before: datetime
) -> tuple[set[int], CallFailed | None]:
    """Reads those of these shipments again that were last read before `before` and may still change.

    Gives those that are still unread, and why if Flipkart failed. Outside of any scope.
    """
    with seller_scope(seller_id):
        unread = stale(seller_id, shipment_ids, before=before)
    again = read_again(seller_id=seller_id, shipments=unread)
    return {shipment.pk for shipment in unread} - again.read, again.failed


def read_again(*, seller_id: int, shipments: Sequence[Shipment], client: FlipkartClient | None = None) -> ReadAgain:
    """Fetch and ingest these shipments, the oldest reading first; outside of any scope, one call a full batch.

    Raises nothing for a call that fails: what was read before it is kept, and `failed` says why the rest was not.
    """
    if not shipments:
        return ReadAgain()
    answered = ReadAgain()
    error: CallFailed | None = None
    asking: FlipkartClient

    def take_in(batch: Sequence[Shipment], began: datetime) -> bool:
        page = _asked(asking.fetch_shipments, batch) or types.Page(shipments=())
        come, gone = _take_in(seller_id, batch, page, began)
        answered.read.update(come)
        answered.missing.update(gone)
        return bool(come or gone)

    halving = _Halving(take_in)
    try:
        asking = client or gateway.client_for(seller_id)
        for batch in _batches(_oldest_first(seller_id, shipments), asking.limits.ids):
            halving.ask(batch)
    except CallFailed as failure:
        error = failure
    if halving.to_blame:
        _keep_spoilt(seller_id, halving.to_blame)
    gateway.heard(seller_id, error)
    return replace(answered, failed=error)


@dataclass(frozen=True, slots=True)
class _Spoilt:
    """A shipment that alone gets no answer that can be used, while others get theirs."""

    shipment: Shipment
    error: Refused | UnexpectedPayload
    asked_at: datetime


@dataclass(slots=True)
class _Halving:
    """Asks for a batch, and for the halves of one whose answer cannot be used, down to whoever spoils each answer that
    it would be part of.

    One such shipment would else be asked for ever, in front of all that comes after it, and take its batch with it.
    The later half goes first: the one that was read longest ago is the likely one, and a quota that ends meanwhile
    then ends it with most of the others read. `take_in` gets a batch and when it was asked for, asks, and tells
    whether Flipkart said something of any of it; it raises what the call raises.
    """

    take_in: Callable[[Sequence[Shipment], datetime], bool]
    is_answered: bool = False
    spoilt: list[_Spoilt] = field(default_factory=list)

    def ask(self, batch: Sequence[Shipment]) -> None:
        """Raises what says nothing about single shipments, and what was said of each where none was answered."""
        self._ask(batch, batch[0])
        if self.spoilt and not self.is_answered:
            raise self.spoilt[0].error

    @property
    def to_blame(self) -> list[_Spoilt]:
        """Those that spoil answers; none where none was answered, for then Flipkart itself is ill."""
        return self.spoilt if self.is_answered else []

    def _ask(self, batch: Sequence[Shipment], first: Shipment) -> None:
        began = database_now()
        try:
            says_something = self.take_in(batch, began)
        except (Refused, UnexpectedPayload) as error:
            if not _may_be_of_one(error):
                raise
            if len(batch) == 1:
                self.spoilt.append(_Spoilt(batch[0], error, began))
                if len(self.spoilt) > 1 and not self.is_answered:
                    if len(self.spoilt) > 2:
                        raise  # a gateway's page for everything, and the quota is not spent on finding out
                    self._ask([first], first)  # the other end of the batch tells
                return
            half = len(batch) // 2
            self._ask(batch[half:], first)
            self._ask(batch[:half], first)
            return
        self.is_answered = self.is_answered or says_something


def _may_be_of_one(error: Refused | UnexpectedPayload) -> bool:
    """A redirect and a bare 404 speak of the address, not of what was asked for."""
    return isinstance(error, UnexpectedPayload) or (error.status >= 400 and error.status != 404)


def _keep_spoilt(seller_id: int, spoilt: Sequence[_Spoilt]) -> None:
    """For a person, and out of the others' way."""
    with seller_scope(seller_id):
        ingest(
            seller_id=seller_id,
            shipments=(),
            unreadable=_holes(spoilt),
            read_began_at=max(one.asked_at for one in spoilt),
        )
        _put_off(seller_id, {one.shipment.pk for one in spoilt})


def _holes(spoilt: Sequence[_Spoilt]) -> tuple[types.Unreadable, ...]:
    return tuple(
        types.Unreadable(flipkart_shipment_id=one.shipment.flipkart_shipment_id, path=ALONE, says=one.error.says)
        for one in spoilt
    )


def confirmed(client: FlipkartClient, page: types.Page) -> types.Page:
    """The page with each shipment as Flipkart gives it by its id; one that it does not give by id stays as it came.

    For searches that find a part of what a shipment is, such as the cancelled items of one that lives on.
    """
    came = {copy.flipkart_shipment_id: copy for copy in page.shipments}
    holes = list(page.unreadable)
    for batch in _batches(page.shipments, client.limits.ids):
        answer = _asked(client.fetch_shipments, batch) or types.Page(shipments=())
        came |= {copy.flipkart_shipment_id: copy for copy in answer.shipments if copy.flipkart_shipment_id in came}
        holes += answer.unreadable
    for hole in holes:
        came.pop(hole.flipkart_shipment_id, None)
    return replace(page, shipments=tuple(came.values()), unreadable=tuple(holes))


def _oldest_first(seller_id: int, shipments: Sequence[Shipment]) -> list[Shipment]:
    with seller_scope(seller_id):
        readings = Reading.objects.filter(seller_id=seller_id, shipment_id__in=[shipment.pk for shipment in shipments])
        read_at = dict(readings.values_list("shipment_id", "read_at"))
    return sorted(shipments, key=lambda shipment: (shipment.pk in read_at, read_at.get(shipment.pk), shipment.pk))


def _take_in(seller_id: int, batch: Sequence[Shipment], page: types.Page, began: datetime) -> tuple[set[int], set[int]]:
    """Keys of those that came, and of those that did not."""
    asked = {shipment.flipkart_shipment_id: shipment.pk for shipment in batch}
    come = [copy for copy in page.shipments if copy.flipkart_shipment_id in asked]
    read = {asked[copy.flipkart_shipment_id] for copy in come}
    unread = {hole.flipkart_shipment_id for hole in page.unreadable}
    missing = {shipment_id: pk for shipment_id, pk in asked.items() if pk not in read and shipment_id not in unread}
    holes = [
        types.Unreadable(
            flipkart_shipment_id=shipment_id, path=MISSING, says=_("Flipkart no longer knows this shipment")
        )
        for shipment_id in missing
    ]
    not_read = set(asked.values()) - read
    with seller_scope(seller_id):
        if not_read:  # their readings are written too: all are locked at once, in everybody's order
            lock_ingest(seller_id)
            lock_readings(asked.values())
            _put_off(seller_id, not_read)
        ingest(seller_id=seller_id, shipments=come, unreadable=[*page.unreadable, *holes], read_began_at=began)
    return read, set(missing.values())


def _put_off(seller_id: int, shipment_ids: Collection[int]) -> None:
    Reading.objects.filter(seller_id=seller_id, shipment_id__in=shipment_ids, follow_at__isnull=False).update(
        follow_at=Now() + NOT_READ_PAUSE
    )


# --- Shipping details (guide 2.3) ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """How many shipments got their details, whether full batches still wait, what ended it early."""

    read: int = 0
    is_more_waiting: bool = False
    failed: CallFailed | None = None


def fetch_details(*, seller_id: int, client: FlipkartClient, most_calls: int) -> Details:
    """Delivery and billing address and tracking for open shipments that have none yet; outside of any scope.

    While a walk is still bringing shipments only full batches are asked for: the rest of a batch comes with it.
    """
    size = client.limits.details
    read, is_more_waiting = 0, False
    error: CallFailed | None = None

    def take_in(batch: Sequence[Shipment], began: datetime) -> bool:
        nonlocal read
        read += _read_details(seller_id, batch, client, began)
        return True

    halving = _Halving(take_in)
    try:
        with seller_scope(seller_id):
            waiting = _without_details(seller_id, most=size * most_calls + 1)
            is_walking = PollCursor.objects.filter(seller_id=seller_id, walk__isnull=False).exists()
        is_more_waiting = len(waiting) > size * most_calls
        for batch in _batches(waiting[: size * most_calls], size):
            if is_walking and len(batch) < size:
                break
            halving.ask(batch)
    except CallFailed as failure:
        error = failure
    if halving.to_blame:
        _pass_over(seller_id, halving.to_blame)
    return Details(read=read, is_more_waiting=is_more_waiting and error is None, failed=error)


def _pass_over(seller_id: int, spoilt: Sequence[_Spoilt]) -> None:
    """They count as asked, with the reason on their timelines."""
    page = types.ShippingDetailsPage(details=(), unreadable=_holes(spoilt))
    with seller_scope(seller_id):
        _store_details(seller_id, [one.shipment for one in spoilt], page, max(one.asked_at for one in spoilt))


def read_details(*, seller_id: int, shipments: Sequence[Shipment], client: FlipkartClient) -> None:
    """Addresses and tracking of these shipments, whatever was read before; outside of any scope.

    Raises what ended it; what was read before that is kept.
    """
    for batch in _batches(shipments, client.limits.details):
        _read_details(seller_id, batch, client, database_now())


def _read_details(seller_id: int, batch: Sequence[Shipment], client: FlipkartClient, began: datetime) -> int:
    page = _asked(client.read_shipping_details, batch) or types.ShippingDetailsPage(details=())
    with seller_scope(seller_id):
        return _store_details(seller_id, batch, page, began)


def read_invoice_numbers(*, seller_id: int, shipments: Sequence[Shipment], client: FlipkartClient) -> None:
    """Of those that have none yet; outside of any scope. For wires whose shipments do not carry them (Offer.INVOICES).

    Raises what ended it; what was read before that is kept.
    """
    for batch in _batches([one for one in shipments if not one.invoice_number], client.limits.invoices):
        page = _asked(client.fetch_invoices, batch) or types.InvoicesPage(invoices=())
        asked = {shipment.flipkart_shipment_id: shipment.pk for shipment in batch}
        told = {
            asked[one.flipkart_shipment_id]: one.invoice_number
            for one in page.invoices
            if one.flipkart_shipment_id in asked and len(one.invoice_number) <= _LONGEST
        }
        with seller_scope(seller_id):
            _write_invoice_numbers(seller_id, told)


def _without_details(seller_id: int, *, most: int) -> list[Shipment]:
    # Flipkart gives the address out once it is packed: what was asked for before, in vain, is asked for once more then.
    was_too_early = Q(
        delivery_address__isnull=True,
        shipment__state__in=_PACKED,
        details_read_at__lt=F("shipment__state_changed_at"),
    )
    buyers = Buyer.objects.filter(
        Q(details_read_at__isnull=True) | was_too_early, seller_id=seller_id, shipment__is_open=True
    )
    keys = list(buyers.order_by("shipment_id").values_list("shipment_id", flat=True)[:most])
    return list(Shipment.objects.filter(seller_id=seller_id, pk__in=keys).order_by("pk"))


_PACKED = [types.State.PACKED, types.State.READY_TO_DISPATCH, types.State.PICKUP_COMPLETE]


def _store_details(seller_id: int, batch: Sequence[Shipment], page: types.ShippingDetailsPage, began: datetime) -> int:
    """All of the batch count as asked: one without an answer is noted, and not asked for each minute again."""
    lock_ingest(seller_id)
    asked = {shipment.flipkart_shipment_id: shipment for shipment in batch}
    come = {one.flipkart_shipment_id: one for one in page.details if one.flipkart_shipment_id in asked}
    _write_addresses(seller_id, [asked[shipment_id].pk for shipment_id in asked], come, asked)
    tracked = {asked[shipment_id].pk: one for shipment_id, one in come.items() if one.tracking_id}
    _write_tracking(seller_id, tracked, began)
    told = [asked[shipment_id].pk for shipment_id, one in come.items() if one.delivery_address or one.billing_address]
    timeline.note(seller_id, told, "address", _("delivery and billing address read"))
    holes = {hole.flipkart_shipment_id: hole for hole in page.unreadable if hole.flipkart_shipment_id in asked}
    words = _("Flipkart's shipping details could not be read: %(why)s")
    unread = {asked[shipment_id].pk: words % {"why": f"{hole.path} {hole.says}"} for shipment_id, hole in holes.items()}
    timeline.note_each(seller_id, unread, "address")
    silent = [shipment.pk for shipment_id, shipment in asked.items() if shipment_id not in {*come, *holes}]
    timeline.note(seller_id, silent, "address", _("Flipkart gave no shipping details"))
    return len(come)


def _write_addresses(
    seller_id: int, keys: Sequence[int], come: dict[str, types.ShippingDetails], asked: dict[str, Shipment]
) -> None:
    rows = [
        {
            "shipment_id": asked[shipment_id].pk,
            "delivery": asdict(one.delivery_address) if one.delivery_address else None,
            "billing": asdict(one.billing_address) if one.billing_address else None,
        }
        for shipment_id, one in come.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update orders_buyer b
            set details_read_at = statement_timestamp(),
                delivery_address = coalesce(a.delivery, b.delivery_address),
                billing_address = coalesce(a.billing, b.billing_address)
            from (
                select k.shipment_id, d.delivery, d.billing from unnest(%s::bigint[]) as k (shipment_id)
                left join jsonb_to_recordset(%s::jsonb) as d (shipment_id bigint, delivery jsonb, billing jsonb)
                    using (shipment_id)
            ) a
            where b.seller_id = %s and b.shipment_id = a.shipment_id
            """,
            [list(keys), json.dumps(rows), seller_id],
        )


def _write_tracking(seller_id: int, found: Mapping[int, types.ShippingDetails], began: datetime) -> None:
    """Tracking ids and sizes that are news, an id with its line. The next read writes these rows again.

    What a read that began later has written is left alone. Locked before it is compared: it changes meanwhile.
    """
    if not found:
        return
    forget_fingerprints(found)  # first: it locks the readings, as ingest does before it locks shipments
    locked = Shipment.objects.select_for_update(no_key=True).filter(seller_id=seller_id, pk__in=found)
    rows = {row.pk: row for row in locked.filter(read_began_at__lte=began).order_by("pk")}
    news = {
        key: one
        for key, one in found.items()
        if key in rows
        and len(one.tracking_id) <= _LONGEST
        and (_is_tracking_news(rows[key], one) or (rows[key].packed_sizes or []) != _packed_sizes(one))
    }
    told = [key for key, one in news.items() if _is_tracking_news(rows[key], one)]
    for key, one in news.items():
        rows[key].tracking_id, rows[key].courier = one.tracking_id, one.courier[:_LONGEST] or rows[key].courier
        rows[key].tracking_ids = _tracking_ids(one)
        rows[key].packed_sizes = _packed_sizes(one)
    columns = ["tracking_id", "courier", "tracking_ids", "packed_sizes"]
    Shipment.objects.bulk_update([rows[key] for key in sorted(news)], columns)
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            seller_id=seller_id,
            shipment_id=key,
            kind="tracking",
            says=_tracking_words(news[key])[:300],
        )
        for key in told
    )


def _tracking_words(details: types.ShippingDetails) -> str:
    return _("tracking id %(id)s") % {"id": ", ".join(_tracking_ids(details)) or details.tracking_id}


def _is_tracking_news(row: Shipment, details: types.ShippingDetails) -> bool:
    return (row.tracking_id, row.tracking_ids) != (details.tracking_id, _tracking_ids(details))


def _write_invoice_numbers(seller_id: int, told: Mapping[int, str]) -> None:
    """Numbers that are news, each with its line. No reading of a shipment brings them, so none takes them away."""
    without = Shipment.objects.filter(seller_id=seller_id, pk__in=told.keys(), invoice_number="")
    rows = list(without.order_by("pk").select_for_update(no_key=True))
    for row in rows:
        row.invoice_number = told[row.pk]
    Shipment.objects.bulk_update(rows, ["invoice_number"])
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            seller_id=seller_id,
            shipment=row,
            kind="invoice",
            says=_("invoice number %(number)s") % {"number": row.invoice_number},
        )
        for row in rows
    )


def _tracking_ids(details: types.ShippingDetails) -> list[str]:
    """One a parcel, where the wire tells parcels apart."""
    return [part.tracking_id for part in details.sub_shipments if part.tracking_id]


def _packed_sizes(details: types.ShippingDetails) -> list[dict[str, str]]:
    """Of all parcels; empty where one's is not told."""
    told = [part.dimensions for part in details.sub_shipments if part.dimensions]
    if len(told) < len(details.sub_shipments):
        return []
    return [{name: str(value) for name, value in asdict(size).items()} for size in told]


_LONGEST = 64  # of these columns


def _asked(call: Callable[[Sequence[str]], T], batch: Sequence[Shipment | types.Shipment]) -> T | None:
    """What Flipkart says of these; None where it knows none of them.

    An answer like any other, else the batch would be asked for ever, in front of all that comes after it.
    """
    try:
        return call([shipment.flipkart_shipment_id for shipment in batch])
    except Refused as error:
        if not knows_none(error):
            raise
        return None


def knows_none(error: Refused) -> bool:
    """Whether Flipkart says by it that it knows none of the shipments asked for: by 404 with a code (guide-gaps 10).

    A bare 404 is a wrong address.
    """
    return error.status == 404 and bool(error.code)


def _batches(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
