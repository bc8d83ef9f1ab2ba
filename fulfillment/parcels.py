"""What Flipkart is told of a shipment that is to be packed, where its format wants more than an id.

Sizes are what somebody measured: those of the seller's own table (PackageSize), of one SKU each. Several pieces in one
parcel are stacked; what travels in several parcels is as large as Flipkart's own listing says. Nothing is made up:
where a size is missing the shipment is left out, with what to do about it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fulfillment import serials
from fulfillment.models import PackageSize
from orders.models import Shipment, ShipmentItem
from orders.states import is_packing_or_later
from sellers import gateway
from sellers.models import Facility, Seller
from shipcrowd.flipkart.types import (
    Abilities,
    Dimensions,
    Parcel,
    ParcelInvoice,
    ParcelItem,
    ShipmentType,
    State,
    SubShipment,
)
from shipcrowd.tenancy import require_scope


class NoSize(str):
    """A reason that goes away once somebody enters a size."""

    __slots__ = ()


class Line(NamedTuple):
    """An item that is to be packed."""

    flipkart_order_item_id: str
    sku: str
    quantity: int
    serial_numbers: serials.Pieces = ()


def parcels_of(
    seller_id: int, shipments: Sequence[Shipment], *, abilities: Abilities, today: date
) -> dict[int, Parcel | str]:
    """What to say of each shipment (our keys), or why nothing can be said of it; in the caller's scope.

    `today` is the day in India: an invoice is never dated after it (wire.md 3.4).
    """
    if not abilities.pack_wants_parcels:
        return {one.pk: Parcel(flipkart_shipment_id=one.flipkart_shipment_id) for one in shipments}
    lines: dict[int, list[Line]] = defaultdict(list)
    numbers = serials.of_shipments(seller_id, [one.pk for one in shipments])
    items = ShipmentItem.objects.filter(seller_id=seller_id, shipment_id__in=[one.pk for one in shipments])
    for item in items.order_by("pk"):
        if not item.is_cancelled:
            known = numbers.get(item.shipment_id, {}).get(item.flipkart_order_item_id, ())
            lines[item.shipment_id].append(Line(item.flipkart_order_item_id, item.sku, item.quantity, known))
    sizes = sizes_of(seller_id, {line.sku for found in lines.values() for line in found})
    facilities = Facility.objects.filter(seller_id=seller_id, pk__in={one.facility_id for one in shipments})
    locations = dict(facilities.values_list("pk", "flipkart_location_id"))
    return {
        one.pk: parcel_of(one, lines[one.pk], sizes, location=locations.get(one.facility_id or 0, ""), today=today)
        for one in shipments
    }


def why_not(seller: Seller, shipments: Sequence[Shipment], *, today: date) -> dict[int, str]:
    """Why some of these shipments (our keys) cannot be packed for want of what Flipkart must be told; in a scope."""
    require_scope(seller)
    abilities = gateway.abilities_of(seller.pk)
    waiting = [one for one in shipments if not is_packing_or_later(State(one.state))]
    if abilities is None or not abilities.pack_wants_parcels or not waiting:
        return {}
    found = parcels_of(seller.pk, waiting, abilities=abilities, today=today)
    return {key: parcel for key, parcel in found.items() if isinstance(parcel, str)}


def sizes_of(seller_id: int, skus: Collection[str]) -> dict[str, Dimensions]:
    """What is known of these SKUs; in the caller's scope."""
    rows = PackageSize.objects.filter(seller_id=seller_id, sku__in=skus)
    return {row.sku: row.dimensions for row in rows}


def parcel_of(
    shipment: Shipment, lines: Sequence[Line], sizes: Mapping[str, Dimensions], *, location: str, today: date
) -> Parcel | str:
    """The parcel, or why there is none, in words. Pure."""
    if shipment.shipment_type == ShipmentType.SELF:
        return _("ships with the seller's own courier: this comes with self-ship")
    if not location:
        return _("Flipkart did not say from which location it ships")
    if not shipment.parcels or not lines:
        return _("Flipkart did not say what it travels in")
    for line in lines:
        if line.serial_numbers and len(line.serial_numbers) != line.quantity:
            # Of some of its pieces the buyer wants no more: which of them stay in the house only a person knows.
            return _("the serial numbers of SKU {sku} are of another number of pieces: enter them anew").format(
                sku=line.sku
            )
    sub_shipments = _sub_shipments(shipment.parcels, lines, sizes)
    if isinstance(sub_shipments, str):
        return sub_shipments
    return Parcel(
        flipkart_shipment_id=shipment.flipkart_shipment_id,
        flipkart_location_id=location,
        # No rate: what Flipkart prints follows the listing's own tax code, whatever is sent here (wire.md 3.4).
        items=tuple(
            ParcelItem(
                flipkart_order_item_id=line.flipkart_order_item_id,
                quantity=line.quantity,
                serial_numbers=line.serial_numbers,
            )
            for line in lines
        ),
        invoices=(ParcelInvoice(flipkart_order_id=shipment.flipkart_order_id, invoice_date=today),),
        sub_shipments=sub_shipments,
    )


def stacked(pieces: Sequence[tuple[Dimensions, int]]) -> Dimensions:
    """The box of several pieces: each laid flat on the others, its longest side along the longest. Pure.

    One piece alone keeps its sides as they were entered.
    """
    if len(pieces) == 1 and pieces[0][1] == 1:
        return pieces[0][0]
    length = breadth = height = weight = Decimal(0)
    for size, count in pieces:
        flat, middle, longest = sorted((size.length, size.breadth, size.height))
        length, breadth = max(length, longest), max(breadth, middle)
        height += flat * count
        weight += size.weight * count
    return Dimensions(length=length, breadth=breadth, height=height, weight=weight)


def _sub_shipments(
    parcels: Sequence[Mapping[str, Any]], lines: Sequence[Line], sizes: Mapping[str, Dimensions]
) -> tuple[SubShipment, ...] | str:
    if len(parcels) == 1:
        missing = sorted({line.sku for line in lines} - sizes.keys())
        if missing:
            return why_no_size(missing)
        size = stacked([(sizes[line.sku], line.quantity) for line in lines])
        return (SubShipment(flipkart_sub_shipment_id=parcels[0]["id"], dimensions=size),)
    found = []
    for parcel in parcels:
        told = [package["dimensions"] for package in parcel["packages"]]
        if not told or None in told:
            # What goes into which parcel is Flipkart's to say: a size of the SKU is not that of a part of it.
            return _("Flipkart's listing has no size for parcel {parcel}: enter it there").format(parcel=parcel["id"])
        pieces = [(Dimensions(**{name: Decimal(text) for name, text in one.items()}), 1) for one in told]
        found.append(SubShipment(flipkart_sub_shipment_id=parcel["id"], dimensions=stacked(pieces)))
    return tuple(found)


def why_no_size(skus: Sequence[str]) -> NoSize:
    words = ngettext(
        "no package size for SKU {skus}: enter it first",
        "no package sizes for SKUs {skus}: enter them first",
        len(skus),
    )
    return NoSize(words.format(skus=", ".join(skus)))
