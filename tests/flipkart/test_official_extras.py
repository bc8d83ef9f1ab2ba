"""What only Flipkart's published format has: cancelling, forms, invoices, hand-over, sandbox (wire.md 3.5, 3.7, 7)."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given

from shipcrowd.flipkart.types import (
    AcknowledgedForm,
    Acknowledgement,
    Cancellation,
    CancelReason,
    Form,
    HandoverCount,
    InvoiceFacts,
    InvoiceItem,
    SandboxMove,
    SandboxOrder,
    ShipmentForms,
    ShipmentType,
)
from shipcrowd.flipkart.wire import official
from shipcrowd.transport.errors import Refused, UnexpectedPayload
from tests.flipkart.official_rows import LOCATION
from tests.flipkart.rows import answer, example
from tests.flipkart.test_official_wire import FIRST, SECOND, flipkartish, nothing_but_call_failures

AT_THREE = datetime(2026, 1, 7, 9, 30, tzinfo=UTC)


def cancellation(shipment_id: str = FIRST, **changes: object) -> Cancellation:
    told = {
        "flipkart_location_id": LOCATION,
        "cancellation_group_ids": ("grp1", "grp2", "grp1"),
        "reason": CancelReason.B2B_ORDER,
    }
    return Cancellation(flipkart_shipment_id=shipment_id, **(told | changes))


def acknowledgement(*numbers: tuple[str, str]) -> Acknowledgement:
    return Acknowledgement(
        flipkart_shipment_id=FIRST,
        numbers=tuple(AcknowledgedForm(form=form, number=number) for form, number in numbers),
    )


# Cancelling


def test_a_cancellation_names_location_groups_and_reason():
    asked = official.encode_cancel([cancellation()])

    assert (asked.method, asked.path) == ("POST", "/sellers/v3/shipments/cancel")
    assert asked.json == {
        "shipments": [
            {
                "shipmentId": FIRST,
                "locationId": LOCATION,
                "cancellationGroupIds": ["grp1", "grp2"],
                "reason": "b2b_order",
            }
        ]
    }


@pytest.mark.parametrize("changes", [{"flipkart_location_id": ""}, {"cancellation_group_ids": ()}])
def test_a_cancellation_that_lacks_something_is_not_sent(changes):
    with pytest.raises(ValueError, match="location and at least one group"):
        official.encode_cancel([cancellation(**changes)])


def test_the_reasons_are_those_three():
    assert [reason.value for reason in CancelReason] == ["cannot_procure_item", "not_enough_inventory", "b2b_order"]


# Forms


def test_forms_are_asked_for_and_read_with_their_status():
    asked = official.encode_forms([FIRST, SECOND])
    said = {
        "shipments": [
            {
                "shipmentId": FIRST,
                "forms": [{"name": "Waybill", "link": "https://x.test/w", "automated": True, "status": "PENDING"}],
            },
            {"shipmentId": SECOND, "forms": None},
            {"shipmentId": "S3", "forms": [{"link": "no name"}]},
        ]
    }

    page = official.decode_forms(answer(said))

    assert (asked.method, asked.path) == ("POST", f"/sellers/v3/shipments/{FIRST},{SECOND}/forms")
    assert page.shipments == (
        ShipmentForms(
            flipkart_shipment_id=FIRST,
            forms=(Form(name="Waybill", link="https://x.test/w", is_automated=True, status="PENDING"),),
        ),
        ShipmentForms(flipkart_shipment_id=SECOND, forms=()),
    )
    assert [(hole.flipkart_shipment_id, hole.path) for hole in page.unreadable] == [
        ("S3", "shipments[2].forms[0].name")
    ]


def test_a_form_is_acknowledged_by_its_number():
    asked = official.encode_acknowledge_forms([acknowledgement(("Waybill", "EWB-1"))])

    assert (asked.method, asked.path) == ("POST", "/sellers/v3/shipments/forms/updateAck")
    assert asked.json == {"shipments": [{"shipmentId": FIRST, "forms": [{"name": "Waybill", "ackNumber": "EWB-1"}]}]}
    for nothing in (acknowledgement(), acknowledgement(("Waybill", "")), acknowledgement(("", "1"))):
        with pytest.raises(ValueError, match="each with a number"):
            official.encode_acknowledge_forms([nothing])


# Invoices


def test_invoices_are_read_or_downloaded_by_what_is_accepted():
    read, downloaded = official.encode_invoices([FIRST]), official.encode_download_invoices([FIRST])

    assert read.path == downloaded.path == f"/sellers/v3/shipments/{FIRST}/invoices"
    assert (read.accept, downloaded.accept) == ("application/json", "application/pdf")


def test_what_stands_on_invoices_is_read():
    first, second = official.decode_invoices(answer(example("official-invoices.json"))).invoices

    assert first == InvoiceFacts(
        flipkart_shipment_id=FIRST,
        flipkart_order_id="OD431000000000001000",
        invoice_number="FAXYZ2600000001",
        invoice_date=date(2026, 1, 7),
        items=(
            InvoiceItem(
                flipkart_order_item_id="43100000000000101",
                amount=Decimal(938),
                tax_rate=Decimal(5),
                cgst_rate=Decimal("2.5"),
                sgst_rate=Decimal("2.5"),
                igst_rate=Decimal(0),
            ),
        ),
    )
    # A quarter past eight in the evening in UTC is the next day in India.
    assert second.invoice_date == date(2026, 1, 8)
    assert (second.items[0].amount, second.items[0].cgst_rate) == (Decimal(12999), None)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"invoiceNumber": None}, "invoices[0].invoiceNumber: missing"),
        ({"invoiceDate": "2026-02-30"}, "invoices[0].invoiceDate: not a day"),
        ({"invoiceDate": "soon"}, "invoices[0].invoiceDate: not a time"),
        ({"orderItems": [{"orderItemId": "1", "taxRate": 101}]}, "invoices[0].orderItems[0].taxRate: not a rate"),
    ],
)
def test_an_invoice_that_cannot_be_read_leaves_the_others(changes, path):
    rows = example("official-invoices.json")["invoices"]

    page = official.decode_invoices(answer({"invoices": [rows[0] | changes, rows[1]]}))

    assert [invoice.flipkart_shipment_id for invoice in page.invoices] == [SECOND]
    (hole,) = page.unreadable
    assert hole.flipkart_shipment_id == FIRST
    assert f"{hole.path}: {hole.says}".startswith(path)


# Labels alone, counts and the manifest


@pytest.mark.parametrize(("reprint", "word"), [(True, "true"), (False, "false")])
def test_a_label_alone_says_whether_it_was_printed_before(reprint, word):
    asked = official.encode_download_labels_only([FIRST, SECOND], reprint=reprint)

    assert (asked.method, asked.path) == ("POST", f"/sellers/v3/shipments/{FIRST},{SECOND}/labelOnly/pdf")
    assert (dict(asked.query), asked.accept) == ({"reprint": word}, "application/pdf")


def test_counts_are_read_from_a_list_and_from_an_object():
    """wire.md 3.5: the document prints the one, the other was captured; the times have two spellings."""
    in_object = example("official-handover.json")
    (row,) = in_object["resultManifestDetails"]
    in_list = [row | {"pickUpDate": {"from": row["pickUpDate"]["after"], "to": row["pickUpDate"]["before"]}}]
    count = HandoverCount(
        vendor_group="Ekart Logistics",
        count=3,
        pick_up_after=AT_THREE,
        pick_up_before=AT_THREE.replace(hour=11),
        one_time_code="4711",
    )

    assert official.decode_handover_counts(answer(in_object)) == (count,)
    assert official.decode_handover_counts(answer(in_list)) == (count,)
    assert official.decode_handover_counts(answer([])) == ()
    assert "4711" not in repr(count)


def test_a_count_of_nothing_is_one():
    (count,) = official.decode_handover_counts(answer([{"vendorGroupCode": "Ekart", "count": 0}]))

    assert (count.count, count.pick_up_after) == (0, None)


@pytest.mark.parametrize(
    "broken", [{"vendorGroupCode": None, "count": 1}, {"vendorGroupCode": "Ekart", "count": "many"}, "x"]
)
def test_a_count_that_cannot_be_read_leaves_the_others(broken):
    ekart, nobody = official.decode_handover_counts(answer([broken, {"vendorGroupCode": "Ekart", "count": 4}]))

    assert (ekart.vendor_group, ekart.count) == ("Ekart", 4)
    assert (nobody.vendor_group, nobody.count) == ("", 0)
    with pytest.raises(UnexpectedPayload):
        official.decode_handover_counts(answer([broken]))


def test_a_manifest_is_asked_for_by_courier_and_pick_up():
    count = HandoverCount(
        vendor_group="Ekart", count=3, is_multi_parcel=True, pick_up_after=AT_THREE, pick_up_before=AT_THREE
    )

    asked = official.encode_manifest(count, LOCATION)

    assert (asked.method, asked.path, asked.accept) == ("POST", "/sellers/v3/shipments/manifest", "application/pdf")
    assert asked.json == {
        "params": {
            "vendorGroupCode": "Ekart",
            "locationId": LOCATION,
            "isMps": True,
            "pickUpDate": {"after": "2026-01-07T09:30:00.000Z", "before": "2026-01-07T09:30:00.000Z"},
        }
    }
    with pytest.raises(ValueError, match="picked up"):
        official.encode_manifest(HandoverCount(vendor_group="Ekart", count=1, is_multi_parcel=True), LOCATION)
    with pytest.raises(ValueError, match="one location"):
        official.encode_handover_counts("")


@pytest.mark.parametrize("read", [official.decode_handover_counts, official.decode_invoices, official.decode_manifest])
def test_an_error_in_place_of_an_answer_is_a_refusal(read):
    with pytest.raises(Refused, match="OPERATION_NOT_ALLOWED"):
        read(answer({"errorCode": "OPERATION_NOT_ALLOWED"}))


# The sandbox


@pytest.mark.parametrize(
    ("move", "method", "name"),
    [
        (SandboxMove.HOLD, "PUT", "on_hold"),
        (SandboxMove.RELEASE, "PUT", "un_hold"),
        (SandboxMove.PICK_UP, "POST", "pick_up_complete"),
        (SandboxMove.SHIP, "POST", "shipped"),
        (SandboxMove.DELIVER, "POST", "delivered"),
    ],
)
def test_the_sandbox_moves_an_order_item(move, method, name):
    asked = official.encode_move(move, "43100000000000101")

    assert (asked.method, asked.path) == (method, f"/sellers/orders/sandbox/{name}")
    assert asked.json == {"orderItemId": "43100000000000101"}


def test_the_sandbox_is_asked_for_an_order_a_slot_and_a_return():
    order = official.encode_test_order(
        location_id=LOCATION, listings=[("LST1", 2), ("LST2", 1)], shipment_type=ShipmentType.SELF
    )
    slot = official.encode_dispatch_slot("1", after=AT_THREE, by=AT_THREE.replace(day=8))
    sent_back, kept = (
        official.encode_test_return("1", by_courier=True),
        official.encode_return_event("1", is_complete=False),
    )

    assert (order.path, order.json) == (
        "/sellers/orders/sandbox/test_orders",
        {
            "shipmentType": "SELF",
            "locationId": LOCATION,
            "orderItems": [{"listingId": "LST1", "quantity": 2}, {"listingId": "LST2", "quantity": 1}],
        },
    )
    assert slot.json == {
        "orderItemId": "1",
        "dispatch_after_date": "2026-01-07T15:00:00+05:30",
        "dispatch_by_date": "2026-01-08T15:00:00+05:30",
    }
    assert (sent_back.path, sent_back.json) == (
        "/sellers/returns/sandbox/create_returns",
        {"orderItemId": "1", "returnType": "courier"},
    )
    assert (kept.path, kept.json) == (
        "/sellers/returns/sandbox/return_events",
        {"orderItemId": "1", "eventType": "cancel"},
    )


def test_the_sandboxs_answers_are_read():
    order = official.decode_test_order(answer({"orderId": "OD1", "orderItems": [{"orderItemId": "1"}]}))

    assert order == SandboxOrder(flipkart_order_id="OD1", flipkart_order_item_ids=("1",))
    official.decode_done(answer({"response": "SUCCESS"}))
    with pytest.raises(UnexpectedPayload):
        official.decode_done(answer({}))


# Limits, and anything at all


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        (lambda ids: official.encode_cancel([cancellation(one) for one in ids]), 25),
        (official.encode_forms, 100),
        (official.encode_invoices, 100),
        (official.encode_download_invoices, 100),
        (lambda ids: official.encode_download_labels_only(ids, reprint=True), 50),
    ],
)
def test_a_batch_is_within_its_limit(ask, most):
    ask([f"S{number}" for number in range(most)])

    for ids in ([], [f"S{number}" for number in range(most + 1)]):
        with pytest.raises(ValueError, match=f"1 to {most}"):
            ask(ids)


@given(flipkartish)
def test_no_answer_makes_a_decoder_raise_anything_else(value):
    said = answer(value)

    for read in (
        official.decode_forms,
        official.decode_invoices,
        official.decode_handover_counts,
        official.decode_manifest,
        official.decode_download_invoices,
        official.decode_download_labels_only,
        official.decode_test_order,
        official.decode_done,
    ):
        nothing_but_call_failures(lambda read=read: read(said))
    for read in (official.decode_cancel, official.decode_acknowledge_forms):
        nothing_but_call_failures(lambda read=read: read(said, ["A"]))
