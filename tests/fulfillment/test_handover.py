"""Hand-over: one sheet a courier and facility, what must be pulled on top, and what the courier left behind in red."""

from datetime import timedelta
from uuid import uuid4

import pypdfium2
import pytest
import zxingcpp
from django.utils import timezone

from fulfillment import handover
from fulfillment.models import Document, HandOver, Paper, PrintJobLine
from fulfillment.papers.hand_over_sheets import ToPull, hand_over_pdf
from orders.models import Shipment
from orders.queries import not_collected
from sellers.models import Facility, Role
from shipcrowd import files
from shipcrowd.flipkart.types import State as ShipmentState
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import State
from tests import factories
from tests.browsing import logged_in, statements, words
from tests.factories import as_ops, reload
from tests.fulfillment.warehouse import (
    ask_dispatch,
    ask_labels,
    ask_print,
    drain,
    only,
    read_long_ago,
    refill_quota,
    spend_quota,
    take_in,
    told,
    wait,
    work_on,
)

HTMX = {"HTTP_HX_REQUEST": "true"}


def count_not_collected(seller) -> int:
    return Shipment.objects.filter(not_collected(seller, timezone.now()), seller=seller).count()


@pytest.fixture
def ready(seller, account, flipkart, packer, clock) -> list[Shipment]:
    """Three parcels that are printed and marked ready to dispatch."""
    fresh = take_in(seller, flipkart.world.add_shipments(account, 3))
    ask_labels(seller, fresh, packer)
    work_on(clock)
    ask_print(seller, fresh, packer)
    drain()
    ask_dispatch(seller, fresh, packer)
    work_on(clock)
    return as_ops(Shipment, seller=seller)


def ask(seller, by, *, courier="EKART", **options) -> HandOver:
    with seller_scope(seller):
        place = Facility.objects.filter(seller=seller).first()
        return handover.request_hand_over(seller=seller, **{"facility": place, "courier": courier, "by": by} | options)


def pages_of(sheet: HandOver) -> list[str]:
    sheet = reload(sheet)
    with pypdfium2.PdfDocument(files.read_checked(sheet.storage_key, sheet.sha256)) as pdf:
        return [page.get_textpage().get_text_bounded() for page in pdf]


def waiting(seller) -> list[tuple[str, int, int, int]]:
    with seller_scope(seller):
        return [
            (one.courier, one.parcels, one.to_pull, one.not_collected)
            for one in handover.waiting(seller, timezone.now())
        ]


def test_the_sheet_names_every_parcel_with_its_count_and_a_line_to_sign(seller, ready, packer):
    sheet = ask(seller, packer)
    drain()

    done = reload(sheet)
    first, *manifests = pages_of(sheet)
    assert (done.state, done.says, done.parcels, done.asked_by_id) == (State.DONE, "3 parcels", 3, packer.pk)
    assert all(shipment.tracking_id in first for shipment in ready)
    assert "Hand-over: EKART" in first
    assert "Handed over: 3" in first
    assert "Received by the courier (name, signature, time)" in first
    assert (done.manifests, len(manifests)) == (3, 3)
    assert all(any(shipment.tracking_id in page for page in manifests) for shipment in ready)
    assert told(ready[0])[-1].startswith("on the hand-over sheet of ")


def test_one_manifest_of_many_parcels_is_printed_once(seller, ready, packer):
    with factories.ops():
        one = Document.objects.filter(paper=Paper.MANIFEST).first()
        same = {"storage_key": one.storage_key, "sha256": one.sha256, "size": one.size}
        Document.objects.filter(paper=Paper.MANIFEST).update(**same)

    sheet = ask(seller, packer)
    drain()

    assert (reload(sheet).manifests, len(pages_of(sheet))) == (1, 2)


def test_without_manifests_the_sheet_stands_alone(seller, ready, packer):
    with factories.ops():
        Document.objects.filter(paper=Paper.MANIFEST).update(voided_at=timezone.now())

    sheet = ask(seller, packer)
    drain()

    assert len(pages_of(sheet)) == 1
    assert "manifest" not in pages_of(sheet)[0]


