"""What only Flipkart's published format has, on the screens: cancel, forms, and buttons that are off with a reason."""

import pytest
from django.test import Client

from fulfillment import pick_lists
from fulfillment.models import FormAcknowledgement, SellerCancellation
from orders.models import Shipment
from sellers.models import Role, Seller, WireName
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.browsing import logged_in, words
from tests.factories import as_ops, reload
from tests.fulfillment.test_official import bring, enter_sizes
from tests.fulfillment.warehouse import ask_labels, only, take_in, work_on

OFF = "this connection's format of Flipkart's cannot cancel"


@pytest.fixture
def connected(db, flipkart):
    found = factories.connected_seller(flipkart, wire=WireName.OFFICIAL)
    enter_sizes(found.seller)
    return found


@pytest.fixture
def client(packer) -> Client:
    return logged_in(packer)


@pytest.fixture
def viewer(seller) -> Client:
    return logged_in(factories.member(seller, Role.VIEWER))


@pytest.fixture
def waiting(connected, seller, flipkart, packer, clock) -> Shipment:
    """For two forms."""
    (made,) = flipkart.world.add_shipments(connected.account, 1)
    for name in ("e-Way Bill", "Form 38"):
        flipkart.world.want_form(made, name)
    (found,) = take_in(seller, [connected.account.shipments[made].official_id])
    ask_labels(seller, [found], packer)
    work_on(clock)
    return reload(found)


def page_of(client, shipment):
    return client.get(address_of(shipment))


def address_of(shipment) -> str:
    return f"/s/{slug_of(shipment)}/shipments/{shipment.public_id}/"


def slug_of(shipment) -> str:
    (seller,) = as_ops(Seller, pk=shipment.seller_id)
    return seller.slug


def button(page, act: str) -> str:
    """The markup of the button that stands for `act`, "" where there is none."""
    html = page.content.decode()
    found = [part.split(">", 1)[0] for part in html.split("<button") if f'value="{act}"' in part.split(">", 1)[0]]
    return found[0] if found else ""


# --- What is out of the ordinary ------------------------------------------------------------------------------------


def test_a_shipment_that_is_out_of_the_ordinary_says_so_in_the_list_and_on_its_page(
    client, connected, seller, flipkart
):
    (made,) = flipkart.world.add_shipments(connected.account, 1, items=2, shipment_type="EXPRESS")
    flipkart.world.send_in_parcels(made, 3)
    flipkart.world.cancel_item(made, 2)
    stays, gone = (item.goods.sku for item in connected.account.shipments[made].items)
    (shipment,) = take_in(seller, [connected.account.shipments[made].official_id])
    (plain,) = bring(connected, flipkart)

    listed = client.get(f"/s/{seller.slug}/shipments/")
    pages = [page_of(client, one) for one in (shipment, plain)]

    assert {row.shipment.pk: [mark.says for mark in row.marks] for row in listed.context["rows"]} == {
        shipment.pk: ["Express", "Partly cancelled", "3 parcels"],
        plain.pk: [],
    }
    assert [[mark.says for mark in page.context["marks"]] for page in pages] == [
        ["Express", "Partly cancelled", "3 parcels"],
        [],
    ]
    assert {item.sku: says.says for item, _price, says in pages[0].context["items"]} == {stays: "", gone: "Cancelled"}
    (row,) = [row for row in listed.context["rows"] if row.shipment.pk == shipment.pk]
    assert [item.sku for item in row.items] == [stays]


def test_nobody_fetches_what_is_cancelled_of_a_shipment(connected, seller, flipkart):
    (made,) = flipkart.world.add_shipments(connected.account, 1, items=2)
    flipkart.world.cancel_item(made, 1)
    (shipment,) = take_in(seller, [connected.account.shipments[made].official_id])

    with seller_scope(seller):
        found = pick_lists.of_shipments(seller=seller, shipment_ids=[shipment.pk])

    ((_place, picks),) = found.places
    assert [pick.sku for pick in picks] == [connected.account.shipments[made].items[1].goods.sku]


# --- Cancel ----------------------------------------------------------------------------------------------------------


def test_cancelling_says_first_what_follows_and_does_nothing(client, connected, seller, flipkart):
    fresh = bring(connected, flipkart, 2)
    packed = bring(connected, flipkart, states="PACKED")
    ticked = {"act": "cancel", "shipment": [str(one.public_id) for one in (*fresh, *packed)]}

    page = client.post(f"/s/{seller.slug}/shipments/act/", ticked, follow=True)

    assert "This cannot be undone, and Flipkart counts it against you" in words(page)
    assert "Cancel at Flipkart: 2 shipments" in words(page)
    assert "1 packed already: only the buyer can cancel it now" in words(page)
    assert as_ops(SellerCancellation) == []


def test_it_is_done_for_the_reason_that_was_chosen(client, connected, seller, flipkart, clock):
    shipments = bring(connected, flipkart, 2)
    ticked = {"shipment": [str(one.public_id) for one in shipments], "confirmed": "1", "reason": "b2b_order"}

    answer = client.post(f"/s/{seller.slug}/cancel/request/", ticked, follow=True)
    work_on(clock)

    assert [str(message) for message in answer.context["messages"]] == ["2 on their way"]
    assert {(row.state, row.reason) for row in as_ops(SellerCancellation)} == {(State.DONE, "b2b_order")}


