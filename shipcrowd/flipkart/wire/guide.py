"""The JSON of the integration guide, sections 1.4 to 3.3, into our types and back; what it left open: "guide-gaps n".

Strict about what is used and blind to the rest: unknown fields are ignored; a field that is absent or null says
nothing; one that is missing where it must be there, or of another type, makes its row unreadable with its path, and
the other rows live.
"""

import base64
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import quote, unquote

from shipcrowd.flipkart.joining import Contradiction, join
from shipcrowd.flipkart.times import format_time, parse_time
from shipcrowd.flipkart.types import (
    Abilities,
    Address,
    Limits,
    Page,
    Papers,
    PaymentType,
    RowOutcome,
    SearchAnswer,
    Shipment,
    ShipmentItem,
    ShippingDetails,
    ShippingDetailsPage,
    State,
    Token,
    Unreadable,
)
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import RowError, UnexpectedPayload, safe_code, safe_path
from shipcrowd.transport.json_body import Node, Twice, parse_json, storable

NAME = "guide"
# Guide 1.4 and 8.1.
HOSTS: Mapping[str, str] = MappingProxyType(
    {"production": "https://api.flipkart.net", "sandbox": "https://sandbox-api.flipkart.net"}
)
# Guide 2.1 pages by 50; the others are guide-gaps 9, below Flipkart's published limits.
LIMITS = Limits(page=50, ids=50, labels=20, dispatch=25)
ABILITIES = Abilities(
    search_by_change=False,  # guide 2.1 filters by orderDate only
    says_change_time=False,  # guide-gaps 20
    buyer_in_search=True,
    papers_apart=True,
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
SCOPE = "Seller_Api"
TOKEN_LIFE = timedelta(minutes=55)

_TOKEN_PATH = "/oauth-service/oauth/token"  # noqa: S105 - a path
_AUTHORIZE_PATH = "/oauth-service/oauth/authorize"
_PAYMENT_FILTER = {PaymentType.PREPAID: "postpaid", PaymentType.COD: "cod"}  # guide-gaps 13, taken literally
# An id goes into a path: dots alone would climb out of it, and a comma or a slash would make two of one.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}\Z")
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}\Z")
_MARKER_LENGTH = 8192
_MESSAGE_LENGTH = 500
_MOST_ERRORS = 100
_PAPERS = ("label", "invoice", "manifest")


# -- tokens (guide 1.4 to 1.6) --------------------------------------------------------------------------------------


def token_life(expires_in: timedelta) -> timedelta:  # noqa: ARG001 - the shape of every wire
    """How long to believe a token: 55 minutes, whatever expires_in claims, for it dies after an hour (guide 1.6)."""
    return TOKEN_LIFE


def encode_authorize(*, client_id: str, redirect_uri: str, state: str) -> Request:
    """Where the seller consents, in the seller's own browser. Source: guide 1.5 step 1."""
    query = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": state,
        "response_type": "code",
    }
    return Request("GET", _AUTHORIZE_PATH, operation="authorize", query=query)


def encode_client_credentials(*, client_id: str, client_secret: str, basic: bool) -> Request:
    """A seller's own application; credentials in the form, or by Basic. Source: guide 1.4."""
    form = {"grant_type": "client_credentials", "scope": SCOPE}
    if basic:
        return _token_request(form, basic_auth=(client_id, client_secret))
    return _token_request({**form, "client_id": client_id, "client_secret": client_secret})


def encode_code(*, client_id: str, client_secret: str, code: str, redirect_uri: str) -> Request:
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


def decode_token(answer: Answer) -> Token:
    """Source: guide 1.4 and 1.5. A token with characters that no header may hold is refused."""
    root = _root(answer, "token")
    kind = root.get("token_type")
    if not kind.is_absent and kind.word().lower() != "bearer":
        kind.fail("not a bearer token")
    refresh_token = root.get("refresh_token")
    expires_in = root.get("expires_in")
    return Token(
        access_token=_token_text(root.get("access_token")),
        refresh_token=None if refresh_token.is_absent else _token_text(refresh_token),
        # A claim that token_life does not believe anyway: without it the token is as good.
        expires_in=timedelta(0) if expires_in.is_absent else timedelta(seconds=expires_in.count(most=10**9)),
    )


def _token_request(form: Mapping[str, str], *, basic_auth: tuple[str, str] | None = None) -> Request:
    return Request("POST", _TOKEN_PATH, operation="token", form=form, basic_auth=basic_auth, read_errors=read_errors)


def _token_text(node: Node) -> str:
    token = node.word()
    return token if _TOKEN.match(token) else node.fail("not a token")


