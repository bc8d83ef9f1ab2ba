"""Words and tones of a shipment."""

from datetime import timedelta
from decimal import Decimal

import pytest

from fulfillment.models import LabelRequest
from orders import display
from orders.models import Shipment, ShipmentItem
from sellers.models import Facility
from tests.factories import at

NOW = at("2026-11-24T10:00:00+05:30")
EARLIER = at("2026-11-23T10:00:00Z")


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        (None, ""),
        ("0", "₹0"),
        ("849", "₹849"),
        ("1499.50", "₹1,499.50"),
        ("123456", "₹1,23,456"),
        ("12345678.9", "₹1,23,45,678.90"),
        ("-250", "-₹250"),
    ],
)
def test_rupees_are_grouped_as_india_writes_them(amount, says):
    assert display.rupees(Decimal(amount) if amount else None) == says


@pytest.mark.parametrize(
    ("by", "says", "tone"),
    [
        ("2026-11-24T09:20:00+05:30", "late by 40 min", "bad"),
        ("2026-11-23T10:00:00+05:30", "late by 24 h", "bad"),
        ("2026-11-21T10:00:00+05:30", "late by 3 days", "bad"),
        ("2026-11-24T12:30:00+05:30", "today 12:30", "warn"),
        ("2026-11-24T18:30:00+05:30", "today 18:30", ""),
        ("2026-11-25T00:10:00+05:30", "tomorrow 00:10", ""),
        ("2026-11-27T10:00:00+05:30", "27 Nov 10:00", ""),
    ],
)
def test_a_deadline_is_said_in_indian_time_and_coloured_by_urgency(by, says, tone):
    row = Shipment(state="APPROVED", dispatch_by_at=at(by))
    row.is_open = True

    found = display.deadline(row, NOW)

    assert (found.says, found.tone) == (says, tone)


def test_what_stands_ready_is_not_late_and_what_has_left_has_no_deadline():
    ready = Shipment(state="READY_TO_DISPATCH", dispatch_by_at=NOW - timedelta(hours=3))
    gone = Shipment(state="SHIPPED", dispatch_by_at=NOW - timedelta(hours=3))
    ready.is_open, gone.is_open = True, False

    assert display.deadline(ready, NOW).tone == ""
    assert display.deadline(gone, NOW).says == ""


@pytest.mark.parametrize(
    ("now", "changes", "says"),
    [
        ("2026-11-24T15:00:00+05:30", {}, "not collected at 14:00"),
        ("2026-11-25T09:00:00+05:30", {}, "not collected at 24 Nov 14:00"),
        ("2026-11-24T13:59:00+05:30", {}, "today 23:00"),
        ("2026-11-24T15:00:00+05:30", {"state": "PACKED"}, "today 23:00"),
        ("2026-11-24T15:00:00+05:30", {"is_on_hold": True}, "today 23:00"),
        ("2026-11-24T15:00:00+05:30", {"attention": "pull"}, "today 23:00"),
        ("2026-11-24T15:00:00+05:30", {"set_aside_at": NOW, "set_aside_reason": "short"}, "today 23:00"),
    ],
)
def test_a_parcel_that_stood_ready_when_the_courier_called_was_left_behind(now, changes, says):
    row = Shipment(
        **{"state": "READY_TO_DISPATCH", "state_changed_at": NOW, "dispatch_by_at": at("2026-11-24T23:00:00+05:30")}
        | changes
    )
    row.facility = Facility(pickup_times=[["14:00"]] * 7, holidays=[])
    row.is_open = True

    found = display.deadline(row, at(now))

    assert found.says == says
    assert (found.tone == "bad") == says.startswith("not collected")


def test_masked_words_keep_nothing_that_names_a_person():
    assert display.masked_name("Asha Devi Rao") == "A… D… R…"
    assert display.masked_name("") == ""
    assert display.masked_phone("+919812345678") == "•••••••• 78"
    assert display.masked_phone("12") == ""