def test_a_manifest_whose_file_is_lost_is_left_away(seller, ready, packer, documents):
    (documents / as_ops(Document, paper=Paper.MANIFEST)[1].storage_key).unlink()

    sheet = ask(seller, packer)
    drain()

    assert (reload(sheet).manifests, len(pages_of(sheet))) == (2, 3)
    assert "Flipkart's manifests behind this sheet: 2" in pages_of(sheet)[0]


def test_what_a_buyer_cancelled_stands_on_top_with_its_place_and_not_among_the_parcels(seller, ready, packer, flipkart):
    """Read longer than five minutes ago, so it is read again before the sheet is made."""
    gone = ready[1]
    flipkart.world.cancel(gone.flipkart_shipment_id)
    read_long_ago()

    sheet = ask(seller, packer)
    drain()

    done = reload(sheet)
    first = pages_of(sheet)[0]
    line = only(PrintJobLine, shipment=gone)
    assert (done.says, done.parcels, done.to_pull) == ("2 parcels; 1 to pull first", 2, 1)
    pulls, parcels = first.split("Handed over: 2")
    assert "PULL THESE FIRST: 1" in pulls
    assert gone.tracking_id in pulls
    assert f"stack A, page {line.page}" in pulls
    assert "cancelled after its label" in pulls
    assert gone.tracking_id not in parcels
    with pypdfium2.PdfDocument(files.read_checked(done.storage_key, done.sha256)) as pdf:
        codes = zxingcpp.read_barcodes(pdf[0].render(scale=3).to_pil())
    assert {code.text for code in codes} == {gone.tracking_id}


def test_of_several_parcels_each_that_is_not_pulled_yet_stands_on_top(seller, ready, packer):
    ids = [ready[0].tracking_id, "FMPP9000000002", "FMPP9000000003"]
    with factories.ops():
        Shipment.objects.filter(pk=ready[0].pk).update(
            attention="pull", is_multi_parcel=True, tracking_ids=ids, pulled_ids=ids[1:2]
        )

    sheet = ask(seller, packer)
    drain()

    pulls, parcels = pages_of(sheet)[0].split("Handed over: 2")
    assert reload(sheet).says == "2 parcels; 2 to pull first"
    assert [one in pulls for one in ids] == [True, False, True]
    assert not any(one in parcels for one in ids)
    assert waiting(seller) == [("EKART", 2, 2, 0)]


@pytest.mark.parametrize(
    "change",
    [
        {"is_on_hold": True},
        {"set_aside_at": timezone.now(), "set_aside_reason": "damaged"},
        {"state": ShipmentState.PICKUP_COMPLETE},
        {"state": ShipmentState.PACKED},
    ],
)
def test_what_is_held_set_aside_scanned_or_not_ready_is_not_handed_over(seller, ready, packer, change):
    with factories.ops():
        Shipment.objects.filter(pk=ready[0].pk).update(**change)

    sheet = ask(seller, packer)
    drain()

    assert ready[0].tracking_id not in pages_of(sheet)[0]
    assert reload(sheet).parcels == 2


def test_another_courier_and_another_facility_have_sheets_of_their_own(seller, ready, packer):
    elsewhere = factories.facility(seller)
    with factories.ops():
        Shipment.objects.filter(pk=ready[0].pk).update(courier="DELHIVERY")
        Shipment.objects.filter(pk=ready[1].pk).update(facility=elsewhere)

    sheet = ask(seller, packer)
    drain()

    assert sorted(waiting(seller)) == [("DELHIVERY", 1, 0, 0), ("EKART", 1, 0, 0), ("EKART", 1, 0, 0)]
    assert reload(sheet).parcels == 1
    assert ready[2].tracking_id in pages_of(sheet)[0]


def test_when_flipkart_does_not_answer_the_sheet_is_made_and_says_so(seller, ready, packer, flipkart):
    read_long_ago()
    flipkart.faults.set("shipments", "drop_before", times=None)

    sheet = ask(seller, packer)
    drain()

    assert reload(sheet).state == State.DONE
    assert "UNCHECKED: Flipkart did not answer; last read" in pages_of(sheet)[0]
    assert reload(sheet).says.startswith("3 parcels; UNCHECKED: Flipkart did not answer; last read ")


