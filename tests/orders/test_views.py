"""The shipments list and the page of one shipment, as people of each role meet them."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from fulfillment.models import Document, LabelRequest
from orders.models import Buyer, SetAside, Shipment, ShipmentItem, TimelineEntry
from orders.states import State
from sellers.models import Member, MemberFacility, Role
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention
from tests import factories
from tests.browsing import logged_in, statements, words

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def packer(seller) -> Client:
    return logged_in(factories.member(seller, Role.STAFF))


@pytest.fixture
def viewer(seller) -> Client:
    return logged_in(factories.member(seller, Role.VIEWER))


@pytest.fixture
def owner(seller) -> Client:
    return logged_in(factories.member(seller, Role.OWNER))


def listed(client: Client, seller, **asked) -> list[str]:
    """Flipkart's ids on the first page, in its order."""
    answer = client.get(f"/s/{seller.slug}/shipments/", asked)
    assert answer.status_code == 200
    return [row.shipment.flipkart_shipment_id for row in answer.context["rows"]]


def buyer(of: Shipment, **values) -> Buyer:
    address = {"line1": "12 Lake Road", "city": "Pune", "state": "Maharashtra", "pincode": "411001"}
    with seller_scope(of.seller_id):
        return Buyer.objects.create(
            seller_id=of.seller_id,
            shipment=of,
            **{"name": "Asha Rao", "phone": "+919812345678", "shipping_address": address} | values,
        )


# --- The list --------------------------------------------------------------------------------------------------------


def test_the_list_opens_on_what_is_to_be_labelled_most_urgent_first(packer, seller, other_seller):
    now = timezone.now()
    later = factories.shipment(seller, dispatch_by_at=now + timedelta(hours=9))
    sooner = factories.shipment(seller, dispatch_by_at=now + timedelta(hours=1))
    factories.shipment(seller, state=State.PACKED, label_stored_at=now)
    factories.shipment(other_seller)

    assert listed(packer, seller) == [sooner.flipkart_shipment_id, later.flipkart_shipment_id]


def test_tabs_count_and_a_second_seller_never_shows(packer, seller, other_seller):
    factories.shipment(seller)
    factories.shipment(seller, state=State.PACKED, label_stored_at=timezone.now())
    factories.shipment(seller, is_on_hold=True)
    for _ in range(5):
        factories.shipment(other_seller)

    tabs = {tab.stage: tab.count for tab in packer.get(f"/s/{seller.slug}/shipments/").context["tabs"]}

    assert {stage for stage, count in tabs.items() if count} == {"to_label", "to_print", "on_hold"}
    assert tabs["to_label"] == tabs["to_print"] == tabs["on_hold"] == 1


def test_filters_stand_in_the_address_and_combine(packer, seller):
    here, there = factories.facility(seller), factories.facility(seller)
    wanted = factories.shipment(seller, facility=here, payment_type="COD", sku="MUG-RED")
    factories.shipment(seller, facility=there, payment_type="COD", sku="MUG-RED")
    factories.shipment(seller, facility=here, payment_type="PREPAID", sku="MUG-RED")
    factories.shipment(seller, facility=here, payment_type="COD", sku="MUG-BLUE")
    day = timezone.localtime(wanted.dispatch_by_at).date().isoformat()

    asked = {"facility": here.public_id, "payment": "COD", "sku": "MUG-RED", "state": "APPROVED", "due": day}

    assert listed(packer, seller, **asked) == [wanted.flipkart_shipment_id]


@pytest.mark.parametrize(
    "asked",
    [
        {"stage": "nonsense"},
        {"state": "NONSENSE"},
        {"payment": "GOLD"},
        {"facility": "nonsense"},
        {"facility": str(uuid4())},
        {"due": "tomorrow"},
        {"q": "x"},
        {"q": "x" * 501},
        {"due": "0001-01-01"},
        {"due": "9999-12-31"},
    ],
)
def test_a_filter_that_is_none_is_said_and_shows_nothing(packer, seller, asked):
    factories.shipment(seller)

    answer = packer.get(f"/s/{seller.slug}/shipments/", asked)

    assert answer.status_code == 400
    assert answer.context["form"].errors
    assert "rows" not in answer.context
    assert 'role="alert"' in answer.content.decode()


