"""The seller API in the guide's format (2.1 to 2.3, 3.1 to 3.3; guide-gaps 7 to 13, 22), JSON values in and out."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from shipcrowd.simulator import documents
from shipcrowd.simulator.accounts import COURIER, Account, Item, Key, Refusal, Search, Shipment, State
from shipcrowd.simulator.faults import Fault
from shipcrowd.simulator.world import World

# guide-gaps 9 and 12.
LARGEST_PAGE = 50
MOST_IDS = 50
MOST_LABELS = 20
MOST_DISPATCHED = 25
DEFAULT_PAGE = 20
# States that the guide does not know, as what it would say of them.
GUIDE_WORDS = {
    State.PACKING_IN_PROGRESS: State.PACKED,
    State.FORM_FAILED: State.PACKED,
    State.PICKUP_COMPLETE: State.READY_TO_DISPATCH,
}
GUIDE_STATES = {state: [state, *(other for other, word in GUIDE_WORDS.items() if word == state)] for state in State}


class ApiError(Exception):
    """A whole call refused, as guide-gaps 10 writes it."""

    def __init__(self, status: int, code: str, message: str, path: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"errors": [{"code": code, "message": message} | ({"path": path} if path else {})]}


def search(world: World, account: Account, body: Any, fault: Fault | None) -> dict[str, Any]:
    """One page of POST /v3/orders/search; all rows of a shipment on one page. Raises ApiError. Source: guide 2.1."""
    wanted, page_size, marker = _read_search(body)
    with world.lock:
        after = _find_marker(account, marker)
        page: list[Shipment] = []
        rows = 0
        has_more = False
        for shipment in world.matching(account, wanted, after):
            if page and rows + len(shipment.items) > page_size:
                has_more = True
                break
            page.append(shipment)
            rows += len(shipment.items)
        following = _next_marker(world, account, wanted, page, marker, fault)
        answer: dict[str, Any] = {
            "shipments": [row for shipment in page for row in encode_rows(shipment)],
            "hasMore": has_more,
            "nextPageUrl": f"/v3/orders/search?{urlencode({'marker': following})}" if has_more else None,
        }
    if fault and fault.kind == "repeating_marker" and page:
        repeated = following if after is None else marker
        answer |= {"hasMore": True, "nextPageUrl": f"/v3/orders/search?{urlencode({'marker': repeated})}"}
    if fault and fault.kind == "has_more_without_marker":
        answer |= {"hasMore": True, "nextPageUrl": fault.options.get("url")}
    if fault and fault.kind == "foreign_next_page" and answer["nextPageUrl"]:
        answer["nextPageUrl"] = fault.options.get("prefix", "https://attacker.invalid") + answer["nextPageUrl"]
    return answer


def shipments(world: World, account: Account, shipment_ids: Sequence[str]) -> dict[str, Any]:
    """GET /v3/shipments/{ids}: ids that are not this account's are left out. Raises ApiError. Source: guide 2.2."""
    with world.lock:
        found = _found(world, account, shipment_ids, MOST_IDS)
        return {"shipments": [row for shipment in found for row in encode_rows(shipment)]}


def shipping_details(world: World, account: Account, shipment_ids: Sequence[str]) -> dict[str, Any]:
    """GET /v3/shipments/{ids}/shippingDetails. Raises ApiError. Source: guide 2.3."""
    with world.lock:
        found = _found(world, account, shipment_ids, MOST_IDS)
        return {"shippingDetails": [_encode_shipping(shipment) for shipment in found]}


def generate_labels(world: World, account: Account, shipment_ids: Sequence[str], fault: Fault | None) -> dict[str, Any]:
    """POST /v3/shipments/{ids}/labels: SUCCESS, or PARTIAL with `failed`. Source: guide 3.1, guide-gaps 8."""
    _check_count(shipment_ids, MOST_LABELS)
    _, failed = _each(world, account, shipment_ids, fault, "generate_labels", _packer(world, account, fault))
    if not failed:
        return {"status": "SUCCESS", "message": "Labels generated successfully"}
    return {"status": "PARTIAL", "message": "Some labels could not be generated", "failed": failed}