def test_where_only_our_quota_is_spent_the_sheet_waits_and_is_then_checked(seller, ready, packer, flipkart):
    read_long_ago()
    flipkart.world.cancel(ready[0].flipkart_shipment_id)
    spend_quota(seller)

    sheet = ask(seller, packer)
    drain()
    waiting_ = reload(sheet)
    refill_quota(seller)
    factories.wake(HandOver)
    drain()

    assert (waiting_.state, waiting_.says) == (State.DUE, "waiting: our own quota of calls is spent for the moment")
    assert waiting_.wake_at <= waiting_.asked_at + handover.LONGEST_WAIT + timedelta(seconds=1)
    assert reload(sheet).says == "2 parcels; 1 to pull first"
    assert "UNCHECKED" not in pages_of(sheet)[0]


def test_a_sheet_that_waited_two_minutes_for_the_quota_is_made_and_says_so(seller, ready, packer):
    read_long_ago()
    spend_quota(seller)
    sheet = ask(seller, packer)
    drain()

    with factories.ops():
        HandOver.objects.update(asked_at=timezone.now() - handover.LONGEST_WAIT, wake_at=timezone.now())
    drain()

    unchecked = "UNCHECKED: our own quota of calls is spent for the moment; last read "
    assert (reload(sheet).state, reload(sheet).parcels) == (State.DONE, 3)
    assert unchecked in pages_of(sheet)[0]
    assert f"3 parcels; {unchecked}" in words(logged_in(packer).get(f"/s/{seller.slug}/hand-over/"))


@pytest.mark.parametrize(
    ("asked_before", "retry_after", "pause"),
    [
        (timedelta(0), timedelta(seconds=7), timedelta(seconds=7)),
        (timedelta(0), None, handover.ASK_AGAIN),
        (timedelta(seconds=100), timedelta(minutes=5), timedelta(seconds=20)),
        (timedelta(minutes=2), timedelta(seconds=1), None),
        (timedelta(minutes=9), None, None),
    ],
)
def test_a_sheet_never_waits_longer_than_two_minutes_for_the_quota(asked_before, retry_after, pause):
    now = timezone.now()

    assert handover.pause_for_quota(now - asked_before, now, retry_after) == pause


def test_a_storage_that_takes_nothing_lets_the_sheet_wait(seller, ready, packer, clock, monkeypatch):
    def full(*_arguments, **_options):
        raise files.StorageFailed("the file storage does not take files just now")

    sheet = ask(seller, packer)
    with monkeypatch.context() as patched:
        patched.setattr(files, "store_file", full)
        drain()
    assert reload(sheet).says == "waiting: the file storage does not take files just now"

    with factories.ops():
        HandOver.objects.update(wake_at=timezone.now())
    drain()

    assert reload(sheet).state == State.DONE


def test_pressed_twice_it_is_one_sheet(seller, ready, packer):
    once = uuid4()

    first, second = (ask(seller, packer, once=once) for _ in range(2))

    assert first.pk == second.pk
    assert len(as_ops(HandOver)) == 1


def test_the_name_of_another_sellers_sheet_names_one_of_ones_own(seller, other_seller, ready, packer):
    theirs = ask(other_seller, factories.member(other_seller))

    mine, again = (ask(seller, packer, once=theirs.public_id) for _ in range(2))

    assert (mine.seller_id, mine.pk) == (seller.pk, again.pk)
    assert len(as_ops(HandOver)) == 2


def test_six_hundred_parcels_are_all_on_numbered_pages(seller):
    ids = [f"FMPP26{number:08}" for number in range(600)]
    pull = [ToPull(f"FMPP27{number:08}", "cancelled", "stack A, page 3") for number in range(25)]

    pdf = hand_over_pdf(title="Hand-over: EKART, Pune", facts=["x"], to_pull=pull, tracking_ids=ids)

    with pypdfium2.PdfDocument(pdf) as file:
        pages = [page.get_textpage().get_text_bounded() for page in file]
    everything = " ".join(pages)
    assert all(f"{number} / {len(pages)}" in page for number, page in enumerate(pages, start=1))
    assert [everything.count(one) for one in ids] == [1] * 600
    assert all(row.tracking_id in everything for row in pull)
    assert ["Parcels counted" in page for page in pages] == [False] * (len(pages) - 1) + [True]


# --- Not collected ---------------------------------------------------------------------------------------------------