@pytest.mark.parametrize("after", ["nonsense", "~", "20261124T000000.000000Z~99999999999999999999999", "~-1"])
def test_a_page_mark_that_is_none_begins_at_the_beginning(packer, seller, after):
    row = factories.shipment(seller)

    assert listed(packer, seller, after=after) == [row.flipkart_shipment_id]


def test_pages_follow_each_other_without_a_gap(packer, seller):
    made = [factories.shipment(seller).flipkart_shipment_id for _ in range(53)]

    first = packer.get(f"/s/{seller.slug}/shipments/")
    second = packer.get(first.context["next_page"])

    found = [row.shipment.flipkart_shipment_id for page in (first, second) for row in page.context["rows"]]
    assert sorted(found) == sorted(made)
    assert (len(first.context["rows"]), second.context["next_page"]) == (50, "")
    assert packer.get(second.context["first_page"]).context["rows"] == first.context["rows"]


def test_a_search_with_one_match_opens_it_whatever_its_stage(packer, seller, other_seller):
    row = factories.shipment(seller, flipkart_shipment_id="SHIPAB4471", state=State.SHIPPED)
    factories.shipment(other_seller, flipkart_shipment_id="SHIPCD4471")

    for wanted in ("4471", "shipab", row.flipkart_order_id):
        answer = packer.get(f"/s/{seller.slug}/shipments/", {"q": wanted, "stage": "to_label"})
        assert answer.url == f"/s/{seller.slug}/shipments/{row.public_id}/"


def test_a_scan_of_a_labels_square_code_opens_its_parcel(packer, seller):
    row = factories.shipment(seller, tracking_id="FMPP0000000107")

    answer = packer.get(
        f"/s/{seller.slug}/shipments/", {"q": f"FMPP0000000107,{row.flipkart_order_id},PREPAID," + "x" * 200}
    )

    assert answer.url == f"/s/{seller.slug}/shipments/{row.public_id}/"


def test_a_whole_id_opens_its_parcel_though_others_begin_so(packer, seller):
    row = factories.shipment(seller, flipkart_shipment_id="SHIP100")
    factories.shipment(seller, flipkart_shipment_id="SHIP1001")

    assert packer.get(f"/s/{seller.slug}/shipments/", {"q": "ship100"}).url.endswith(f"/{row.public_id}/")
    assert len(listed(packer, seller, q="SHIP10")) == 2


def test_a_scan_finds_a_parcel_of_another_facility_too(seller):
    mine, other = factories.facility(seller), factories.facility(seller)
    person = factories.member(seller, Role.STAFF)
    with seller_scope(seller):
        MemberFacility.objects.create(seller=seller, member=Member.objects.get(user=person), facility=mine)
    row = factories.shipment(seller, facility=other)

    answer = logged_in(person).get(
        f"/s/{seller.slug}/shipments/", {"q": row.flipkart_shipment_id, "facility": "mine", "stage": "to_label"}
    )

    assert answer.url == f"/s/{seller.slug}/shipments/{row.public_id}/"


def test_a_search_that_finds_nothing_says_what_to_do_next(packer, seller, other_seller):
    factories.shipment(other_seller, flipkart_shipment_id="SHIPCD4471")

    answer = packer.get(f"/s/{seller.slug}/shipments/", {"q": "4471"})

    assert answer.context["rows"] == []
    assert "Nothing matches" in words(answer)
    assert "Look 4471 up at Flipkart" in words(answer)
    assert "Clear the filters" in words(answer)


def test_a_members_lists_open_on_their_facilities_until_they_say_all(seller):
    mine, other = factories.facility(seller), factories.facility(seller)
    person = factories.member(seller, Role.STAFF)
    with seller_scope(seller):
        member = Member.objects.get(seller=seller, user=person)
        MemberFacility.objects.create(seller=seller, member=member, facility=mine)
    here = factories.shipment(seller, facility=mine).flipkart_shipment_id
    there = factories.shipment(seller, facility=other).flipkart_shipment_id
    client = logged_in(person)

    assert listed(client, seller) == [here]
    assert sorted(listed(client, seller, facility="")) == sorted([here, there])


