"""A shipment's row, as search and order view show it, and the order view by id. Source: wire.md 3.1 and 3.2."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from shipcrowd.flipkart.joining import Contradiction, live_first, merge, state_of
from shipcrowd.flipkart.types import (
    Dimensions,
    Form,
    Package,
    Page,
    PaymentType,
    Shipment,
    ShipmentItem,
    ShipmentType,
    State,
    SubShipment,
    Unreadable,
)
from shipcrowd.flipkart.wire.values import (
    checked_ids,
    id_of,
    payment_type_of,
    read_errors,
    required_time_of,
    root_of,
    time_of,
    unreadable,
)
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import Refused, UnexpectedPayload
from shipcrowd.transport.json_body import Node

PREFIX = "/sellers"  # before every resource, never before OAuth (wire.md 1)
MOST_IDS = 100

_PAISE = Decimal("0.01")
# Nobody waits for these any more: their dispatch dates may be left out.
_OVER = frozenset({State.CANCELLED, State.SHIPPED, State.DELIVERED, State.COMPLETED})


def encode_shipments(shipment_ids: Sequence[str]) -> Request:
    ids = ",".join(checked_ids(shipment_ids, MOST_IDS))
    path = f"{PREFIX}/v3/shipments"
    return Request("GET", path, operation="shipments", query={"shipmentIds": ids}, read_errors=read_errors)


def decode_shipments(answer: Answer) -> Page:
    """Shipments as the search shows them; those that Flipkart does not know are just not there."""
    shipments, holes = decode_rows(root_of(answer, "shipments"), answer)
    return Page(shipments=shipments, unreadable=holes)


def rows_of(root: Node, answer: Answer) -> list[Node]:
    """The rows of `shipments`. Raises Refused where an error stands in their place, though the status was good."""
    if isinstance(root.value, dict) and root.get("shipments").is_absent and (errors := read_errors(answer.body)):
        raise Refused(root.operation, status=answer.status, code=errors[0].code, rows=errors)
    return list(root.get("shipments").rows())


def decode_rows(root: Node, answer: Answer) -> tuple[tuple[Shipment, ...], tuple[Unreadable, ...]]:
    """Shipments and holes. An unreadable row makes its whole shipment unreadable: it would be packed short."""
    shipments: dict[str, Shipment] = {}
    holes: list[Unreadable] = []
    for row in rows_of(root, answer):
        try:
            shipment = _shipment(row)
            earlier = shipments.get(shipment.flipkart_shipment_id)
            shipments[shipment.flipkart_shipment_id] = _merged(row, earlier, shipment) if earlier else shipment
        except UnexpectedPayload as error:
            holes.append(unreadable(row, error))
    for hole in holes:
        shipments.pop(hole.flipkart_shipment_id, None)
    return tuple(shipments.values()), tuple(holes)


def dimensions_of(node: Node) -> Dimensions | None:
    """None unless all four are there and none is nothing."""
    if node.is_absent:
        return None
    length, breadth, height, weight = (node.get(name).measure() for name in ("length", "breadth", "height", "weight"))
    if not (length and breadth and height and weight):
        return None
    return Dimensions(length=length, breadth=breadth, height=height, weight=weight)


def _shipment(row: Node) -> Shipment:
    shipment_id = id_of(row.get("shipmentId"))
    items, order_id, ordered_at = _items(row)
    state, state_word = state_of(items)
    wanted = time_of if state in _OVER else required_time_of
    return Shipment(
        flipkart_shipment_id=shipment_id,
        flipkart_order_id=order_id,
        ordered_at=ordered_at,
        state=state,
        state_word=state_word,
        is_on_hold=row.get("hold").flag(),
        dispatch_after_at=wanted(row.get("dispatchAfterDate")),
        dispatch_by_at=wanted(row.get("dispatchByDate")),
        flipkart_location_id=row.get("locationId").required_text(),
        payment_type=_payment_type(items),
        items=items,
        sub_shipments=tuple(_sub_shipment(part) for part in _rows_or_none(row.get("subShipments"))),
        shipment_type=_shipment_type(row.get("shipmentType")),
        is_multi_parcel=row.get("mps").flag(),
        packaging_policy=row.get("packagingPolicy").text(),
        forms=tuple(form_of(form) for form in _rows_or_none(row.get("forms"))),
        updated_at=time_of(row.get("updatedAt")),
    )


def _items(row: Node) -> tuple[tuple[ShipmentItem, ...], str, datetime]:
    """The items, the order they belong to, and when that was placed."""
    nodes = list(row.get("orderItems").rows())
    if not nodes:
        row.get("orderItems").fail("empty")
    order_id = id_of(nodes[0].get("orderId"))
    for node in nodes:
        if id_of(node.get("orderId")) != order_id:
            node.get("orderId").fail("another order within one shipment")
    # The same item twice: what lives of it, and what was cancelled of it (wire.md 3.7).
    items = live_first([_item(node) for node in nodes])
    return items, order_id, min(required_time_of(node.get("orderDate")) for node in nodes)


def _item(node: Node) -> ShipmentItem:
    state_word = node.get("status").word()
    quantity = node.get("quantity").count()
    prices = node.get("priceComponents")
    selling_price, total_price = (
        (None, None) if prices.is_absent else (prices.get("sellingPrice").rupees(), prices.get("totalPrice").rupees())
    )
    replacement = node.get("is_replacement")
    return ShipmentItem(
        flipkart_order_item_id=id_of(node.get("orderItemId")),
        sku=node.get("sku").required_text(),
        fsn=node.get("fsn").text(),
        hsn=node.get("hsn").text(),
        title=node.get("title").text(),
        quantity=quantity,
        # Amounts are the line's (wire.md 3.1); ours is that of one piece.
        selling_price=None if selling_price is None else (selling_price / quantity).quantize(_PAISE),
        total_price=total_price,
        state=State.of_word(state_word),
        state_word=state_word,
        flipkart_listing_id=node.get("listingId").text(),
        payment_type=payment_type_of(node.get("paymentType")),
        cancellation_group_id=node.get("cancellationGroupId").text(),
        cancellation_reason=_cancellation_reason(node),
        is_replacement=(node.get("isReplacement") if replacement.is_absent else replacement).flag(),
        service_profile=node.get("serviceProfile").text(),
    )


def _cancellation_reason(node: Node) -> str:
    reasons = (node.get("cancellationReason").text(), node.get("cancellationSubReason").text())
    return ": ".join(reason for reason in reasons if reason)


def _payment_type(items: Sequence[ShipmentItem]) -> PaymentType:
    kinds = {item.payment_type for item in items}
    return kinds.pop() if len(kinds) == 1 else PaymentType.UNKNOWN


def _shipment_type(node: Node) -> ShipmentType:
    word = node.text()
    return ShipmentType(word) if word in ShipmentType.__members__ else ShipmentType.UNKNOWN


def _sub_shipment(node: Node) -> SubShipment:
    return SubShipment(
        flipkart_sub_shipment_id=id_of(node.get("subShipmentId")),
        packages=tuple(_package(package) for package in _rows_or_none(node.get("packages"))),
    )


def _package(node: Node) -> Package:
    return Package(
        flipkart_package_id=node.get("packageId").text(),
        sku=node.get("packageSku").text(),
        title=node.get("packageTitle").text(),
        dimensions=dimensions_of(node.get("dimensions")),
    )


def form_of(node: Node) -> Form:
    return Form(
        name=node.get("name").required_text(),
        link=node.get("link").text(),
        is_automated=node.get("automated").flag(),
        status=node.get("status").text(),
    )


def _rows_or_none(node: Node) -> list[Node]:
    return [] if node.is_absent else list(node.rows())


def _merged(row: Node, earlier: Shipment, later: Shipment) -> Shipment:
    try:
        found = merge(earlier, later)
    except Contradiction as error:
        field_name = {"flipkart_order_id": "orderItems", "flipkart_location_id": "locationId"}[error.field_name]
    else:
        return replace(found, payment_type=_payment_type(found.items))
    return row.get(field_name).fail("another one in an earlier row of this shipment")
