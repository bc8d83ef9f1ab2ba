"""The JSON of the integration guide, sections 1.4 to 3.3, into our types and back; what it left open: "guide-gaps n".

Strict about what is used and blind to the rest: unknown fields are ignored; a field that is absent or null says
nothing; one that is missing where it must be there, or of another type, makes its row unreadable with its path, and
the other rows live.
"""

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from urllib.parse import quote

from shipcrowd.flipkart.joining import Contradiction, join
from shipcrowd.flipkart.times import format_time
from shipcrowd.flipkart.types import (
    Abilities,
    Address,
    Download,
    Limits,
    Page,
    Papers,
    Parcel,
    PaymentType,
    RowOutcome,
    SearchAnswer,
    SearchPart,
    Shipment,
    ShipmentItem,
    ShippingDetails,
    ShippingDetailsPage,
    Span,
    State,
    Unreadable,
    Window,
)
from shipcrowd.flipkart.wire.grants import SCOPE, TOKEN_PATH, decode_token, encode_authorize
from shipcrowd.flipkart.wire.values import (
    HOSTS,
    ceiling,
    checked_ids,
    id_of,
    marker_in,
    next_marker,
    once,
    outcome_of,
    payment_type_of,
    read_errors,
    required_time_of,
    root_of,
    time_of,
    unreadable,
)
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import UnexpectedPayload, safe_code
from shipcrowd.transport.json_body import Node

__all__ = [
    "ABILITIES",
    "HOSTS",
    "LIMITS",
    "NAME",
    "decode_dispatch",
    "decode_download_labels",
    "decode_generate_labels",
    "decode_search",
    "decode_shipments",
    "decode_shipping_details",
    "decode_token",
    "encode_authorize",
    "encode_client_credentials",
    "encode_code",
    "encode_dispatch",
    "encode_download_labels",
    "encode_generate_labels",
    "encode_refresh",
    "encode_search",
    "encode_shipments",
    "encode_shipping_details",
    "searches",
    "token_life",
]

NAME = "guide"
# Guide 2.1 pages by 50; the others are guide-gaps 9, below Flipkart's published limits.
LIMITS = Limits(page=50, ids=50, details=50, labels=20, papers=20, dispatch=25)
ABILITIES = Abilities(
    search_by_change=False,  # guide 2.1 filters by orderDate only
    whole_rows=False,  # guide-gaps 22
    says_change_time=False,  # guide-gaps 20
    buyer_in_search=True,
    tracking_in_search=True,
    papers_apart=True,
    pack_wants_parcels=False,
    packs_later=False,
    dispatch_by_location=False,
    searchable=frozenset(  # guide 2.1, filter parameters
        {
            State.APPROVED,
            State.READY_TO_PACK,
            State.PACKED,
            State.READY_TO_DISPATCH,
            State.SHIPPED,
            State.DELIVERED,
            State.CANCELLED,
        }
    ),
)
TOKEN_LIFE = timedelta(minutes=55)

_PAYMENT_FILTER = {PaymentType.PREPAID: "postpaid", PaymentType.COD: "cod"}  # guide-gaps 13, taken literally
_PART = "orders"
_PAPERS = ("label", "invoice", "manifest")


# -- tokens (guide 1.4 to 1.6) --------------------------------------------------------------------------------------


def token_life(expires_in: timedelta) -> timedelta:  # noqa: ARG001 - the shape of every wire
    """How long to believe a token: 55 minutes, whatever expires_in claims, for it dies after an hour (guide 1.6)."""
    return TOKEN_LIFE


def encode_client_credentials(*, client_id: str, client_secret: str, basic: bool) -> Request:
    """A seller's own application; credentials in the form, or by Basic. Source: guide 1.4."""
    form = {"grant_type": "client_credentials", "scope": SCOPE}
    if basic:
        return _token_request(form, basic_auth=(client_id, client_secret))
    return _token_request({**form, "client_id": client_id, "client_secret": client_secret})


def encode_code(*, client_id: str, client_secret: str, code: str, redirect_uri: str, state: str) -> Request:  # noqa: ARG001 - of another wire
    """The code that came with the callback, for a token. Source: guide 1.5 step 3."""
    return _token_request(
        {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": client_id,
            "client_secret": client_secret,
            "redirect_uri": redirect_uri,
        }
    )


def encode_refresh(*, client_id: str, client_secret: str, refresh_token: str) -> Request:
    """Source: guide-gaps 14."""
    return _token_request(
        {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": client_id,
            "client_secret": client_secret,
        }
    )


