"""Flipkart's sandbox: test orders, and what buyers and couriers do with them. Source: wire.md 7.

Keyed by order item, never by shipment. Served on the sandbox only.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shipcrowd.flipkart.times import format_indian_time
from shipcrowd.flipkart.types import SandboxMove, SandboxOrder, ShipmentType
from shipcrowd.flipkart.wire.official.shipments import PREFIX
from shipcrowd.flipkart.wire.values import id_of, read_errors, root_of
from shipcrowd.transport import Answer, Request

_MOVES = {
    SandboxMove.HOLD: ("PUT", "on_hold"),
    SandboxMove.RELEASE: ("PUT", "un_hold"),
    SandboxMove.PICK_UP: ("POST", "pick_up_complete"),
    SandboxMove.SHIP: ("POST", "shipped"),
    SandboxMove.DELIVER: ("POST", "delivered"),
}


def encode_test_order(*, location_id: str, listings: Sequence[tuple[str, int]], shipment_type: ShipmentType) -> Request:
    """An order of these listings, each with its pieces."""
    lines = [{"listingId": listing_id, "quantity": quantity} for listing_id, quantity in listings]
    body = {"shipmentType": shipment_type.value, "locationId": location_id, "orderItems": lines}
    return _asked("POST", "orders/sandbox/test_orders", body)


def decode_test_order(answer: Answer) -> SandboxOrder:
    root = root_of(answer, "sandbox")
    items = tuple(id_of(row.get("orderItemId")) for row in root.get("orderItems").rows())
    return SandboxOrder(flipkart_order_id=id_of(root.get("orderId")), flipkart_order_item_ids=items)


def encode_move(move: SandboxMove, order_item_id: str) -> Request:
    method, name = _MOVES[move]
    return _asked(method, f"orders/sandbox/{name}", {"orderItemId": order_item_id})


def encode_dispatch_slot(order_item_id: str, *, after: datetime, by: datetime) -> Request:
    """The printed schema is a copy of another's; by its text these are the fields, in Indian time."""
    body = {
        "orderItemId": order_item_id,
        "dispatch_after_date": format_indian_time(after),
        "dispatch_by_date": format_indian_time(by),
    }
    return _asked("POST", "orders/sandbox/update_dispatch_slot", body)


def encode_test_return(order_item_id: str, *, by_courier: bool) -> Request:
    """What is sent back by the buyer, or was never delivered."""
    body = {"orderItemId": order_item_id, "returnType": "courier" if by_courier else "customer"}
    return _asked("POST", "returns/sandbox/create_returns", body)


def encode_return_event(order_item_id: str, *, is_complete: bool) -> Request:
    body = {"orderItemId": order_item_id, "eventType": "complete" if is_complete else "cancel"}
    return _asked("POST", "returns/sandbox/return_events", body)


def decode_done(answer: Answer) -> None:
    """Raises UnexpectedPayload unless the sandbox said something: it was done."""
    root_of(answer, "sandbox").get("response").required_text()


def _asked(method: str, path: str, body: Mapping[str, object]) -> Request:
    return Request(method, f"{PREFIX}/{path}", operation="sandbox", json=dict(body), read_errors=read_errors)
