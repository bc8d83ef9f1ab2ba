"""Shipments as rows: the order view, of what lives or of what was cancelled, and the shipping view."""

import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from shipcrowd.simulator.accounts import Account, Form, Item, Shipment, State
from shipcrowd.simulator.official.asked import wire_time

COURIER = "E-Kart Logistics"
# What the guide alone calls so.
_WORDS = {State.READY_TO_PACK: State.APPROVED}


def encode_row(shipment: Shipment) -> dict[str, Any]:
    """The shipment as it is: items that are cancelled whole keep that state beside those that live."""
    state = _WORDS.get(shipment.state, shipment.state)
    return _row(
        shipment,
        [
            _item(shipment, item, item.shown, str(State.CANCELLED if item.is_cancelled else state))
            for item in shipment.items
        ],
    )


def encode_cancelled_row(shipment: Shipment, items: Iterable[Item]) -> dict[str, Any]:
    """What the cancelled search shows: the cancelled pieces of these items, though others of them may live on."""
    return _row(shipment, [_item(shipment, item, item.cancelled, str(State.CANCELLED)) for item in items])


def encode_shipping(account: Account, shipment: Shipment) -> dict[str, Any]:
    """Tracking once it is packed; name and street no sooner (wire.md 3.1 and 3.3). The phone is never given."""
    is_packed = bool(shipment.tracking_id)
    place = shipment.facility.place
    return {
        "orderId": shipment.order_id,
        "shipmentId": shipment.official_id,
        "locationId": shipment.facility.official_id,
        "weighingRequired": False,
        "subShipments": [_shipped_parcel(shipment, at) for at in range(shipment.parcels)],
        "orderItems": [
            {"id": shipment.official_item_id(item), "fragile": False, "dangerous": False, "large": False}
            for item in shipment.items
        ],
        "buyerDetails": {"firstName": _first(shipment) if is_packed else None, "lastName": None},
        "deliveryAddress": _address(shipment) if is_packed else _no_address(),
        "billingAddress": _address(shipment) if is_packed else _no_address(),
        "returnAddress": _no_address(),
        "sellerAddress": {
            "sellerName": account.name,
            "addressLine1": shipment.facility.street,
            "addressLine2": None,
            "landmark": None,
            "city": place.city,
            "state": place.state,
            "stateCode": None,
            "pinCode": place.pincode,
        },
    }


def dimensions(item: Item) -> dict[str, float]:
    """The size that the listing names, always the same for one SKU: centimetres and kilograms."""
    drawn = zlib.crc32(item.goods.sku.encode())
    return {
        "length": 10 + drawn % 31,
        "breadth": 8 + drawn % 17,
        "height": 2 + drawn % 13,
        "weight": round(0.1 + drawn % 29 / 20, 3),
    }


def _row(shipment: Shipment, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "shipmentId": shipment.official_id,
        "locationId": shipment.facility.official_id,
        "dispatchByDate": wire_time(shipment.dispatch_by_at),
        "dispatchAfterDate": wire_time(shipment.dispatch_after_at),
        "updatedAt": wire_time(changed_at(shipment)),
        "hold": shipment.is_on_hold,
        "mps": shipment.parcels > 1,
        "packagingPolicy": shipment.packaging_policy,
        "shipmentType": shipment.shipment_type,
        "orderItems": items,
        "forms": [encode_form(form) for form in shipment.forms],
        "subShipments": [_parcel(shipment, at) for at in range(shipment.parcels)],
    }


def encode_form(form: Form, *, with_status: bool = False) -> dict[str, Any]:
    row = {"name": form.name, "link": form.link, "automated": form.is_automated}
    return row | {"status": "ACKNOWLEDGED" if form.ack_number else "PENDING"} if with_status else row


def changed_at(shipment: Shipment) -> datetime:
    """When it last changed, for the seller: not before it could be seen."""
    return max(shipment.changed_at or shipment.approved_at, shipment.approved_at)


def _item(shipment: Shipment, item: Item, quantity: int, status: str) -> dict[str, Any]:
    goods = item.goods
    price = goods.selling_price * quantity
    row: dict[str, Any] = {
        "orderItemId": shipment.official_item_id(item),
        "orderId": shipment.order_id,
        "cancellationGroupId": shipment.cancellation_group(item),
        "orderDate": wire_time(shipment.ordered_at),
        "paymentType": "COD" if shipment.is_cod else "PREPAID",
        "status": status,
        # Both are met: 1 and 1.0.
        "quantity": float(quantity) if shipment.number % 2 else quantity,
        "fsn": goods.fsn,
        "sku": goods.sku,
        "listingId": f"LST{goods.fsn}{shipment.facility.official_id[3:9].upper()}",
        "hsn": goods.hsn,
        "title": goods.title,
        "packageIds": [_package_id(item, at) for at in range(shipment.parcels)],
        "priceComponents": {
            "sellingPrice": float(price),
            "totalPrice": float(price),
            "shippingCharge": 0.0,
            "customerPrice": float(price),
            "flipkartDiscount": 0.0,
        },
        "serviceProfile": "Seller_Fulfilment",
        "is_replacement": shipment.is_replacement,
    }
    if status == State.CANCELLED and item.cancelled_at is not None:
        row["cancellationDate"] = wire_time(item.cancelled_at)
        row["cancellationReason"] = f"{item.cancelled_by}_cancellation"
        row["cancellationSubReason"] = "changed_mind"
    return row


def _parcel(shipment: Shipment, at: int) -> dict[str, Any]:
    # Empty lists are met too, where one parcel holds all there is.
    packages = [
        {
            "packageId": _package_id(item, at),
            "packageTitle": None,
            "packageSku": item.goods.sku,
            "dimensions": dimensions(item),
        }
        for item in shipment.live_items
        if shipment.parcels > 1 or shipment.number % 2
    ]
    return {"subShipmentId": f"SS-{at + 1}", "packages": packages}


def _package_id(item: Item, at: int) -> str:
    return f"PKG{item.goods.fsn}{at + 1:05d}"


def _shipped_parcel(shipment: Shipment, at: int) -> dict[str, Any]:
    tracking_id = shipment.tracking_ids[at] if shipment.tracking_ids else None
    details = {"vendorName": COURIER if tracking_id else None, "trackingId": tracking_id}
    return {
        "subShipmentId": f"SS-{at + 1}",
        "shipmentDimensions": _packed_size(shipment, at),
        "courierDetails": {"pickupDetails": details, "deliveryDetails": details},
    }


def _packed_size(shipment: Shipment, at: int) -> dict[str, float] | None:
    """As told when it was packed; the listing's where it was packed without a word, and none before."""
    if at < len(shipment.sizes):
        return shipment.sizes[at]
    return dimensions((shipment.live_items or shipment.items)[0]) if shipment.tracking_id else None


def _address(shipment: Shipment) -> dict[str, Any]:
    place = shipment.place
    first, _, last = shipment.buyer_name.partition(" ")
    return {
        "firstName": first,
        "lastName": last,
        "addressLine1": shipment.address_line1,
        "addressLine2": shipment.address_line2,
        "landmark": shipment.landmark,
        "city": place.city,
        "state": place.state,
        "stateCode": f"IN-{place.state_code}",
        "pinCode": place.pincode,
        "contactNumber": None,
    }


def _no_address() -> dict[str, Any]:
    keys = ("firstName", "lastName", "addressLine1", "addressLine2", "landmark", "city", "state", "stateCode")
    return dict.fromkeys((*keys, "pinCode", "contactNumber"))


def _first(shipment: Shipment) -> str:
    return shipment.buyer_name.partition(" ")[0]
