"""FlipkartClient: one method per operation of the seller API, typed in and typed out.

No retry but the single 401, no sleep, no Django: what to do after an error is `transport.retry`'s word and the
caller's work.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import cast

from shipcrowd.flipkart.joining import Contradiction, join
from shipcrowd.flipkart.sandbox import Sandbox
from shipcrowd.flipkart.tokens import TokenSource
from shipcrowd.flipkart.types import (
    Acknowledgement,
    Cancellation,
    Download,
    FormsPage,
    HandoverCount,
    InvoicesPage,
    Limits,
    Offer,
    Page,
    Parcel,
    PaymentType,
    RowOutcome,
    SearchAnswer,
    SearchPart,
    Shipment,
    ShippingDetails,
    ShippingDetailsPage,
    State,
    Unreadable,
    Window,
)
from shipcrowd.flipkart.wire import PublishedWire, Wire
from shipcrowd.transport import Answer, Request, Transport
from shipcrowd.transport.errors import NotAuthorized, Refused, UnexpectedPayload

# Half a million rows; a seller with more in one window asks for smaller windows. Ends a walk whose markers never end.
MOST_PAGES = 10_000
# A page may be empty when its rows have just moved on; so many in a row lead nowhere.
MOST_EMPTY_PAGES = 20


class NotOffered(ValueError):
    """This wire has no such operation: whoever asks looks at Abilities.offers first."""


def _no_quota(operation: str) -> None:
    """Calls are not counted."""


class FlipkartClient:
    """Flipkart for one seller. Every method raises what Transport.send raises, and Throttled from `before_call`.

    `before_call(operation)` is called before each call but those for tokens: it takes from the quota.
    A batch larger than `limits` allows, an empty one, and an id that is none are ValueErrors: the caller cuts batches.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        wire: Wire,
        tokens: TokenSource,
        before_call: Callable[[str], None] = _no_quota,
    ) -> None:
        self._transport = transport
        self._wire = wire
        self._tokens = tokens
        self._before_call = before_call

    @property
    def wire(self) -> Wire:
        """The wire it speaks, for its ABILITIES."""
        return self._wire

    @property
    def limits(self) -> Limits:
        """The most that one call of each kind carries."""
        return self._wire.LIMITS

    def searches(self, states: Collection[State]) -> tuple[SearchPart, ...]:
        """The searches that together find every shipment in any of `states`, as far as the wire can ask for them."""
        return self._wire.searches(states)

    def shipment_pages(
        self,
        *,
        part: SearchPart,
        window: Window,
        payment_type: PaymentType | None = None,
        skus: Sequence[str] = (),
        marker: str | None = None,
    ) -> Iterator[Page]:
        """Shipments that one of `searches` finds in the window, in Flipkart's order; one call a page.

        Where rows of one shipment may stand on two pages, the last shipment of a page is held back and comes with the
        next page, all its items together; when rows of a shipment of the page before come again (the list moved),
        they are joined with what was there. To resume a broken walk hand in `page.marker` of the last page that came:
        that page is read again, so that nothing held back is lost, and its first shipment, whose other items may stand
        on the page before, is fetched by its id. A shipment may come twice; no order of time.

        Raises UnexpectedPayload, after everything read was handed out (what was held back is fetched by its id), when
        the walk cannot go on: more is claimed without a marker, a marker repeats, or pages never end.
        Source: guide 2.1, guide-gaps 12 and 22.
        """
        joiner = _PageJoiner(whole_rows=self._wire.ABILITIES.whole_rows)
        is_resumed = marker is not None and not self._wire.ABILITIES.whole_rows
        seen = {marker}
        empty_pages = 0
        for _ in range(MOST_PAGES):
            request = self._wire.encode_search(
                part=part, window=window, payment_type=payment_type, skus=skus, marker=marker
            )
            answer = self._wire.decode_search(self._send(request), part)
            if is_resumed and answer.shipments:
                first = self._whole(answer.shipments[0])
                answer = replace(
                    answer,
                    shipments=(*first.shipments, *answer.shipments[1:]),
                    unreadable=(*first.unreadable, *answer.unreadable),
                )
            is_resumed = False
            empty_pages = 0 if answer.shipments or answer.unreadable else empty_pages + 1
            trouble = _trouble_ahead(request.operation, answer, seen, empty_pages)
            goes_on = answer.next_marker is not None and trouble is None
            shipments, unreadable = joiner.join(answer, is_last=answer.next_marker is None and trouble is None)
            yield Page(shipments=shipments, unreadable=unreadable, marker=marker, has_more=goes_on)
            if trouble is not None:
                yield from self._held_back(joiner, marker)
                raise trouble
            if not goes_on:
                return
            marker = answer.next_marker
            seen.add(marker)
        yield from self._held_back(joiner, marker)
        raise UnexpectedPayload(request.operation, f"more than {MOST_PAGES} pages: ask for a smaller window")

    def _held_back(self, joiner: "_PageJoiner", marker: str | None) -> Iterator[Page]:
        """The shipment that a page which never came might have gone on with."""
        for shipment in joiner.rest():
            yield replace(self._whole(shipment), marker=marker)

    def _whole(self, shipment: Shipment) -> Page:
        """A shipment of which a page may hold a part only, as Flipkart gives it by its id; nothing of it where that
        fails, for half of it would be packed short.
        """
        try:
            return self.fetch_shipments([shipment.flipkart_shipment_id])
        except (Refused, UnexpectedPayload):
            says = "its items may stand on two pages, and Flipkart does not give it by its id"
            hole = Unreadable(flipkart_shipment_id=shipment.flipkart_shipment_id, path="shipmentId", says=says)
            return Page(shipments=(), unreadable=(hole,))

    def fetch_shipments(self, shipment_ids: Sequence[str]) -> Page:
        """Shipments by id, up to `limits.ids`, all items of each; those Flipkart does not know are not there.

        Raises Refused with status 404 when it knows none of them (guide-gaps 10). Source: guide 2.2.
        """
        return self._wire.decode_shipments(self._send(self._wire.encode_shipments(shipment_ids)))

    def fetch_shipping_details(self, shipment_ids: Sequence[str]) -> tuple[ShippingDetails, ...]:
        """Tracking and addresses by id, up to `limits.details`. Source: guide 2.3.

        Raises UnexpectedPayload when rows came and none was readable; `read_shipping_details` names them all.
        """
        page = self.read_shipping_details(shipment_ids)
        if page.unreadable and not page.details:
            raise UnexpectedPayload("shipping_details", page.unreadable[0].says, path=page.unreadable[0].path)
        return page.details

    def read_shipping_details(self, shipment_ids: Sequence[str]) -> ShippingDetailsPage:
        """The same, with the rows that could not be read beside."""
        return self._wire.decode_shipping_details(self._send(self._wire.encode_shipping_details(shipment_ids)))

    def generate_labels(self, parcels: Sequence[Parcel]) -> tuple[RowOutcome, ...]:
        """Ask to pack and to make the papers, up to `limits.labels`: an effect, the shipments become PACKED.

        One outcome per parcel, in order; ok means accepted, not done. Source: guide 3.1, guide-gaps 8.
        """
        answer = self._send(self._wire.encode_generate_labels(parcels))
        return self._wire.decode_generate_labels(answer, [parcel.flipkart_shipment_id for parcel in parcels])

    def download_papers(self, shipment_ids: Sequence[str]) -> Download:
        """The papers of packed shipments, up to `limits.papers`; apart, None where not ready. Source: guide 3.2.

        Raises TooLarge when all papers together pass the cap of an answer: ask for fewer.
        """
        answer = self._send(self._wire.encode_download_labels(shipment_ids))
        return self._wire.decode_download_labels(answer, shipment_ids)

    def dispatch(self, shipment_ids: Sequence[str], *, location_id: str = "") -> tuple[RowOutcome, ...]:
        """Mark packed shipments ready to dispatch, up to `limits.dispatch`: an effect. Source: guide 3.3.

        `location_id` is where all of them ship from, for a wire with Abilities.dispatch_by_location. One outcome per
        id, in order; ok None where the answer does not say: read the shipment.
        """
        answer = self._send(self._wire.encode_dispatch(shipment_ids, location_id))
        return self._wire.decode_dispatch(answer, shipment_ids)

    # What not every wire has (Abilities.offers); where it has not, these raise NotOffered

    def cancel(self, cancellations: Sequence[Cancellation]) -> tuple[RowOutcome, ...]:
        """Cancel as the seller, before packing, up to `limits.cancel`: an effect. Source: wire.md 3.7.

        One outcome per shipment, in order; ok None where the answer does not say.
        """
        wire = self._wire_with(Offer.CANCEL)
        answer = self._send(wire.encode_cancel(cancellations))
        return wire.decode_cancel(answer, [one.flipkart_shipment_id for one in cancellations])

    def fetch_forms(self, shipment_ids: Sequence[str]) -> FormsPage:
        """The papers that states want for these shipments, up to `limits.forms`. Source: wire.md 3.5."""
        wire = self._wire_with(Offer.FORMS)
        return wire.decode_forms(self._send(wire.encode_forms(shipment_ids)))

    def acknowledge_forms(self, acknowledgements: Sequence[Acknowledgement]) -> tuple[RowOutcome, ...]:
        """Tell the numbers of forms, up to `limits.acknowledge`: an effect, packing goes on. Source: wire.md 3.5."""
        wire = self._wire_with(Offer.FORMS)
        answer = self._send(wire.encode_acknowledge_forms(acknowledgements))
        return wire.decode_acknowledge_forms(answer, [one.flipkart_shipment_id for one in acknowledgements])

    def fetch_invoices(self, shipment_ids: Sequence[str]) -> InvoicesPage:
        """What stands on the invoices of packed shipments, up to `limits.invoices`. Source: wire.md 3.5."""
        wire = self._wire_with(Offer.INVOICES)
        return wire.decode_invoices(self._send(wire.encode_invoices(shipment_ids)))

    def download_invoices(self, shipment_ids: Sequence[str]) -> Download:
        """The invoices of packed shipments in one PDF, up to `limits.invoices`. Source: wire.md 3.5."""
        wire = self._wire_with(Offer.INVOICES)
        return wire.decode_download_invoices(self._send(wire.encode_download_invoices(shipment_ids)))

    def download_labels_only(self, shipment_ids: Sequence[str], *, reprint: bool = True) -> Download:
        """The labels without invoices in one PDF, up to `limits.label_only`. Source: wire.md 3.5.

        Only with `reprint` it is a mere read: else Flipkart marks them as printed.
        """
        wire = self._wire_with(Offer.LABEL_ONLY)
        answer = self._send(wire.encode_download_labels_only(shipment_ids, reprint=reprint))
        return wire.decode_download_labels_only(answer)

    def fetch_handover_counts(self, location_id: str) -> tuple[HandoverCount, ...]:
        """How many shipments of a location stand ready for which courier. Source: wire.md 3.5."""
        wire = self._wire_with(Offer.HANDOVER)
        return wire.decode_handover_counts(self._send(wire.encode_handover_counts(location_id)))

    def download_manifest(self, count: HandoverCount, *, location_id: str) -> bytes:
        """The manifest of what one of the counts says, as PDF. Source: wire.md 3.5."""
        wire = self._wire_with(Offer.HANDOVER)
        return wire.decode_manifest(self._send(wire.encode_manifest(count, location_id)))

    @property
    def sandbox(self) -> Sandbox:
        """What buyers and couriers do, at Flipkart's sandbox. Source: wire.md 7."""
        return Sandbox(self._wire_with(Offer.SANDBOX), self._send)

    def _wire_with(self, offer: Offer) -> PublishedWire:
        if offer not in self._wire.ABILITIES.offers:
            raise NotOffered(f"the wire {self._wire.NAME!r} has no {offer.value}")
        return cast("PublishedWire", self._wire)

    def _send(self, request: Request) -> Answer:
        """Send with the current token; after a 401 once more with a renewed one (guide 1.7)."""
        token = self._tokens.current()
        self._before_call(request.operation)
        try:
            return self._transport.send(request, bearer=token)
        except NotAuthorized as error:
            if error.status != 401:
                raise
            refusal = error
        renewed = self._tokens.renew(failed=token)
        if renewed == token:
            raise refusal
        self._before_call(request.operation)
        return self._transport.send(request, bearer=renewed)