def _token_request(form: Mapping[str, str], *, basic_auth: tuple[str, str] | None = None) -> Request:
    return Request("POST", TOKEN_PATH, operation="token", form=form, basic_auth=basic_auth, read_errors=read_errors)


# -- shipments (guide 2.1 to 2.3) -----------------------------------------------------------------------------------


def searches(states: Collection[State]) -> tuple[SearchPart, ...]:
    """One search, for those of `states` that this format knows as a filter; none when it knows none of them."""
    known = tuple(state for state in State if state in states and state in ABILITIES.searchable)
    return (SearchPart(name=_PART, states=known),) if known else ()


def encode_search(
    *, part: SearchPart, window: Window, payment_type: PaymentType | None, skus: Sequence[str], marker: str | None
) -> Request:
    """One page of shipments in the states of `part`, ordered in the window (to the millisecond).

    Raises ValueError for a window of changes, for naive times, and for an unknown payment type. Source: guide 2.1.
    """
    if window.of is not Span.ORDERED:
        raise ValueError("the guide searches by order date only")
    words = [state.value for state in part.states]
    order_date = {"fromDate": format_time(window.begins_at), "toDate": format_time(ceiling(window.ends_at))}
    filter_: dict[str, object] = {"states": words, "orderDate": order_date}
    if payment_type is not None:
        if payment_type not in _PAYMENT_FILTER:
            raise ValueError("a search is for prepaid or for cash on delivery")
        filter_["type"] = _PAYMENT_FILTER[payment_type]
    if skus:
        filter_["skus"] = list(skus)
    pagination: dict[str, object] = {"pageSize": LIMITS.page}
    if marker is not None:
        pagination["marker"] = marker
    body = {"filter": filter_, "pagination": pagination}
    return Request("POST", "/v3/orders/search", operation="search", json=body, read_errors=read_errors)


def decode_search(answer: Answer, part: SearchPart) -> SearchAnswer:  # noqa: ARG001 - the shape of every wire
    """A page and the marker of the next; of nextPageUrl nothing else is used (guide-gaps 12). Source: guide 2.1."""
    root = root_of(answer, "search")
    shipments, unreadable = _decode_rows(root)
    try:
        marker = next_marker(root, partial(marker_in, name="marker"))
        return SearchAnswer(shipments=shipments, unreadable=unreadable, next_marker=marker)
    except UnexpectedPayload as error:
        # The rows are good: they are handed on, and then the walk ends with this.
        return SearchAnswer(shipments=shipments, unreadable=unreadable, trouble=error.problem, trouble_path=error.path)


def encode_shipments(shipment_ids: Sequence[str]) -> Request:
    """Source: guide 2.2."""
    return _by_ids("GET", shipment_ids, "", "shipments", LIMITS.ids)


def decode_shipments(answer: Answer) -> Page:
    """Shipments as the search shows them; those that Flipkart does not know are just not there. Source: guide 2.2."""
    shipments, unreadable = _decode_rows(root_of(answer, "shipments"))
    return Page(shipments=shipments, unreadable=unreadable)


def encode_shipping_details(shipment_ids: Sequence[str]) -> Request:
    """Source: guide 2.3."""
    return _by_ids("GET", shipment_ids, "/shippingDetails", "shipping_details", LIMITS.details)


def decode_shipping_details(answer: Answer) -> ShippingDetailsPage:
    """Tracking and addresses; a row that cannot be read is kept apart. Source: guide 2.3."""
    details: dict[str, ShippingDetails] = {}
    holes: list[Unreadable] = []
    for row in root_of(answer, "shipping_details").get("shippingDetails").rows():
        try:
            shipment_id = id_of(row.get("shipmentId"))
            details[shipment_id] = ShippingDetails(
                flipkart_shipment_id=shipment_id,
                tracking_id=row.get("trackingId").text(),
                courier=row.get("shippingProvider").text(),
                delivery_address=_address(row.get("deliveryAddress")),
                billing_address=_address(row.get("billingAddress")),
            )
        except UnexpectedPayload as error:
            holes.append(unreadable(row, error))
    return ShippingDetailsPage(details=tuple(details.values()), unreadable=tuple(holes))


def _decode_rows(root: Node) -> tuple[tuple[Shipment, ...], tuple[Unreadable, ...]]:
    """The rows of `shipments`, joined by shipment (guide-gaps 22).

    One unreadable row makes its whole shipment unreadable: with an item missing it would be packed short.
    """
    shipments: dict[str, Shipment] = {}
    holes: list[Unreadable] = []
    for row in root.get("shipments").rows():
        try:
            shipment = _shipment(row)
            earlier = shipments.get(shipment.flipkart_shipment_id)
            shipments[shipment.flipkart_shipment_id] = _joined(row, earlier, shipment) if earlier else shipment
        except UnexpectedPayload as error:
            holes.append(unreadable(row, error))
    for hole in holes:
        shipments.pop(hole.flipkart_shipment_id, None)
    return tuple(shipments.values()), tuple(holes)