@pytest.fixture
def left_behind(seller, ready) -> list[Shipment]:
    """Ready since yesterday; the courier comes each quarter of an hour, and came."""
    daily = [[f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 15, 30, 45)]] * 7
    with factories.ops():
        Facility.objects.filter(seller=seller).update(pickup_times=daily)
        Shipment.objects.filter(pk__in=[s.pk for s in ready[:2]]).update(
            state_changed_at=timezone.now() - timedelta(days=1)
        )
    return ready[:2]


def test_what_the_courier_left_behind_is_counted_in_two_statements(
    seller, left_behind, other_seller, django_assert_num_queries
):
    factories.facility(seller, pickup_times=[["14:00"]] * 7)
    theirs = factories.facility(other_seller, pickup_times=[["00:00"]] * 7)
    factories.shipment(
        other_seller,
        facility=theirs,
        state=ShipmentState.READY_TO_DISPATCH,
        state_changed_at=timezone.now() - timedelta(days=3),
    )

    with seller_scope(seller):
        count_not_collected(seller)
        with django_assert_num_queries(2):
            count = count_not_collected(seller)

    assert count == 2
    assert waiting(seller) == [("EKART", 3, 0, 2)]


def test_it_is_red_in_list_and_page(seller, left_behind, packer):
    client = logged_in(packer)

    listed = client.get(f"/s/{seller.slug}/shipments/?stage=awaiting_pickup")
    page = client.get(f"/s/{seller.slug}/shipments/{left_behind[0].public_id}/")
    waits = client.get(f"/s/{seller.slug}/hand-over/")

    shown = [row.deadline for row in listed.context["rows"] if row.deadline.tone == "bad"]
    assert [says.says.startswith("not collected at ") for says in shown] == [True, True]
    assert 'class="sc-bad-text sc-strong" title' in page.content.decode()
    assert "not collected at " in words(page)
    assert "2 not collected at the last pickup" in words(waits)


def test_what_is_set_aside_waits_for_no_courier(seller, left_behind):
    with factories.ops():
        Shipment.objects.filter(pk=left_behind[0].pk).update(set_aside_at=timezone.now(), set_aside_reason="short")

    with seller_scope(seller):
        assert count_not_collected(seller) == 1


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_the_page_prints_a_sheet_and_shows_it_when_it_is_made(seller, ready, packer):
    client, page = logged_in(packer), f"/s/{seller.slug}/hand-over/"
    place = only(Facility, seller=seller)

    before = client.get(page)
    client.post(f"{page}request/", {"facility": place.public_id, "courier": "EKART", "once": str(uuid4())})
    moving = client.get(page)
    drain()
    part = client.get(page, **HTMX)
    sheet = only(HandOver)
    pdf = client.get(f"{page}{sheet.public_id}.pdf")

    assert "3 parcels" in words(before)
    assert 'hx-trigger="every 1s"' in moving.content.decode()
    assert "<html" not in part.content.decode()
    assert "Open (4 pages)" in words(part)
    assert pdf.content.startswith(b"%PDF")
    assert (reload(sheet).opened_by_id, reload(sheet).opened_at is not None) == (packer.pk, True)


def test_who_only_looks_sees_what_waits_and_may_not_print(seller, ready):
    viewer = logged_in(factories.member(seller, Role.VIEWER))
    page = f"/s/{seller.slug}/hand-over/"

    shown = viewer.get(page)

    assert "EKART" in words(shown)
    assert "Print the sheet" not in words(shown)
    assert viewer.post(f"{page}request/", {"courier": "EKART"}).status_code == 403


def test_the_page_takes_the_same_statements_for_one_courier_and_for_many(seller, packer):
    client, page = logged_in(packer), f"/s/{seller.slug}/hand-over/"

    def one_more(number: int) -> None:
        factories.shipment(
            seller,
            facility=factories.facility(seller),
            courier=f"COURIER-{number}",
            state=ShipmentState.READY_TO_DISPATCH,
        )

    one_more(0)
    one = statements(client, page)
    for number in range(1, 7):
        one_more(number)

    assert statements(client, page) == one


def test_a_task_that_runs_again_makes_no_second_sheet(seller, ready, packer, clock):
    sheet = ask(seller, packer)
    drain()
    key = reload(sheet).storage_key

    wait(clock, seconds=1)

    assert handover.work_due(seller_id=seller.pk) is False
    assert reload(sheet).storage_key == key