def test_all_that_match_are_named_by_what_the_person_sees(seller):
    mine, other = factories.facility(seller), factories.facility(seller)
    person = factories.member(seller, Role.STAFF)
    with seller_scope(seller):
        member = Member.objects.get(seller=seller, user=person)
        MemberFacility.objects.create(seller=seller, member=member, facility=mine)
    for place in (mine, mine, other):
        factories.shipment(seller, facility=place)
    client = logged_in(person)

    page = client.get(f"/s/{seller.slug}/shipments/").context
    confirm = client.post(
        f"/s/{seller.slug}/shipments/act/",
        {"act": "labels", "all_matching": "1", "query": page["query"]},
        follow=True,
    )

    assert confirm.context["chosen_count"] == 2


@pytest.mark.parametrize("asked", [{"stage": "all", "payment": "COD"}, {"q": "SHIPX"}])
def test_all_that_match_without_a_stage_are_those_that_are_still_here(packer, seller, asked):
    for number in range(52):
        factories.shipment(seller, payment_type="COD", flipkart_shipment_id=f"SHIPX{number:03}")
    factories.shipment(seller, payment_type="COD", flipkart_shipment_id="SHIPX999", state=State.SHIPPED, is_open=False)

    page = packer.get(f"/s/{seller.slug}/shipments/", asked).context
    confirm = packer.post(f"/s/{seller.slug}/labels/request/", {"all_matching": "1", "query": page["query"]})

    assert (page["matching"], page["all_that_match"]) == (52, "all 52 that match")
    assert confirm.context["chosen_count"] == 52


def test_what_came_after_the_consequences_were_shown_is_not_acted_on(packer, seller):
    first = factories.shipment(seller)
    address = f"/s/{seller.slug}/labels/request/"
    shown = packer.post(address, {"all_matching": "1", "query": "stage=to_label"}).context
    sent = {"all_matching": "1", "query": "stage=to_label", "confirmed": "1"}
    sent |= {"shown": shown["chosen_count"], "up_to": shown["up_to"]}
    factories.shipment(seller)

    packer.post(address, sent)

    assert [row.shipment_id for row in factories.as_ops(LabelRequest)] == [first.pk]


def test_when_more_match_than_were_shown_the_consequences_are_shown_again(packer, seller):
    came_back = factories.shipment(seller, is_on_hold=True)
    factories.shipment(seller)
    address = f"/s/{seller.slug}/labels/request/"
    shown = packer.post(address, {"all_matching": "1", "query": "stage=to_label"}).context
    with seller_scope(seller):
        Shipment.objects.filter(pk=came_back.pk).update(is_on_hold=False)
    sent = {"all_matching": "1", "query": "stage=to_label", "confirmed": "1"}
    sent |= {"shown": shown["chosen_count"], "up_to": shown["up_to"]}

    again = packer.post(address, sent)

    assert "more shipments match than you were shown" in words(again)
    assert again.context["chosen_count"] == 2
    assert factories.as_ops(LabelRequest) == []


def test_what_was_typed_is_kept_when_the_consequences_are_shown_again(packer, seller):
    came_back = factories.shipment(seller, is_on_hold=True)
    factories.shipment(seller)
    address = f"/s/{seller.slug}/shipments/set-aside/"
    chosen = {"all_matching": "1", "query": "stage=to_label"}
    shown = packer.post(address, chosen).context
    with seller_scope(seller):
        Shipment.objects.filter(pk=came_back.pk).update(is_on_hold=False)

    sent = chosen | {"confirmed": "1", "shown": shown["chosen_count"], "up_to": shown["up_to"]}
    again = packer.post(address, sent | {"reason": "damaged", "note": "the roof leaks"})

    assert "more shipments match than you were shown" in words(again)
    assert (again.context["asked"]["reason"].value(), again.context["asked"]["note"].value()) == (
        "damaged",
        "the roof leaks",
    )
    assert factories.as_ops(SetAside) == []


def test_a_press_is_handed_on_with_what_was_ticked(packer, viewer, seller):
    row = factories.shipment(seller)
    address, ticked = f"/s/{seller.slug}/shipments/act/", {"act": "labels", "shipment": str(row.public_id)}

    handed_on = packer.post(address, ticked)

    assert (handed_on.status_code, handed_on.url) == (307, f"/s/{seller.slug}/labels/request/")
    assert packer.post(address, ticked | {"act": "delete"}).url == f"/s/{seller.slug}/shipments/"
    assert packer.post(address, {}).url == f"/s/{seller.slug}/shipments/"
    assert viewer.post(address, ticked).status_code == 403