def _shipment(row: Node) -> Shipment:
    item = _item(row)
    buyer = row.get("buyerDetails")
    invoice = row.get("invoice")
    return Shipment(
        flipkart_shipment_id=id_of(row.get("shipmentId")),
        flipkart_order_id=id_of(row.get("orderId")),
        ordered_at=required_time_of(row.get("orderDate")),
        state=item.state,
        state_word=item.state_word,
        is_on_hold=row.get("hold").flag(),  # guide-gaps 11
        dispatch_after_at=required_time_of(row.get("dispatchAfterDate")),
        dispatch_by_at=required_time_of(row.get("dispatchByDate")),
        deliver_by_at=time_of(row.get("deliveryDate")),
        flipkart_location_id=row.get("facilityId").required_text(),
        location_name=row.get("facilityName").text(),
        payment_type=payment_type_of(row.get("paymentType")),
        cod_amount=row.get("codAmount").rupees(),
        tracking_id=row.get("trackingId").text(),
        courier=row.get("shippingProvider").text(),
        invoice_number="" if invoice.is_absent else invoice.get("invoiceNumber").text(),
        items=(item,),
        buyer_name="" if buyer.is_absent else buyer.get("name").text(),
        buyer_phone="" if buyer.is_absent else buyer.get("phone").text(),
        shipping_address=_address(row.get("shippingAddress")),
    )


def _item(row: Node) -> ShipmentItem:
    state_word = row.get("state").word()
    return ShipmentItem(
        flipkart_order_item_id=id_of(row.get("orderItemId")),
        sku=row.get("sku").required_text(),
        fsn=row.get("fsn").text(),
        hsn=row.get("hsn").text(),
        title=row.get("productTitle").text(),
        quantity=row.get("quantity").count(),
        mrp=row.get("mrp").rupees(),
        selling_price=row.get("sellingPrice").rupees(),
        total_price=row.get("totalPrice").rupees(),
        state=State.of_word(state_word),
        state_word=state_word,
    )


def _joined(row: Node, earlier: Shipment, later: Shipment) -> Shipment:
    names = {"flipkart_order_id": "orderId", "flipkart_location_id": "facilityId"}
    try:
        return join(earlier, later)
    except Contradiction as error:
        contradicted = row.get(names[error.field_name])
    return contradicted.fail("another one in an earlier row of this shipment")


def _address(node: Node) -> Address | None:
    if node.is_absent:
        return None
    return Address(
        name=node.get("name").text(),
        line1=node.get("addressLine1").text(),
        line2=node.get("addressLine2").text(),
        landmark=node.get("landmark").text(),
        city=node.get("city").text(),
        state=node.get("state").text(),
        state_code=node.get("stateCode").text(),
        pincode=node.get("pincode").text(),
        phone=node.get("phone").text(),
    )


# -- labels and dispatch (guide 3.1 to 3.3) -------------------------------------------------------------------------


def encode_generate_labels(parcels: Sequence[Parcel]) -> Request:
    """An effect: the shipments become PACKED. Only their ids are sent. Source: guide 3.1."""
    shipment_ids = [parcel.flipkart_shipment_id for parcel in parcels]
    return _by_ids("POST", shipment_ids, "/labels", "generate_labels", LIMITS.labels)


def decode_generate_labels(answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]:
    """One outcome per id asked; ok means accepted, not packed: only the shipment or its label tells (guide-gaps 8).

    SUCCESS and PARTIAL accept what `failed` does not name; any other word leaves it open (ok None, the word as code).
    """
    root = root_of(answer, "generate_labels")
    status = root.get("status").word()
    accepted = True if status in ("SUCCESS", "PARTIAL") else None
    failed = {outcome.id: outcome for outcome in _outcomes(root.get("failed"), ok=False)}
    word = "" if accepted else safe_code(status)
    return tuple(
        failed.get(shipment_id) or RowOutcome(id=shipment_id, ok=accepted, code=word)
        for shipment_id in once(shipment_ids)
    )


def encode_download_labels(shipment_ids: Sequence[str]) -> Request:
    """Source: guide 3.2."""
    return _by_ids("GET", shipment_ids, "/labels", "download_labels", LIMITS.papers)