@pytest.mark.parametrize("reason", ["", "because"])
def test_without_a_reason_nothing_is_cancelled(client, connected, seller, flipkart, reason):
    (shipment,) = bring(connected, flipkart)
    ticked = {"shipment": str(shipment.public_id), "confirmed": "1", "reason": reason}

    page = client.post(f"/s/{seller.slug}/cancel/request/", ticked)

    assert page.status_code == 200
    assert page.context["asked"].errors["reason"]
    assert as_ops(SellerCancellation) == []


def test_the_button_stands_where_it_can_be_thought_of(client, viewer, connected, seller, flipkart):
    (fresh,) = bring(connected, flipkart)
    (packed,) = bring(connected, flipkart, states="PACKED")
    lists = f"/s/{seller.slug}/shipments/?stage="

    assert [bool(button(client.get(lists + stage), "cancel")) for stage in ("to_label", "to_print")] == [True, False]
    assert [bool(button(page_of(client, one), "cancel")) for one in (fresh, packed)] == [True, False]
    assert button(viewer.get(lists + "to_label"), "cancel") == button(page_of(viewer, fresh), "cancel") == ""


def test_what_is_set_aside_can_be_cancelled_from_its_own_list(client, connected, seller, flipkart):
    (short,) = bring(connected, flipkart)
    with seller_scope(seller):
        Shipment.objects.update(set_aside_at=short.first_seen_at, set_aside_reason="short")

    page = client.get(f"/s/{seller.slug}/shipments/?stage=set_aside")

    assert "disabled" not in button(page, "cancel")
    assert button(page, "cancel")


def test_on_its_way_it_is_off_and_says_so(client, connected, seller, flipkart):
    (shipment,) = bring(connected, flipkart)
    ticked = {"shipment": str(shipment.public_id), "confirmed": "1", "reason": "b2b_order"}
    client.post(f"/s/{seller.slug}/cancel/request/", ticked)

    page = page_of(client, shipment)

    assert "disabled" in button(page, "cancel")
    assert "Cancel at Flipkart: its cancellation is on its way" in words(page)


def test_a_format_that_cannot_cancel_has_its_buttons_off_with_the_reason(flipkart, db):
    old = factories.connected_seller(flipkart)
    shipment = factories.shipment(old.seller)
    client = logged_in(factories.member(old.seller, Role.STAFF))

    for page in (client.get(f"/s/{old.seller.slug}/shipments/"), page_of(client, shipment)):
        assert "disabled" in button(page, "cancel")
        assert "data-needs-choice" not in button(page, "cancel")
        assert f"Cancel at Flipkart: {OFF}" in words(page)


# --- Forms -----------------------------------------------------------------------------------------------------------


def test_the_page_asks_for_the_number_of_each_form_and_tells_them(client, connected, waiting, clock):
    page = page_of(client, waiting)
    assert page.content.decode().count('name="number"') == 2
    assert page.content.decode().count('rel="noopener noreferrer">Open the form') == 2

    sent = {"form": ["e-Way Bill", "Form 38"], "number": ["EWB-1", "77"]}
    answer = client.post(f"/s/{slug_of(waiting)}/forms/{waiting.public_id}/", sent, follow=True)

    assert answer.redirect_chain == [(address_of(waiting), 302)]
    assert "Their numbers are on their way to Flipkart" in words(answer)
    assert 'name="number"' not in answer.content.decode()
    work_on(clock)
    assert only(FormAcknowledgement).state == State.DONE
    assert "Forms that its state wants" not in words(page_of(client, waiting))


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"form": ["e-Way Bill", "Form 38"], "number": ["EWB-1", " "]}, "Give the number of Form 38."),
        ({"form": ["e-Way Bill"], "number": []}, "Give the number of each form."),
        ({"form": ["e-Way Bill", "Form 38"], "number": ["EWB-1", "7\0"]}, "Give the number of each form."),
        ({"form": ["e-Way Bill", "Form 38"], "number": ["EWB-1", "7" * 101]}, "Give the number of each form."),
        ({}, "Give the number of each form."),
    ],
)
def test_a_number_that_is_missing_is_named(client, waiting, sent, says):
    answer = client.post(f"/s/{slug_of(waiting)}/forms/{waiting.public_id}/", sent, follow=True)

    assert [str(message) for message in answer.context["messages"]] == [says]
    assert as_ops(FormAcknowledgement) == []


def test_who_only_looks_sees_which_forms_and_no_inputs(viewer, waiting):
    page = page_of(viewer, waiting)

    assert "e-Way Bill" in words(page)
    assert 'name="number"' not in page.content.decode()


def test_a_link_that_leads_to_no_page_is_none(client, waiting):
    with seller_scope(waiting.seller_id):
        Shipment.objects.update(forms=[{"name": "e-Way Bill", "link": "javascript:alert(1)"}])

    page = page_of(client, waiting)

    assert "javascript:" not in page.content.decode()
    assert page.content.decode().count('name="number"') == 1


def test_what_needs_a_person_leads_to_the_form(client, waiting):
    page = client.get(f"/s/{slug_of(waiting)}/attention/")

    assert {(group.kind, group.reason, group.mend) for group in page.context["groups"]} == {
        ("labels", Attention.FORM, None),
        ("shipments", Attention.FORM, None),
    }
    assert "Get the form where its link leads, and tell its number on the shipment's page" in words(page)
    assert f'href="{address_of(waiting)}#forms"' in page.content.decode()
