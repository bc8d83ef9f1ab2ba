"""The shipping view by id: tracking, sizes and addresses. Source: wire.md 3.3 (the published schema is another's)."""

from collections.abc import Sequence
from urllib.parse import quote

from shipcrowd.flipkart.types import Address, ShippingDetails, ShippingDetailsPage, SubShipment, Unreadable
from shipcrowd.flipkart.wire.official.shipments import PREFIX, dimensions_of, rows_of
from shipcrowd.flipkart.wire.values import checked_ids, id_of, read_errors, root_of, unreadable
from shipcrowd.transport import Answer, Request
from shipcrowd.transport.errors import UnexpectedPayload
from shipcrowd.transport.json_body import Node

MOST_DETAILS = 25  # a hundred are allowed, 25 advised (wire.md 8)


def encode_shipping_details(shipment_ids: Sequence[str]) -> Request:
    return by_ids("GET", shipment_ids, "", operation="shipping_details", limit=MOST_DETAILS)


def decode_shipping_details(answer: Answer) -> ShippingDetailsPage:
    """A row that cannot be read is kept apart; no tracking before it is packed, no address in part before that."""
    details: dict[str, ShippingDetails] = {}
    holes: list[Unreadable] = []
    for row in rows_of(root_of(answer, "shipping_details"), answer):
        try:
            found = _details(row)
            details[found.flipkart_shipment_id] = found
        except UnexpectedPayload as error:
            holes.append(unreadable(row, error))
    return ShippingDetailsPage(details=tuple(details.values()), unreadable=tuple(holes))


def by_ids(method: str, shipment_ids: Sequence[str], tail: str, *, operation: str, limit: int) -> Request:
    """A call with its ids in the path."""
    ids = ",".join(quote(shipment_id, safe="") for shipment_id in checked_ids(shipment_ids, limit))
    return Request(method, f"{PREFIX}/v3/shipments/{ids}{tail}", operation=operation, read_errors=read_errors)


def _details(row: Node) -> ShippingDetails:
    parts = row.get("subShipments")
    sub_shipments = tuple(_sub_shipment(part) for part in (() if parts.is_absent else parts.rows()))
    first = next((part for part in sub_shipments if part.tracking_id), None)
    return ShippingDetails(
        flipkart_shipment_id=id_of(row.get("shipmentId")),
        tracking_id=first.tracking_id if first else "",
        courier=first.courier if first else "",
        sub_shipments=sub_shipments,
        delivery_address=_address(row.get("deliveryAddress")),
        billing_address=_address(row.get("billingAddress")),
    )


def _sub_shipment(node: Node) -> SubShipment:
    """The courier that delivers has the say; the one that only picks up may be another."""
    courier = node.get("courierDetails")
    tracking_id = vendor = ""
    for hand in () if courier.is_absent else ("deliveryDetails", "pickupDetails"):
        if not tracking_id and not (said := courier.get(hand)).is_absent:
            tracking_id, vendor = said.get("trackingId").text(), said.get("vendorName").text()
    return SubShipment(
        flipkart_sub_shipment_id=id_of(node.get("subShipmentId")),
        tracking_id=tracking_id,
        courier=vendor if tracking_id else "",
        dimensions=dimensions_of(node.get("shipmentDimensions")),
    )


def _address(node: Node) -> Address | None:
    """None also where every field is null: Flipkart has the keys before it says anything."""
    if node.is_absent:
        return None
    pin_code = node.get("pinCode")
    names = (node.get("firstName").text(), node.get("lastName").text())
    address = Address(
        name=" ".join(name for name in names if name),
        line1=node.get("addressLine1").text(),
        line2=node.get("addressLine2").text(),
        landmark=node.get("landmark").text(),
        city=node.get("city").text(),
        state=node.get("state").text() or node.get("stateName").text(),
        state_code=node.get("stateCode").text(),
        pincode=(node.get("pincode") if pin_code.is_absent else pin_code).text(),
        phone=node.get("contactNumber").text(),
    )
    return None if address == Address() else address