def decode_download_labels(answer: Answer, shipment_ids: Sequence[str]) -> Download:
    """Papers per id asked, in order; all None where nothing came: not ready yet (guide, Issue 2: "empty response").

    Source: guide 3.2.
    """
    papers: dict[str, Papers] = {}
    for row in _label_rows(answer):
        shipment_id = row.value.get("shipmentId") if isinstance(row.value, dict) else None
        if isinstance(shipment_id, str) and shipment_id in shipment_ids:
            papers[shipment_id] = _more_papers(papers.get(shipment_id), _papers(row, shipment_id))
    apart = (papers.get(shipment_id) or Papers(flipkart_shipment_id=shipment_id) for shipment_id in once(shipment_ids))
    return Download(apart=tuple(apart))


def encode_dispatch(shipment_ids: Sequence[str], location_id: str) -> Request:  # noqa: ARG001 - the shape of every wire
    """An effect: the shipments become READY_TO_DISPATCH. Source: guide 3.3."""
    body = {"shipmentIds": checked_ids(shipment_ids, LIMITS.dispatch)}
    return Request("POST", "/v3/shipments/dispatch", operation="dispatch", json=body, read_errors=read_errors)


def decode_dispatch(answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]:
    """One outcome per id asked, in order; None where in neither list or in both. Source: guide 3.3, guide-gaps 7."""
    root = root_of(answer, "dispatch")
    successful, failed = root.get("successful"), root.get("failed")
    if successful.is_absent and failed.is_absent:
        successful.fail("missing")
    done = {outcome.id for outcome in _outcomes(successful, ok=True)}
    refused = {outcome.id: outcome for outcome in _outcomes(failed, ok=False)}
    return tuple(
        refused[shipment_id]
        if shipment_id in refused and shipment_id not in done
        else RowOutcome(id=shipment_id, ok=True if shipment_id in done and shipment_id not in refused else None)
        for shipment_id in once(shipment_ids)
    )


def _outcomes(rows: Node, *, ok: bool) -> Iterator[RowOutcome]:
    """A row is an id, or an object with shipmentId, errorCode, errorMessage (guide-gaps 7); others name nobody."""
    for row in () if rows.is_absent else rows.rows():
        if isinstance(row.value, str):
            yield RowOutcome(id=row.value, ok=ok)
        elif isinstance(row.value, dict) and isinstance(shipment_id := row.value.get("shipmentId"), str):
            yield outcome_of(shipment_id, row.value, ok=ok)


def _label_rows(answer: Answer) -> Iterator[Node]:
    if not answer.body.strip():
        return
    rows = root_of(answer, "download_labels").get("labelResponses")
    if not rows.is_absent:
        yield from rows.rows()


def _papers(row: Node, shipment_id: str) -> Papers:
    notes: list[str] = []
    papers = {name: _paper(row.value.get(name), name, notes) for name in _PAPERS}
    return Papers(
        flipkart_shipment_id=shipment_id,
        notes=tuple(notes),
        label=papers["label"],
        invoice=papers["invoice"],
        manifest=papers["manifest"],
    )


def _paper(value: object, name: str, notes: list[str]) -> bytes | None:
    """The bytes of one paper; null, an empty object and an empty text are "not ready"; what they are is not judged."""
    text = value.get("base64String") if isinstance(value, dict) else value
    if text is None or text == "":
        return None
    try:
        if not isinstance(value, dict) or not isinstance(text, str):
            raise ValueError
        # Line breaks are usual in base64 (MIME); anything else that does not belong is a broken paper.
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:  # binascii.Error is one
        notes.append(f"{name}: not base64")
        return None


def _more_papers(earlier: Papers | None, later: Papers) -> Papers:
    """A shipment in two rows: what only one has, and nothing where they differ, for nobody knows which is its own."""
    if earlier is None:
        return later
    notes = [*earlier.notes, *later.notes]
    papers: dict[str, bytes | None] = {}
    for name in _PAPERS:
        first, second = getattr(earlier, name), getattr(later, name)
        differs = f"{name}: sent twice, differently"
        if first and second and first != second:
            notes.append(differs)
        papers[name] = None if differs in notes else first or second
    return Papers(
        flipkart_shipment_id=later.flipkart_shipment_id,
        notes=tuple(notes),
        label=papers["label"],
        invoice=papers["invoice"],
        manifest=papers["manifest"],
    )


# -- ids in a path ---------------------------------------------------------------------------------------------------


def _by_ids(method: str, shipment_ids: Sequence[str], tail: str, operation: str, limit: int) -> Request:
    ids = ",".join(quote(shipment_id, safe="") for shipment_id in checked_ids(shipment_ids, limit))
    return Request(method, f"/v3/shipments/{ids}{tail}", operation=operation, read_errors=read_errors)