# -- shipments (guide 2.1 to 2.3) -----------------------------------------------------------------------------------


def encode_search(
    *,
    states: Collection[State],
    ordered_from: datetime,
    ordered_until: datetime,
    payment_type: PaymentType | None,
    skus: Sequence[str],
    marker: str | None,
) -> Request:
    """One page of shipments in any of `states`, ordered in the window (both ends included, to the millisecond).

    States that this format does not know as a filter are left out, for no shipment can be found by them.
    Raises ValueError when none is left, for naive times, and for an unknown payment type. Source: guide 2.1.
    """
    words = [state.value for state in State if state in states and state in ABILITIES.searchable]
    if not words:
        raise ValueError("a search names at least one state that the guide lists")
    order_date = {"fromDate": format_time(ordered_from), "toDate": format_time(_ceiling(ordered_until))}
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


def decode_search(answer: Answer) -> SearchAnswer:
    """A page and the marker of the next; of nextPageUrl nothing else is used (guide-gaps 12). Source: guide 2.1."""
    root = _root(answer, "search")
    shipments, unreadable = _decode_rows(root)
    try:
        return SearchAnswer(shipments=shipments, unreadable=unreadable, next_marker=_next_marker(root))
    except UnexpectedPayload as error:
        # The rows are good: they are handed on, and then the walk ends with this.
        return SearchAnswer(shipments=shipments, unreadable=unreadable, trouble=error.problem, trouble_path=error.path)


def encode_shipments(shipment_ids: Sequence[str]) -> Request:
    """Source: guide 2.2."""
    return _by_ids("GET", shipment_ids, "", "shipments", LIMITS.ids)


def decode_shipments(answer: Answer) -> Page:
    """Shipments as the search shows them; those that Flipkart does not know are just not there. Source: guide 2.2."""
    shipments, unreadable = _decode_rows(_root(answer, "shipments"))
    return Page(shipments=shipments, unreadable=unreadable)


def encode_shipping_details(shipment_ids: Sequence[str]) -> Request:
    """Source: guide 2.3."""
    return _by_ids("GET", shipment_ids, "/shippingDetails", "shipping_details", LIMITS.ids)


def decode_shipping_details(answer: Answer) -> ShippingDetailsPage:
    """Tracking and addresses; a row that cannot be read is kept apart. Source: guide 2.3."""
    details: dict[str, ShippingDetails] = {}
    unreadable: list[Unreadable] = []
    for row in _root(answer, "shipping_details").get("shippingDetails").rows():
        try:
            shipment_id = _id(row.get("shipmentId"))
            details[shipment_id] = ShippingDetails(
                flipkart_shipment_id=shipment_id,
                tracking_id=row.get("trackingId").text(),
                courier=row.get("shippingProvider").text(),
                delivery_address=_address(row.get("deliveryAddress")),
                billing_address=_address(row.get("billingAddress")),
            )
        except UnexpectedPayload as error:
            unreadable.append(_unreadable(row, error))
    return ShippingDetailsPage(details=tuple(details.values()), unreadable=tuple(unreadable))


def _decode_rows(root: Node) -> tuple[tuple[Shipment, ...], tuple[Unreadable, ...]]:
    """The rows of `shipments`, joined by shipment (guide-gaps 22).

    One unreadable row makes its whole shipment unreadable: with an item missing it would be packed short.
    """
    shipments: dict[str, Shipment] = {}
    unreadable: list[Unreadable] = []
    for row in root.get("shipments").rows():
        try:
            shipment = _shipment(row)
            earlier = shipments.get(shipment.flipkart_shipment_id)
            shipments[shipment.flipkart_shipment_id] = _joined(row, earlier, shipment) if earlier else shipment
        except UnexpectedPayload as error:
            unreadable.append(_unreadable(row, error))
    for hole in unreadable:
        shipments.pop(hole.flipkart_shipment_id, None)
    return tuple(shipments.values()), tuple(unreadable)


