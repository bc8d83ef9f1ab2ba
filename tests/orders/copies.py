"""Copies of shipments as Flipkart's client hands them out, with what a test says and the smallest valid rest."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from shipcrowd.flipkart.types import Address, PaymentType, Shipment, ShipmentItem, State

ORDERED_AT = datetime.fromisoformat("2026-11-20T04:30:00+00:00")
BEGAN = datetime.fromisoformat("2026-11-20T06:00:00+00:00")
MINUTE = timedelta(minutes=1)
ADDRESS = Address(name="Rajesh Kumar", line1="123 MG Road", city="Mumbai", state="Maharashtra", pincode="400001")


def item(number: int = 1, **values: Any) -> ShipmentItem:
    return ShipmentItem(
        **{
            "flipkart_order_item_id": f"{number:03}",
            "sku": "TS-BLK-M",
            "title": "Classic Black T-Shirt - Medium",
            "quantity": 1,
            "mrp": Decimal("999.00"),
            "selling_price": Decimal("899.00"),
            "total_price": Decimal("899.00"),
            "state": State.APPROVED,
            "state_word": "APPROVED",
        }
        | values
    )


def copy(number: int = 1, **values: Any) -> Shipment:
    """A shipment's copy; `state` gives the word too."""
    state = values.get("state", State.APPROVED)
    return Shipment(
        **{
            "flipkart_shipment_id": f"SHIP{number:010}",
            "flipkart_order_id": f"OD{number:015}",
            "ordered_at": ORDERED_AT,
            "state": state,
            "state_word": "TELEPORTED" if state is State.UNKNOWN else state.value,
            "dispatch_after_at": ORDERED_AT + timedelta(hours=1),
            "dispatch_by_at": ORDERED_AT + timedelta(days=1),
            "deliver_by_at": ORDERED_AT + timedelta(days=4),
            "flipkart_location_id": "F123456",
            "location_name": "Mumbai Warehouse",
            "payment_type": PaymentType.PREPAID,
            "items": (item(),),
            "buyer_name": "Rajesh Kumar",
            "buyer_phone": "+919876543210",
            "shipping_address": ADDRESS,
        }
        | values
    )


def page(size: int = 50, **values: Any) -> list[Shipment]:
    return [copy(number, **values) for number in range(1, size + 1)]