def download_labels(world: World, account: Account, shipment_ids: Sequence[str], fault: Fault | None) -> dict[str, Any]:
    """GET /v3/shipments/{ids}/labels. What is not ready comes as null, or without its keys. Source: guide 3.2."""
    now = world.clock()
    is_late = fault is not None and fault.kind == "late_labels"
    with world.lock:
        found = _found(world, account, shipment_ids, MOST_IDS)
        papers = [
            documents.paper_for(account, shipment)
            if shipment.label_ready_at and shipment.label_ready_at <= now and not is_late
            else None
            for shipment in found
        ]
    # Drawn outside of the lock: milliseconds a page.
    return {
        "labelResponses": [
            _encode_papers(shipment.shipment_id, paper, shipment.number)
            for shipment, paper in zip(found, papers, strict=True)
        ]
    }


def dispatch(world: World, account: Account, body: Any, fault: Fault | None) -> dict[str, Any]:
    """POST /v3/shipments/dispatch: every id in `successful` or in `failed`. Raises ApiError. Source: guide 3.3."""
    shipment_ids = body.get("shipmentIds") if isinstance(body, dict) else None
    if not isinstance(shipment_ids, list) or not all(isinstance(i, str) for i in shipment_ids):
        raise ApiError(400, "INVALID_REQUEST_JSON", "shipmentIds must be a list of ids", "shipmentIds")
    _check_count(shipment_ids, MOST_DISPATCHED)

    def do(shipment_id: str) -> None:
        world.dispatch(account, shipment_id)

    successful, failed = _each(world, account, shipment_ids, fault, "dispatch", do)
    if fault and fault.kind == "silent":
        successful = [i for i in successful if i not in unlucky(shipment_ids)]
    return {"successful": successful, "failed": failed}


def encode_rows(shipment: Shipment) -> list[dict[str, Any]]:
    """The flat rows of a shipment, one an item (guide 2.1, guide-gaps 18 and 22)."""
    return [_encode_row(shipment, item) for item in shipment.items]