def test_a_viewer_sees_the_list_and_has_nothing_to_press(viewer, seller):
    factories.shipment(seller)

    page = viewer.get(f"/s/{seller.slug}/shipments/")

    assert len(page.context["rows"]) == 1
    assert 'name="shipment"' not in page.content.decode()
    assert "Request labels" not in words(page)


def test_a_refused_label_is_said_on_its_row(packer, seller):
    row = factories.shipment(seller)
    with seller_scope(seller):
        LabelRequest.objects.create(
            seller=seller, shipment=row, state="refused", attention=Attention.REFUSED, says="no"
        )

    assert "Flipkart refused it" in words(packer.get(f"/s/{seller.slug}/shipments/"))


@pytest.mark.parametrize("asked", ["", "?stage=all", "?stage=to_label&payment=PREPAID&facility=", "?q=SHIP"])
def test_the_list_takes_as_many_statements_with_100_rows_as_with_two(packer, seller, asked):
    for _ in range(2):
        factories.shipment(seller, payment_type="PREPAID", facility=factories.facility(seller))
    with_two = statements(packer, f"/s/{seller.slug}/shipments/{asked}")

    for _ in range(98):
        factories.shipment(seller, payment_type="PREPAID", facility=factories.facility(seller))

    assert statements(packer, f"/s/{seller.slug}/shipments/{asked}") == with_two


# --- One shipment ----------------------------------------------------------------------------------------------------


def test_a_shipments_page_shows_items_papers_work_timeline_and_why_acts_are_off(packer, seller):
    row = factories.shipment(seller, is_on_hold=True, flipkart_order_id="OD111")
    with seller_scope(seller):
        ShipmentItem.objects.filter(shipment=row).update(title="Blue mug", total_price="123456.50")
        Document.objects.create(seller=seller, shipment=row, paper="label", storage_key="k", sha256="0" * 64, size=1)
        LabelRequest.objects.create(seller=seller, shipment=row, state="given_up", says="tried for a day")
        TimelineEntry.objects.create(seller=seller, shipment=row, kind="read", says="approved at Flipkart")

    page = words(packer.get(f"/s/{seller.slug}/shipments/{row.public_id}/"))

    for told in ("Blue mug", "₹1,23,456.50", "Label", "given up Tried for a day", "Approved at Flipkart", "OD111"):
        assert told in page
    assert "Request label: on hold at Flipkart" in page


def test_a_long_timeline_says_that_only_its_last_lines_are_shown(packer, seller):
    row = factories.shipment(seller)
    address = f"/s/{seller.slug}/shipments/{row.public_id}/"
    write_lines(row, 200)
    assert "there are older ones" not in words(packer.get(address))

    write_lines(row, 1)

    page = packer.get(address)
    assert "Only the last 200 lines are shown; there are older ones." in words(page)
    assert len(page.context["timeline"]) == 200


def write_lines(of: Shipment, count: int) -> None:
    with seller_scope(of.seller_id):
        lines = [TimelineEntry(seller_id=of.seller_id, shipment=of, kind="read", says="read") for _ in range(count)]
        TimelineEntry.objects.bulk_create(lines)


def test_a_page_of_another_seller_or_of_nothing_is_not_there(packer, seller, other_seller):
    theirs = factories.shipment(other_seller)

    for public_id in (theirs.public_id, uuid4()):
        assert packer.get(f"/s/{seller.slug}/shipments/{public_id}/").status_code == 404
        assert packer.get(f"/s/{other_seller.slug}/shipments/{public_id}/").status_code == 404


def test_a_packer_sees_name_and_place_and_a_viewer_less(packer, viewer, seller):
    row = factories.shipment(seller)
    buyer(row)
    address = f"/s/{seller.slug}/shipments/{row.public_id}/"

    for client, name in ((packer, "Asha Rao"), (viewer, "A… R…")):
        page = words(client.get(address))
        assert f"{name} Pune 411001 Maharashtra" in page
        assert "98123" not in page
        assert "Lake Road" not in page
    assert "Asha Rao" not in words(viewer.get(address))