@pytest.mark.parametrize(
    ("changes", "row", "says"),
    [
        ({}, None, ""),
        ({"is_on_hold": True}, None, "on hold at Flipkart"),
        ({"dispatch_after_at": at("2026-11-23T13:00:00Z")}, None, "not due before 23 Nov 18:30"),
        ({"label_requested_at": EARLIER}, LabelRequest(state="due"), "its label is already asked for"),
        ({"label_requested_at": EARLIER}, LabelRequest(state="refused"), ""),
        ({"label_stored_at": EARLIER}, LabelRequest(state="done"), "already labelled"),
    ],
)
def test_a_copy_of_a_label_made_outside_may_be_asked_for_on_its_page(changes, row, says):
    shipment = Shipment(state="PACKED", labelled_outside=True, **changes)

    acts = display.acts_open(shipment, at("2026-11-23T12:00:00Z"), label_row=row)

    assert {act: reason for act, _name, reason in acts}["label"] == says


# --- What sets a shipment apart --------------------------------------------------------------------------------------


def an_item(word: str = "APPROVED", **values) -> ShipmentItem:
    return ShipmentItem(**{"sku": "TS", "quantity": 1, "state_word": word, "is_replacement": False} | values)


@pytest.mark.parametrize(
    ("values", "items", "says"),
    [
        ({}, [an_item()], []),
        ({"shipment_type": "NORMAL", "service_tier": "REGULAR"}, [an_item()], []),
        ({"shipment_type": "EXPRESS"}, [an_item()], ["Express"]),
        ({"shipment_type": "EXPRESS", "service_tier": "EXPRESS"}, [an_item()], ["Express"]),
        ({"service_tier": "SAME_DAY"}, [an_item()], ["Same day"]),
        ({"shipment_type": "SELF"}, [an_item()], ["Own courier"]),
        ({}, [an_item(), an_item(is_replacement=True)], ["Replacement"]),
        ({}, [an_item(), an_item("CANCELLED")], ["Partly cancelled"]),
        ({"state": "CANCELLED"}, [an_item("CANCELLED"), an_item("CANCELLED")], []),
        ({"parcels": [{"id": "SS-1"}]}, [an_item()], []),
        ({"parcels": [{"id": "SS-1"}, {"id": "SS-2"}, {"id": "SS-3"}]}, [an_item()], ["3 parcels"]),
    ],
)
def test_most_shipments_have_no_mark_and_the_others_a_word_each(values, items, says):
    ordinary = {"state": "APPROVED", "shipment_type": "", "service_tier": "", "parcels": []}

    assert [mark.says for mark in display.marks(Shipment(**ordinary | values), items)] == says


def test_what_is_cancelled_of_a_shipment_is_not_among_what_is_to_be_packed():
    stays, gone = an_item(), an_item("CANCELLED")

    assert display.to_pack([stays, gone]) == [stays]
    assert display.to_pack([gone]) == [gone]


@pytest.mark.parametrize(
    ("word", "of_shipment", "says"),
    [
        ("APPROVED", "APPROVED", ""),
        ("CANCELLED", "APPROVED", "Cancelled"),
        ("CANCELLED", "CANCELLED", ""),
        ("PACKED", "APPROVED", "PACKED"),
    ],
)
def test_an_items_state_is_said_where_it_is_another_than_the_shipments(word, of_shipment, says):
    shipment = Shipment(state=of_shipment, state_word=of_shipment)

    assert display.item_state(an_item(word), shipment).says == says


@pytest.mark.parametrize(
    ("policy", "says"), [("", ""), ("NA", ""), ("DEFAULT", ""), ("GREEN_PACKAGE", "Green package")]
)
def test_packaging_is_said_where_flipkart_asks_for_something(policy, says):
    assert display.packaging(Shipment(packaging_policy=policy)) == says