def _shipment(row: Node) -> Shipment:
    item = _item(row)
    buyer = row.get("buyerDetails")
    invoice = row.get("invoice")
    return Shipment(
        flipkart_shipment_id=_id(row.get("shipmentId")),
        flipkart_order_id=_id(row.get("orderId")),
        ordered_at=_required_time(row.get("orderDate")),
        state=item.state,
        state_word=item.state_word,
        is_on_hold=row.get("hold").flag(),  # guide-gaps 11
        dispatch_after_at=_required_time(row.get("dispatchAfterDate")),
        dispatch_by_at=_required_time(row.get("dispatchByDate")),
        deliver_by_at=_time(row.get("deliveryDate")),
        flipkart_location_id=row.get("facilityId").required_text(),
        location_name=row.get("facilityName").text(),
        payment_type=_payment_type(row.get("paymentType")),
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
        flipkart_order_item_id=_id(row.get("orderItemId")),
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


def _payment_type(node: Node) -> PaymentType:
    """Guide-gaps 13: absent or another word is unknown."""
    word = node.text()
    return PaymentType(word) if word in PaymentType.__members__ else PaymentType.UNKNOWN


def _next_marker(root: Node) -> str | None:
    """None at the end; raises UnexpectedPayload when more is claimed and no marker says how to get it."""
    has_more = root.get("hasMore")
    if has_more.is_absent:
        has_more.fail("missing")
    if not has_more.flag():
        return None
    url = root.get("nextPageUrl")
    marker = marker_of(url.required_text())
    return marker if marker is not None else url.fail("no marker, though more is claimed")


def marker_of(next_page_url: str) -> str | None:
    """The marker in the query of `next_page_url`, None unless there is exactly one; host and path are not looked at.

    "+" stays "+": markers are base64, in which a space has no place.
    """
    query = next_page_url.partition("#")[0].partition("?")[2]
    pairs = [part.partition("=") for part in query.split("&")]
    markers = {unquote(value) for name, _, value in pairs if name == "marker" and value}
    if len(markers) != 1:
        return None
    marker = markers.pop()
    is_storable = marker.isprintable() and "\ufffd" not in marker
    return marker if is_storable and len(marker) <= _MARKER_LENGTH else None


# -- labels and dispatch (guide 3.1 to 3.3) -------------------------------------------------------------------------


def encode_generate_labels(shipment_ids: Sequence[str]) -> Request:
    """An effect: the shipments become PACKED. Source: guide 3.1."""
    return _by_ids("POST", shipment_ids, "/labels", "generate_labels", LIMITS.labels)


def decode_generate_labels(answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]:
    """One outcome per id asked; ok means accepted, not packed: only the shipment or its label tells (guide-gaps 8).

    SUCCESS and PARTIAL accept what `failed` does not name; any other word leaves it open (ok None, the word as code).
    """
    root = _root(answer, "generate_labels")
    status = root.get("status").word()
    accepted = True if status in ("SUCCESS", "PARTIAL") else None
    failed = {outcome.id: outcome for outcome in _outcomes(root.get("failed"), ok=False)}
    word = "" if accepted else safe_code(status)
    return tuple(
        failed.get(shipment_id) or RowOutcome(id=shipment_id, ok=accepted, code=word)
        for shipment_id in _once(shipment_ids)
    )


def encode_download_labels(shipment_ids: Sequence[str]) -> Request:
    """Source: guide 3.2."""
    return _by_ids("GET", shipment_ids, "/labels", "download_labels", LIMITS.labels)


def decode_download_labels(answer: Answer, shipment_ids: Sequence[str]) -> tuple[Papers, ...]:
    """Papers per id asked, in order; all None where nothing came: not ready yet (guide, Issue 2: "empty response").

    Source: guide 3.2.
    """
    papers: dict[str, Papers] = {}
    for row in _label_rows(answer):
        shipment_id = row.value.get("shipmentId") if isinstance(row.value, dict) else None
        if isinstance(shipment_id, str) and shipment_id in shipment_ids:
            papers[shipment_id] = _more_papers(papers.get(shipment_id), _papers(row, shipment_id))
    return tuple(
        papers.get(shipment_id) or Papers(flipkart_shipment_id=shipment_id) for shipment_id in _once(shipment_ids)
    )


def encode_dispatch(shipment_ids: Sequence[str]) -> Request:
    """An effect: the shipments become READY_TO_DISPATCH. Source: guide 3.3."""
    body = {"shipmentIds": _checked_ids(shipment_ids, LIMITS.dispatch)}
    return Request("POST", "/v3/shipments/dispatch", operation="dispatch", json=body, read_errors=read_errors)


def decode_dispatch(answer: Answer, shipment_ids: Sequence[str]) -> tuple[RowOutcome, ...]:
    """One outcome per id asked, in order; None where in neither list or in both. Source: guide 3.3, guide-gaps 7."""
    root = _root(answer, "dispatch")
    successful, failed = root.get("successful"), root.get("failed")
    if successful.is_absent and failed.is_absent:
        successful.fail("missing")
    done = {outcome.id for outcome in _outcomes(successful, ok=True)}
    refused = {outcome.id: outcome for outcome in _outcomes(failed, ok=False)}
    return tuple(
        refused[shipment_id]
        if shipment_id in refused and shipment_id not in done
        else RowOutcome(id=shipment_id, ok=True if shipment_id in done and shipment_id not in refused else None)
        for shipment_id in _once(shipment_ids)
    )


def _outcomes(rows: Node, *, ok: bool) -> Iterator[RowOutcome]:
    """A row is an id, or an object with shipmentId, errorCode, errorMessage (guide-gaps 7); others name nobody."""
    for row in () if rows.is_absent else rows.rows():
        if isinstance(row.value, str):
            yield RowOutcome(id=row.value, ok=ok)
        elif isinstance(row.value, dict) and isinstance(shipment_id := row.value.get("shipmentId"), str):
            message = row.value.get("errorMessage")
            yield RowOutcome(
                id=shipment_id,
                ok=ok,
                code=safe_code(row.value.get("errorCode")),
                message=storable(message)[:_MESSAGE_LENGTH] if isinstance(message, str) else "",
            )


def _label_rows(answer: Answer) -> Iterator[Node]:
    if not answer.body.strip():
        return
    rows = _root(answer, "download_labels").get("labelResponses")
    if not rows.is_absent:
        yield from rows.rows()


def _papers(row: Node, shipment_id: str) -> Papers:
    notes: list[str] = []
    papers = {name: _paper(row.value.get(name), name, notes) for name in _PAPERS}
    return Papers(flipkart_shipment_id=shipment_id, notes=tuple(notes), **papers)


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
    return Papers(flipkart_shipment_id=later.flipkart_shipment_id, notes=tuple(notes), **papers)


# -- refusals, ids and times ----------------------------------------------------------------------------------------


def read_errors(body: bytes) -> tuple[RowError, ...]:
    """The codes in an error body, as far as they look like codes: `errors` rows, or OAuth's `error` (guide-gaps 10)."""
    try:
        root = parse_json(body, operation="error")
    except UnexpectedPayload:
        return ()
    if not isinstance(root, dict):
        return ()
    rows = root.get("errors")
    if isinstance(rows, list):
        return tuple(
            RowError(code=safe_code(row.get("code")), path=safe_path(row.get("path")))
            for row in rows[:_MOST_ERRORS]
            if isinstance(row, dict)
        )
    code = safe_code(root.get("error"))
    return (RowError(code=code),) if code else ()


def _root(answer: Answer, operation: str) -> Node:
    return Node(value=parse_json(answer.body, operation=operation), operation=operation)


def _by_ids(method: str, shipment_ids: Sequence[str], tail: str, operation: str, limit: int) -> Request:
    ids = ",".join(quote(shipment_id, safe="") for shipment_id in _checked_ids(shipment_ids, limit))
    return Request(method, f"/v3/shipments/{ids}{tail}", operation=operation, read_errors=read_errors)


def _checked_ids(shipment_ids: Sequence[str], limit: int) -> list[str]:
    """The ids, each once. Raises ValueError for none, for more than `limit`, and for one that is no id."""
    ids = _once(shipment_ids)
    if not 1 <= len(ids) <= limit:
        raise ValueError(f"one call carries 1 to {limit} shipments, not {len(ids)}")
    if not all(_ID.match(shipment_id) for shipment_id in ids):
        raise ValueError("a shipment id holds letters, digits and . _ : - only")
    return ids


def _once(shipment_ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(shipment_ids))


def _id(node: Node) -> str:
    text = node.required_text()
    return text if _ID.match(text) else node.fail("not an id")


def _unreadable(row: Node, error: UnexpectedPayload) -> Unreadable:
    shipment_id = ""
    is_told_once = not (isinstance(row.value, Twice) and row.value.key == "shipmentId")
    if isinstance(row.value, dict) and is_told_once:
        try:
            shipment_id = _id(Node(value=row.value.get("shipmentId"), operation=row.operation))
        except UnexpectedPayload:
            shipment_id = ""  # the id itself is what cannot be read
    return Unreadable(flipkart_shipment_id=shipment_id, path=error.path, says=error.problem)


def _time(node: Node) -> datetime | None:
    if node.is_absent:
        return None
    try:
        return parse_time(node.word())
    except ValueError:
        says = "not a time"
    return node.fail(says)


def _required_time(node: Node) -> datetime:
    return _time(node) or node.fail("missing")


def _ceiling(at: datetime) -> datetime:
    """The next whole millisecond: the wire cuts the rest off, and the window must not end early."""
    return at + timedelta(microseconds=-at.microsecond % 1000)
