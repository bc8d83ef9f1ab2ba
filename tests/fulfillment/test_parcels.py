"""What Flipkart is told of a parcel: sizes that somebody measured, and nothing where nobody did."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.parcels import Line, parcel_of, stacked
from orders.models import Shipment
from shipcrowd.flipkart.types import Dimensions, ParcelInvoice, ParcelItem, SubShipment

TODAY = date(2026, 3, 4)
BOX = Dimensions(length=Decimal(30), breadth=Decimal(20), height=Decimal(5), weight=Decimal("0.4"))
BOTTLE = Dimensions(length=Decimal(8), breadth=Decimal(8), height=Decimal(25), weight=Decimal("0.9"))
SIZES = {"TS-BLK-M": BOX, "BOTTLE-1L": BOTTLE}
LINES = [Line("41", "TS-BLK-M", 1)]
LISTED = {"length": "40", "breadth": "30", "height": "10", "weight": "2.5"}

sides = st.decimals(min_value="0.1", max_value=500, places=2)
dimensions = st.builds(Dimensions, length=sides, breadth=sides, height=sides, weight=sides)
pieces = st.lists(st.tuples(dimensions, st.integers(min_value=1, max_value=9)), min_size=1, max_size=6)


def shipment(**values) -> Shipment:
    plain = {
        "flipkart_shipment_id": "5c6d1c3a-0f6e-4e0e-9a51-0a7d5f6f0a11",
        "flipkart_order_id": "OD1",
        "shipment_type": "NORMAL",
        "parcels": [{"id": "SS-1", "packages": []}],
    }
    return Shipment(**(plain | values))


def parcel(lines=LINES, sizes=SIZES, location="LOC1", **values):
    return parcel_of(shipment(**values), lines, sizes, location=location, today=TODAY)


# --- What is told ----------------------------------------------------------------------------------------------------


def test_a_parcel_tells_its_items_its_invoice_and_its_size():
    told = parcel(lines=[Line("41", "TS-BLK-M", 2)])

    assert (told.flipkart_shipment_id, told.flipkart_location_id) == ("5c6d1c3a-0f6e-4e0e-9a51-0a7d5f6f0a11", "LOC1")
    assert told.items == (ParcelItem(flipkart_order_item_id="41", quantity=2),)
    assert told.invoices == (ParcelInvoice(flipkart_order_id="OD1", invoice_date=TODAY),)
    assert told.sub_shipments == (
        SubShipment(
            flipkart_sub_shipment_id="SS-1",
            dimensions=Dimensions(length=Decimal(30), breadth=Decimal(20), height=Decimal(10), weight=Decimal("0.8")),
        ),
    )


def test_several_parcels_are_as_large_as_flipkarts_listing_says():
    listed = [
        {"id": "SS-1", "packages": [{"name": "seat", "dimensions": LISTED}]},
        {"id": "SS-2", "packages": [{"name": "legs", "dimensions": LISTED}, {"name": "bag", "dimensions": LISTED}]},
    ]

    one, two = parcel(parcels=listed, sizes={}).sub_shipments

    assert one.dimensions == Dimensions(**{name: Decimal(text) for name, text in LISTED.items()})
    assert two.dimensions == Dimensions(
        length=Decimal(40), breadth=Decimal(30), height=Decimal(20), weight=Decimal("5.0")
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"sizes": {}}, "no package size for SKU TS-BLK-M: enter it first"),
        (
            {"sizes": {}, "lines": [Line("41", "TS-BLK-M", 1), Line("42", "A", 1), Line("43", "A", 2)]},
            "no package sizes for SKUs A, TS-BLK-M: enter them first",
        ),
        ({"shipment_type": "SELF"}, "ships with the seller's own courier: this comes with self-ship"),
        ({"location": ""}, "Flipkart did not say from which location it ships"),
        ({"parcels": []}, "Flipkart did not say what it travels in"),
        ({"lines": []}, "Flipkart did not say what it travels in"),
        (
            {
                "parcels": [
                    {"id": "SS-1", "packages": [{"dimensions": LISTED}]},
                    {"id": "SS-2", "packages": [{"dimensions": None}]},
                ]
            },
            "Flipkart's listing has no size for parcel SS-2: enter it there",
        ),
        (
            {"parcels": [{"id": "SS-1", "packages": []}, {"id": "SS-2", "packages": []}]},
            "Flipkart's listing has no size for parcel SS-1: enter it there",
        ),
    ],
)
def test_what_is_not_known_is_never_made_up(changed, reason):
    assert parcel(**changed) == reason


# --- Several pieces in one parcel ------------------------------------------------------------------------------------


@given(dimensions)
def test_one_piece_is_as_it_was_entered(size):
    assert stacked([(size, 1)]) == size


@given(pieces)
def test_a_stack_holds_and_weighs_all_its_pieces(found):
    box = stacked(found)

    assert box.weight == sum(size.weight * count for size, count in found)
    assert volume(box) >= sum(volume(size) * count for size, count in found)
    assert all(longest(box) >= longest(size) for size, _ in found)


@given(pieces, st.randoms(use_true_random=False))
def test_a_stack_is_the_same_in_any_order(found, random):
    shuffled = random.sample(found, len(found))

    assert stacked(shuffled) == stacked(found)


def volume(size: Dimensions) -> Decimal:
    return size.length * size.breadth * size.height


def longest(size: Dimensions) -> Decimal:
    return max(size.length, size.breadth, size.height)