def unlucky(shipment_ids: Sequence[str]) -> list[str]:
    """The half (at least one) that partial and silent faults befall."""
    return list(shipment_ids[: (len(shipment_ids) + 1) // 2])


def _encode_row(shipment: Shipment, item: Item) -> dict[str, Any]:
    goods = item.goods
    row: dict[str, Any] = {
        "shipmentId": shipment.shipment_id,
        "orderId": shipment.order_id,
        "orderDate": wire_time(shipment.ordered_at),
        "orderItemId": item.order_item_id,
        "quantity": item.shown,
        "sku": goods.sku,
        "fsn": goods.fsn,
        "hsn": goods.hsn,
        "productTitle": goods.title,
        "mrp": float(goods.mrp),
        "sellingPrice": float(goods.selling_price),
        "totalPrice": float(item.total_price),
        "dispatchByDate": wire_time(shipment.dispatch_by_at),
        "dispatchAfterDate": wire_time(shipment.dispatch_after_at),
        "deliveryDate": wire_time(shipment.deliver_by_at),
        "shippingProvider": COURIER,
        "trackingId": shipment.tracking_id or None,
        "invoice": {
            "invoiceDate": wire_time(shipment.packed_at or shipment.ordered_at),
            "invoiceNumber": shipment.invoice_number or None,
            "serialNumber": shipment.serial_number,
        },
        "state": str(State.CANCELLED if item.is_cancelled else GUIDE_WORDS.get(shipment.state, shipment.state)),
        "buyerDetails": {"name": shipment.buyer_name, "phone": shipment.phone, "alternatePhone": None},
        "shippingAddress": _encode_address(shipment) | {"landmark": shipment.landmark, "phone": shipment.phone},
        "facilityId": shipment.facility.facility_id,
        "facilityName": shipment.facility.name,
        "hold": shipment.is_on_hold,
        "paymentType": "COD" if shipment.is_cod else "PREPAID",
    }
    if shipment.is_cod:
        row["codAmount"] = float(item.total_price)
    return row


def _encode_shipping(shipment: Shipment) -> dict[str, Any]:
    billing = _encode_address(shipment)
    del billing["addressLine2"]
    return {
        "shipmentId": shipment.shipment_id,
        "trackingId": shipment.tracking_id or None,
        "shippingProvider": COURIER,
        "deliveryAddress": _encode_address(shipment) | {"phone": shipment.phone},
        "billingAddress": billing,
    }


def _encode_address(shipment: Shipment) -> dict[str, str]:
    return {
        "name": shipment.buyer_name,
        "addressLine1": shipment.address_line1,
        "addressLine2": shipment.address_line2,
        "city": shipment.place.city,
        "state": shipment.place.state,
        "pincode": shipment.place.pincode,
    }


def _encode_papers(shipment_id: str, paper: documents.Paper | None, number: int) -> dict[str, Any]:
    if paper is None:
        # Both ways of saying "not yet" are met: null, and a row without the keys.
        return {"shipmentId": shipment_id} | ({"label": None, "invoice": None, "manifest": None} if number % 2 else {})
    return {
        "shipmentId": shipment_id,
        "label": _encode_pdf(documents.render_label(paper)),
        "invoice": _encode_pdf(documents.render_invoice(paper)),
        "manifest": _encode_pdf(documents.render_manifest(paper)),
    }


def _encode_pdf(pdf: bytes) -> dict[str, str]:
    return {"base64String": base64.b64encode(pdf).decode(), "format": "PDF"}


def _each(
    world: World,
    account: Account,
    shipment_ids: Sequence[str],
    fault: Fault | None,
    operation: str,
    do: Callable[[str], None],
) -> tuple[list[str], list[Any]]:
    """Do one thing for each id: those that worked, and the rows of those that did not (guide-gaps 7)."""
    kind = fault.kind if fault else ""
    options = fault.options if fault else {}
    spared: list[str] = unlucky(shipment_ids) if kind == "partial" else []
    # "Accepted" says nothing about a shipment (guide-gaps 8): silent labels simply do not come.
    ignored = unlucky(shipment_ids) if kind == "silent" and operation == "generate_labels" else []
    successful: list[str] = []
    failed: list[Any] = []
    for shipment_id in shipment_ids:
        if shipment_id in ignored:
            continue
        try:
            if shipment_id in spared:
                code = str(options.get("code", "DEPENDENT_SYSTEM_CALL_FAILED"))
                world.refuse(operation, account, shipment_id, Refusal(code, "try again later"))
            do(shipment_id)
            successful.append(shipment_id)
        except Refusal as refusal:
            failed.append({"shipmentId": shipment_id, "errorCode": refusal.code, "errorMessage": str(refusal)})
    if kind == "contradicting":
        failed.append({"shipmentId": shipment_ids[0], "errorCode": "INTERNAL_SERVER_ERROR", "errorMessage": "unknown"})
        successful = list(dict.fromkeys([shipment_ids[0], *successful]))
    if kind == "foreign_ids":
        foreign = options.get("ids", ["SHIP9999999999"])
        successful += foreign
        failed += [
            {"shipmentId": i, "errorCode": "INVALID_SHIPMENTS", "errorMessage": "no such shipment"} for i in foreign
        ]
    if options.get("as_strings"):
        failed = [row["shipmentId"] for row in failed]
    return successful, failed


def _packer(world: World, account: Account, fault: Fault | None) -> Callable[[str], None]:
    delay = timedelta(seconds=fault.seconds(30)) if fault and fault.kind == "late_labels" else None

    def do(shipment_id: str) -> None:
        world.pack(account, shipment_id, label_delay=delay)

    return do


def _found(world: World, account: Account, shipment_ids: Sequence[str], most: int) -> list[Shipment]:
    _check_count(shipment_ids, most)
    found = world.visible(account, list(dict.fromkeys(shipment_ids)))
    if not found:
        raise ApiError(404, "INVALID_SHIPMENTS", "none of these shipments is known")
    return found


def _check_count(shipment_ids: Sequence[str], most: int) -> None:
    if not 1 <= len(shipment_ids) <= most or not all(shipment_ids):
        raise ApiError(400, "INVALID_REQUEST_ITEM_ID", f"between 1 and {most} shipment ids are wanted", "shipmentIds")


# The search's body


def _read_search(body: Any) -> tuple[Search, int, str]:
    """The filter, the page size and the marker ("" on the first page). Raises ApiError with the path of a mistake."""
    body = _mapping(body, "")
    wanted = _mapping(body.get("filter", {}), "filter")
    pagination = _mapping(body.get("pagination", {}), "pagination")
    page_size = pagination.get("pageSize", DEFAULT_PAGE)
    if not isinstance(page_size, int) or isinstance(page_size, bool) or not 1 <= page_size <= LARGEST_PAGE:
        raise _bad("pagination.pageSize", f"must be a number from 1 to {LARGEST_PAGE}")
    marker = pagination.get("marker", "")
    if not isinstance(marker, str):
        raise _bad("pagination.marker", "must be a text")
    dates = _mapping(wanted.get("orderDate", {}), "filter.orderDate")
    payment = wanted.get("type")
    if payment not in (None, "postpaid", "cod"):
        raise _bad("filter.type", "must be postpaid or cod")
    try:
        asked = [State(state) for state in _texts(wanted.get("states", []), "filter.states")]
        states = [state for word in asked if word not in GUIDE_WORDS for state in GUIDE_STATES[word]]
        if len(states) < len(asked):
            raise ValueError
    except ValueError:
        raise _bad("filter.states", "holds a state that does not exist") from None
    search = Search(
        states=states,
        ordered_from=_read_time(dates.get("fromDate"), "filter.orderDate.fromDate"),
        ordered_until=_read_time(dates.get("toDate"), "filter.orderDate.toDate"),
        # "postpaid (prepaid)" in the guide: guide-gaps 13.
        is_cod=None if payment is None else payment == "cod",
        skus=frozenset(_texts(wanted.get("skus", []), "filter.skus")),
    )
    return search, page_size, marker


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _bad(path or "body", "must be an object")
    return value


def _texts(value: Any, path: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise _bad(path, "must be a list of texts")
    return value


def _read_time(value: Any, path: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _bad(path, "must be an ISO 8601 time") from None
    if moment.tzinfo is None:
        raise _bad(path, "must have a zone")
    return moment


def _bad(path: str, says: str) -> ApiError:
    return ApiError(400, "INVALID_REQUEST_JSON", f"{path} {says}", path)


# Markers


def _next_marker(
    world: World, account: Account, wanted: Search, page: Sequence[Shipment], marker: str, fault: Fault | None
) -> str:
    """The marker behind this page: one shipment early or late where a fault says so."""
    if not page:
        return marker
    last = page[-1]
    if fault and fault.kind == "repeat_on_two_pages":
        return _encode_marker(page[-2]) if len(page) > 1 else marker
    if fault and fault.kind == "shifting_page":
        # The page moved up by one while it was walked: the first of the next page falls between the two.
        last = next(world.matching(account, wanted, last.key), last)
    return _encode_marker(last)


def _encode_marker(shipment: Shipment) -> str:
    return base64.b64encode(json.dumps({"shipmentId": shipment.shipment_id}, separators=(",", ":")).encode()).decode()


def _find_marker(account: Account, marker: str) -> Key | None:
    if not marker:
        return None
    try:
        shipment_id = json.loads(base64.b64decode(marker, validate=True))["shipmentId"]
        return account.shipments[shipment_id].key
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise _bad("pagination.marker", "is not one of ours") from None


def wire_time(moment: datetime) -> str:
    """2026-01-07T10:00:00.000Z, as the guide writes times."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