def _trouble_ahead(
    operation: str, answer: SearchAnswer, seen: set[str | None], empty_pages: int
) -> UnexpectedPayload | None:
    """Why the walk must end here although more is claimed; None when it may go on, or ends as it should."""
    if answer.trouble:
        return UnexpectedPayload(operation, answer.trouble, path=answer.trouble_path)
    if answer.next_marker is None:
        return None
    if answer.next_marker in seen:
        return UnexpectedPayload(operation, "a marker came twice, the pages go in a circle")
    if empty_pages >= MOST_EMPTY_PAGES:
        return UnexpectedPayload(operation, f"{MOST_EMPTY_PAGES} empty pages in a row, and more are claimed")
    return None


class _PageJoiner:
    """Puts together what pages have cut: keeps the page before, and holds its last shipment back.

    Whole rows are handed out as they come: a later copy with fewer items is no half of a shipment.
    """

    def __init__(self, *, whole_rows: bool) -> None:
        self._whole_rows = whole_rows
        self._before: dict[str, Shipment] = {}
        self._held: Shipment | None = None
        self._unreadable_before: set[str] = set()

    def join(self, answer: SearchAnswer, *, is_last: bool) -> tuple[tuple[Shipment, ...], tuple[Unreadable, ...]]:
        """The shipments and holes to hand out with this page."""
        if self._whole_rows:
            return answer.shipments, answer.unreadable
        unreadable = list(answer.unreadable)
        shipments = {self._held.flipkart_shipment_id: self._held} if self._held else {}
        for shipment in answer.shipments:
            shipment_id = shipment.flipkart_shipment_id
            try:
                earlier = self._before.get(shipment_id)
                shipments[shipment_id] = join(earlier, shipment) if earlier else shipment
            except Contradiction as error:
                unreadable.append(_contradicts(shipment_id, error))
        # An unreadable row makes its whole shipment unreadable: with an item missing it would be packed short.
        holes = {hole.flipkart_shipment_id for hole in unreadable}
        for shipment_id in holes | self._unreadable_before:
            shipments.pop(shipment_id, None)
        self._before = shipments
        self._unreadable_before = holes
        self._held = list(shipments.values())[-1] if shipments and not is_last else None
        handed_out = tuple(shipment for shipment in shipments.values() if shipment is not self._held)
        return handed_out, tuple(unreadable)

    def rest(self) -> tuple[Shipment, ...]:
        """What is still held back."""
        return (self._held,) if self._held else ()


def _contradicts(shipment_id: str, error: Contradiction) -> Unreadable:
    return Unreadable(
        flipkart_shipment_id=shipment_id, path=error.field_name, says="another one on the page before, same shipment"
    )