def test_an_owner_may_look_at_address_and_phone_and_that_is_written_down(owner, packer, seller, other_seller):
    row, theirs = factories.shipment(seller), factories.shipment(other_seller)
    buyer(row)
    address = f"/s/{seller.slug}/shipments/{row.public_id}/buyer/"

    page = words(owner.post(address))

    assert "12 Lake Road" in page
    assert "+919812345678" in page
    looked = [entry.rows for entry in factories.as_ops(AuditEntry, did="looked at a buyer's address and phone")]
    assert looked == [[str(row.pk)]]
    assert [e.kind for e in factories.as_ops(TimelineEntry, shipment=row)] == ["looked"]
    assert packer.post(address).status_code == 403
    assert owner.get(address).status_code == 405
    assert owner.post(f"/s/{seller.slug}/shipments/{theirs.public_id}/buyer/").status_code == 404


def test_the_part_that_htmx_asks_for_is_the_buyer_alone(owner, seller):
    row = factories.shipment(seller)
    buyer(row)

    part = owner.post(f"/s/{seller.slug}/shipments/{row.public_id}/buyer/", headers={"HX-Request": "true"})

    assert "+919812345678" in words(part)
    assert b"<html" not in part.content


def test_no_browser_keeps_a_page_with_a_buyer(owner, viewer, seller):
    row = factories.shipment(seller)
    buyer(row)
    address = f"/s/{seller.slug}/shipments/{row.public_id}/"

    for answer in (owner.get(address), viewer.get(address), owner.post(f"{address}buyer/")):
        assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_bill_that_goes_elsewhere_is_shown_to_who_may_see_the_address(owner, seller):
    same, other = factories.shipment(seller), factories.shipment(seller)
    buyer(same)
    buyer(other)
    with seller_scope(seller):
        row = Buyer.objects.get(shipment=same)
        address = {**(row.delivery_address or row.shipping_address), "name": row.name}
        Buyer.objects.filter(shipment=same).update(billing_address=address)
        elsewhere = {"name": "Rao & Sons", "line1": "9 Fort Road", "city": "Jaipur", "pincode": "302001"}
        Buyer.objects.filter(shipment=other).update(billing_address=elsewhere)

    pages = [words(owner.post(f"/s/{seller.slug}/shipments/{row.public_id}/buyer/")) for row in (same, other)]

    assert ["The bill goes to" in page for page in pages] == [False, True]
    assert "The bill goes to Rao & Sons 9 Fort Road Jaipur 302001" in pages[1]
    assert "Fort Road" not in words(owner.get(f"/s/{seller.slug}/shipments/{other.public_id}/"))


def test_the_page_takes_as_many_statements_with_50_items_as_with_one(packer, seller):
    row = factories.shipment(seller)
    address = f"/s/{seller.slug}/shipments/{row.public_id}/"
    with_one = statements(packer, address)

    with seller_scope(seller):
        for number in range(50):
            ShipmentItem.objects.create(
                seller=seller, shipment=row, flipkart_order_item_id=f"X{number}", sku="S", quantity=1
            )
            TimelineEntry.objects.create(seller=seller, shipment=row, kind="read", says="read")

    assert statements(packer, address) == with_one


def test_what_flipkart_sends_is_words_and_never_markup(owner, seller):
    row = factories.shipment(
        seller,
        sku=HOSTILE,
        courier=HOSTILE,
        tracking_id="T1",
        state=State.UNKNOWN,
        state_word=HOSTILE[:50],
        attention=Attention.UNKNOWN_STATE,
        attention_says=HOSTILE,
        facility=factories.facility(seller, name=HOSTILE),
    )
    buyer(row, name=HOSTILE, shipping_address={"city": HOSTILE, "line1": HOSTILE}, phone=HOSTILE)
    with seller_scope(seller):
        ShipmentItem.objects.filter(shipment=row).update(title=HOSTILE)
        TimelineEntry.objects.create(seller=seller, shipment=row, kind="read", says=HOSTILE)
    page = f"/s/{seller.slug}/shipments/"

    for answer in (
        owner.get(f"{page}?stage=attention"),
        owner.get(f"{page}?q={HOSTILE[:20]}"),
        owner.get(f"{page}{row.public_id}/"),
        owner.post(f"{page}{row.public_id}/buyer/"),
    ):
        assert "<script>alert" not in answer.content.decode()
        assert "&lt;script&gt;alert" in answer.content.decode()
