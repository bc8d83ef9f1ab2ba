"""A day's work in Flipkart's published format: packed by size, papers told apart, dispatched location by location."""

import io
from collections import Counter, defaultdict
from datetime import timedelta

import pikepdf
import pytest
from django.utils import timezone

from fulfillment import sizes as package_sizes
from fulfillment.models import Dispatch, Document, LabelRequest, PackageSize, Step
from orders.models import Shipment
from sellers.models import Seller, WireName
from shipcrowd import files
from shipcrowd.simulator import official
from shipcrowd.simulator.api import ApiError
from shipcrowd.simulator.official import papers as their_papers
from shipcrowd.simulator.places import GOODS
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.factories import as_ops, reload
from tests.fulfillment.warehouse import (
    ask_dispatch,
    ask_labels,
    ask_print,
    drain,
    only,
    papers,
    states,
    take_in,
    told,
    wait,
    work_on,
)


@pytest.fixture
def connected(db, flipkart):
    """Two locations, and the published format."""
    return factories.connected_seller(flipkart, facilities=2, wire=WireName.OFFICIAL)


@pytest.fixture
def sizes(seller) -> None:
    enter_sizes(seller)


def enter_sizes(seller: Seller, *, but: str = "") -> None:
    with seller_scope(seller):
        PackageSize.objects.bulk_create(
            PackageSize(seller=seller, sku=goods.sku, length=30, breadth=20, height=4, weight="0.350")
            for goods in GOODS
            if goods.sku != but
        )


def bring(connected, flipkart, count: int = 1, **values) -> list[Shipment]:
    """Shipments of the account, read just now, in the order in which they were made."""
    made = flipkart.world.add_shipments(connected.account, count, **values)
    ids = [connected.account.shipments[one].official_id for one in made]
    found = {row.flipkart_shipment_id: row for row in take_in(connected.seller, ids)}
    return [found[one] for one in ids]


def theirs(connected, shipment: Shipment) -> str:
    """The simulator's own id of it."""
    return connected.account.by_official_id[shipment.flipkart_shipment_id].shipment_id


def all_theirs(connected, shipments: list[Shipment]) -> list[str]:
    return sorted(theirs(connected, shipment) for shipment in shipments)


def texts(pdf: bytes) -> list[bytes]:
    """What each page says, as far as its own strings tell."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return [page.Contents.read_bytes() for page in document.pages]


# --- A good day ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_shipments_are_packed_their_papers_stored_and_dispatched(connected, seller, flipkart, packer, clock, sizes):
    shipments = bring(connected, flipkart, 30, cod=None)

    assert ask_labels(seller, shipments, packer).in_words() == "30 on their way"
    work_on(clock)
    ask_dispatch(seller, shipments, packer)
    work_on(clock)

    assert states(LabelRequest) == states(Dispatch) == [State.DONE] * 30
    assert sorted(flipkart.ledger.labels) == sorted(flipkart.ledger.dispatches) == all_theirs(connected, shipments)
    for shipment in shipments:
        assert {paper.paper: paper.pages for paper in papers(shipment)} == {"label": 1, "invoice": 1}
        assert papers(shipment)[0].holds(reload(shipment).tracking_id) is True
    assert {row.state for row in as_ops(Shipment)} == {"READY_TO_DISPATCH"}


def test_the_papers_of_many_come_in_one_call_and_each_has_its_own(connected, seller, flipkart, packer, clock, sizes):
    flipkart.world.take_to_pack(1, 1)
    shipments = bring(connected, flipkart, 6)

    ask_labels(seller, shipments, packer)
    work_on(clock)

    assert [len(call.ids) for call in flipkart.ledger.calls_of("download_labels")] == [6]
    assert len({paper.sha256 for paper in as_ops(Document)}) == 12
    for shipment in shipments:
        label, invoice = papers(shipment)
        assert label.original_key
        assert label.cut_by
        assert files.read_checked(invoice.storage_key, invoice.sha256).startswith(b"%PDF")


def test_invoice_numbers_come_by_a_call_of_their_own(connected, seller, flipkart, packer, clock, sizes):
    """No row of a shipment carries one."""
    (shipment,) = bring(connected, flipkart)
    flipkart.faults.set("invoices", "server_error")

    ask_labels(seller, [shipment], packer)
    work_on(clock)

    number = connected.account.by_official_id[shipment.flipkart_shipment_id].invoice_number
    assert (reload(shipment).invoice_number, only(LabelRequest).state) == (number, State.DONE)
    assert f"invoice number {number}" in told(shipment)
    assert len(papers(shipment)) == 2


def test_a_label_does_not_wait_for_ever_for_its_invoice_number(connected, seller, flipkart, packer, clock, sizes):
    (shipment,) = bring(connected, flipkart)
    flipkart.faults.set("invoices", "server_error", times=None)

    ask_labels(seller, [shipment], packer)
    work_on(clock)
    assert reload(shipment).label_stored_at is not None
    work_on(clock, seconds=60)

    assert (reload(shipment).invoice_number, only(LabelRequest).state) == ("", State.DONE)
    assert len(papers(shipment)) == 2


def test_packing_takes_its_time_and_is_waited_for(connected, seller, flipkart, packer, clock, sizes):
    flipkart.world.take_to_pack(60, 60)
    (shipment,) = bring(connected, flipkart)
    ask_labels(seller, [shipment], packer)
    drain()
    wait(clock, seconds=6)
    drain()

    row = only(LabelRequest)
    assert (row.state, row.step, row.attention) == (State.DUE, Step.FETCH, "")
    assert (reload(shipment).state, flipkart.ledger.calls_of("download_labels")) == ("PACKING_IN_PROGRESS", [])

    wait(clock, seconds=60)
    work_on(clock)

    assert only(LabelRequest).state == State.DONE
    assert flipkart.ledger.labels == [theirs(connected, shipment)]


def test_one_that_is_not_packed_yet_does_not_hold_up_the_others(connected, seller, flipkart, packer, clock, sizes):
    shipments = bring(connected, flipkart, 3)
    flipkart.faults.set("generate_labels", "late_labels", seconds=600)
    ask_labels(seller, shipments[:1], packer)
    drain()
    ask_labels(seller, shipments[1:], packer)

    work_on(clock)

    assert [reload(one).label_stored_at is not None for one in shipments] == [False, True, True]


def test_dispatch_is_asked_for_location_by_location(connected, seller, flipkart, packer, clock, sizes):
    facilities = connected.account.facilities
    made = [flipkart.world.add_shipments(connected.account, 3, facility=one.facility_id) for one in facilities]
    ids = [connected.account.shipments[one].official_id for group in made for one in group]
    shipments = take_in(seller, ids)
    ask_labels(seller, shipments, packer)
    work_on(clock)

    ask_dispatch(seller, shipments, packer)
    work_on(clock)

    by_location = defaultdict(set)
    for shipment in shipments:
        by_location[shipment.facility_id].add(shipment.flipkart_shipment_id)
    assert len(by_location) == 2
    calls = [set(call.ids) for call in flipkart.ledger.calls_of("dispatch")]
    assert sorted(calls, key=sorted) == sorted(by_location.values(), key=sorted)


@pytest.mark.slow
def test_the_calls_of_each_location_are_full(connected, seller, flipkart, packer, clock, sizes):
    shipments = bring(connected, flipkart, 60, states="PACKED")
    ask_labels(seller, shipments, packer)
    work_on(clock)

    ask_dispatch(seller, shipments, packer)
    work_on(clock)

    counts = Counter(shipment.facility_id for shipment in shipments)
    fewest = sum(-(-count // 25) for count in counts.values())
    assert len(counts) == 2
    assert len(flipkart.ledger.calls_of("dispatch")) == fewest


def test_what_travels_in_several_parcels_has_a_label_for_each(connected, seller, flipkart, packer, clock, sizes):
    (made,) = flipkart.world.add_shipments(connected.account, 1, items=2)
    flipkart.world.send_in_parcels(made, 3)
    (shipment,) = take_in(seller, [connected.account.shipments[made].official_id])
    assert shipment.is_multi_parcel

    ask_labels(seller, [shipment], packer)
    work_on(clock)

    assert {paper.paper: paper.pages for paper in papers(shipment)} == {"label": 3, "invoice": 3}
    assert len(reload(shipment).tracking_ids) == 3


def test_of_a_partly_cancelled_shipment_the_rest_is_packed(connected, seller, flipkart, packer, clock, sizes):
    (made,) = flipkart.world.add_shipments(connected.account, 1, items=2, quantity=3)
    flipkart.world.cancel_item(made, 1)
    flipkart.world.cancel_item(made, 2, pieces=1)
    (shipment,) = take_in(seller, [connected.account.shipments[made].official_id])

    ask_labels(seller, [shipment], packer)
    work_on(clock)

    assert flipkart.ledger.labels == [made]
    assert only(LabelRequest).state == State.DONE


def test_what_was_packed_outside_is_fetched_and_never_packed(connected, seller, flipkart, packer, clock):
    shipments = bring(connected, flipkart, 2, states="PACKED")

    ask_labels(seller, shipments, packer)
    work_on(clock)

    assert flipkart.ledger.calls_of("generate_labels") == []
    assert [reload(one).label_stored_at is not None for one in shipments] == [True, True]
    assert {name for one in shipments for size in reload(one).packed_sizes for name in size} == {
        *("length", "breadth", "height", "weight")
    }


def test_labels_of_both_formats_are_printed_together(connected, seller, flipkart, packer, clock, sizes):
    shipments = bring(connected, flipkart, 3)
    ask_labels(seller, shipments, packer)
    work_on(clock)

    job = ask_print(seller, shipments, packer)
    work_on(clock)

    assert reload(job).says == "3 labels"


# --- What is not known -----------------------------------------------------------------------------------------------


def test_without_a_size_of_its_sku_a_shipment_is_left_out_until_somebody_enters_it(
    connected, seller, flipkart, packer, clock
):
    enter_sizes(seller, but="TS-BLK-M")
    without, with_size = (bring(connected, flipkart, sku=sku)[0] for sku in ("TS-BLK-M", "KURTA-IND-L"))

    outcome = ask_labels(seller, [without, with_size], packer)
    work_on(clock)

    reason = "no package size for SKU TS-BLK-M: enter it first"
    assert (outcome.accepted, outcome.left_out) == (1, [(reason, [without.flipkart_shipment_id])])
    assert flipkart.ledger.attempts_of("generate_labels") == [theirs(connected, with_size)]

    with seller_scope(seller):
        PackageSize.objects.create(seller=seller, sku="TS-BLK-M", length=25, breadth=20, height=3, weight="0.2")
    assert ask_labels(seller, [without], packer).accepted == 1
    work_on(clock)
    assert reload(without).label_stored_at is not None


def test_a_size_that_is_taken_away_meanwhile_is_asked_for_again(connected, seller, flipkart, packer, clock, sizes):
    (shipment,) = bring(connected, flipkart, sku="TS-BLK-M")
    ask_labels(seller, [shipment], packer)
    with seller_scope(seller):
        PackageSize.objects.filter(sku="TS-BLK-M").delete()

    work_on(clock)

    row = only(LabelRequest)
    assert (row.state, row.attention) == (State.REFUSED, Attention.REFUSED)
    assert row.says == "no package size for SKU TS-BLK-M: enter it first"
    assert flipkart.ledger.attempts_of("generate_labels") == []


def test_a_size_goes_from_the_table_through_packing_to_the_next_suggestion(connected, seller, flipkart, packer, clock):
    table = "sku,length_cm,breadth_cm,height_cm,weight_kg\nTS-BLK-M,31.5,22,4.25,0.415\n"
    with seller_scope(seller):
        package_sizes.enter(seller=seller, sizes=package_sizes.read(table).sizes, by=packer, now=timezone.now())
    first, waiting = bring(connected, flipkart, 2, sku="TS-BLK-M", quantity=1)
    told = {"length": "31.5", "breadth": "22", "height": "4.25", "weight": "0.415"}

    ask_labels(seller, [first], packer)
    work_on(clock)
    with seller_scope(seller):
        PackageSize.objects.all().delete()
        (wanted,) = package_sizes.wanted(seller, most=10)

    assert reload(first).packed_sizes == [told]
    assert (reload(waiting).packed_sizes or [], wanted.shipments) == ([], 1)
    assert wanted.cells == ("TS-BLK-M", *told.values())


def test_what_ships_with_the_sellers_own_courier_is_left_out(connected, seller, flipkart, packer, sizes):
    (shipment,) = bring(connected, flipkart, shipment_type="SELF")

    outcome = ask_labels(seller, [shipment], packer)

    assert [reason for reason, _ in outcome.left_out] == [
        "ships with the seller's own courier: this comes with self-ship"
    ]


# --- Once and only once ----------------------------------------------------------------------------------------------


LOST_ANSWERS = [
    (operation, kind)
    for operation in ("shipments", "generate_labels", "shipping_details", "download_labels", "dispatch")
    for kind in ("drop_before", "drop_after", "server_error", "truncated", "html", "silent")
    if (operation, kind) != ("download_labels", "silent")  # one PDF for all keeps silent about none
]


@pytest.mark.slow
@pytest.mark.parametrize(("operation", "kind"), LOST_ANSWERS)
def test_a_lost_answer_costs_time_and_nothing_else(connected, seller, flipkart, packer, clock, sizes, operation, kind):
    shipments = bring(connected, flipkart, 5)
    flipkart.faults.set(operation, kind)

    ask_labels(seller, shipments, packer)
    work_on(clock, looks=40)
    ask_dispatch(seller, shipments, packer)
    work_on(clock)
    wait(clock, seconds=60)
    work_on(clock)

    assert states(LabelRequest) == states(Dispatch) == [State.DONE] * 5
    wanted = all_theirs(connected, shipments)
    assert sorted(flipkart.ledger.labels) == sorted(flipkart.ledger.dispatches) == wanted
    assert flipkart.faults.switched_on == []
    assert {paper.paper for paper in as_ops(Document)} == {"label", "invoice"}
    assert {(row.state, row.attention) for row in as_ops(Shipment)} == {("READY_TO_DISPATCH", "")}


@pytest.mark.parametrize("seconds", [0, 1000])
def test_what_is_being_packed_is_not_packed_twice(connected, seller, flipkart, packer, clock, sizes, seconds):
    """The answer is lost, and the read-back shows PACKING_IN_PROGRESS: the effect is there."""
    flipkart.world.take_to_pack(seconds, seconds)
    (shipment,) = bring(connected, flipkart)
    flipkart.faults.set("generate_labels", "drop_after")

    ask_labels(seller, [shipment], packer)
    work_on(clock)

    assert flipkart.ledger.attempts_of("generate_labels") == [theirs(connected, shipment)]
    assert only(LabelRequest).step == Step.FETCH


def test_every_row_refused_is_no_success(connected, seller, flipkart, packer, clock, sizes):
    """HTTP 200, and not one of them was packed."""
    shipments = bring(connected, flipkart, 2)
    for shipment in shipments:
        flipkart.world.hold(theirs(connected, shipment))

    ask_labels(seller, shipments, packer)
    drain()

    assert {row.says for row in as_ops(LabelRequest)} == {"on hold at Flipkart: waits until it is released"}
    assert flipkart.ledger.labels == []


# --- What Flipkart puts off -------------------------------------------------------------------------------------------


def put_off(
    monkeypatch, operation: str, *, status: int = 200, times: int = 10_000, whose: str = "", done: bool = False
):
    """The next `times` calls, or each that asks for `whose`, are answered by a transient code in place of rows."""
    handler = official._HANDLERS[operation]
    left = [times]

    def answer(world, account, asked, fault):
        if left[0] == 0 or (whose and whose not in asked.ids):
            return handler(world, account, asked, fault)
        left[0] -= 1
        if done:
            handler(world, account, asked, fault)
        if status != 200:
            raise ApiError(status, "DEPENDENT_SYSTEM_CALL_FAILED", "try again later")
        return {"errors": [{"code": "DEPENDENT_SYSTEM_CALL_FAILED", "message": "try again later"}]}

    monkeypatch.setitem(official._HANDLERS, operation, answer)


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("done", [False, True], ids=["nothing was done", "it was done"])
def test_a_batch_that_is_put_off_is_read_back_and_neither_halved_nor_refused(
    connected, seller, flipkart, packer, clock, sizes, monkeypatch, status, done
):
    shipments = bring(connected, flipkart, 5)
    put_off(monkeypatch, "generate_labels", status=status, times=1, done=done)

    ask_labels(seller, shipments, packer)
    drain()
    assert [len(call.ids) for call in flipkart.ledger.calls_of("generate_labels")] == [5]
    assert {(row.state, row.in_doubt, row.attention) for row in as_ops(LabelRequest)} == {(State.UNKNOWN, True, "")}
    work_on(clock)

    assert states(LabelRequest) == [State.DONE] * 5
    assert [len(call.ids) for call in flipkart.ledger.calls_of("generate_labels")] == ([5] if done else [5, 5])
    assert sorted(flipkart.ledger.labels) == all_theirs(connected, shipments)


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 500])
def test_one_that_no_call_with_it_is_ever_answered_for_does_not_hold_back_the_others(
    connected, seller, flipkart, packer, clock, sizes, monkeypatch, status
):
    shipments = bring(connected, flipkart, 8)
    bad = shipments[2]
    put_off(monkeypatch, "generate_labels", status=status, whose=bad.flipkart_shipment_id)

    ask_labels(seller, shipments, packer)
    work_on(clock, looks=80)

    good = [shipment for shipment in shipments if shipment != bad]
    assert states(LabelRequest, shipment__in=good) == [State.DONE] * 7
    assert sorted(flipkart.ledger.labels) == all_theirs(connected, good)
    assert only(LabelRequest, shipment=bad).is_open
    sizes_of_calls = [len(call.ids) for call in flipkart.ledger.calls_of("generate_labels")]
    assert sizes_of_calls[:5] == [8] * 5
    assert sizes_of_calls[-1] == 1


def test_papers_that_are_put_off_are_asked_for_again_together(
    connected, seller, flipkart, packer, clock, sizes, monkeypatch
):
    shipments = bring(connected, flipkart, 5, states="PACKED")
    put_off(monkeypatch, "download_labels", times=2)

    ask_labels(seller, shipments, packer)
    drain()
    assert {row.says for row in as_ops(LabelRequest)} == {"Flipkart could not do it just now: asked again later"}
    work_on(clock)

    assert states(LabelRequest) == [State.DONE] * 5
    assert [len(call.ids) for call in flipkart.ledger.calls_of("download_labels")] == [5, 5, 5]


def test_an_outage_costs_few_calls_and_is_nobodys_refusal(
    connected, seller, flipkart, packer, clock, sizes, monkeypatch
):
    shipments = bring(connected, flipkart, 8, states="PACKED")
    put_off(monkeypatch, "download_labels")

    ask_labels(seller, shipments, packer)
    work_on(clock, looks=5)

    rows = as_ops(LabelRequest)
    assert {(row.state, row.attention, row.fetches) for row in rows} == {(State.DUE, "", 6)}
    assert [len(call.ids) for call in flipkart.ledger.calls_of("download_labels")] == [8, 8, *[8, 4, 4] * 4]


def test_one_whose_papers_are_put_off_for_ever_does_not_hold_back_the_others(
    connected, seller, flipkart, packer, clock, sizes, monkeypatch
):
    shipments = bring(connected, flipkart, 8, states="PACKED")
    bad = shipments[2]
    put_off(monkeypatch, "download_labels", whose=bad.flipkart_shipment_id)

    ask_labels(seller, shipments, packer)
    work_on(clock)

    assert {row.shipment_id: row.state for row in as_ops(LabelRequest)} == {
        shipment.pk: State.DUE if shipment == bad else State.DONE for shipment in shipments
    }
    assert only(LabelRequest, shipment=bad).attention == ""

    with factories.ops():
        LabelRequest.objects.update(packed_at=timezone.now() - timedelta(minutes=31))
    wait(clock, minutes=31)
    drain()
    assert only(LabelRequest, shipment=bad).attention == Attention.LATE


# --- Forms -----------------------------------------------------------------------------------------------------------


def test_a_form_that_must_be_acknowledged_is_told_and_then_it_goes_on(
    connected, seller, flipkart, packer, clock, sizes
):
    (made,) = flipkart.world.add_shipments(connected.account, 1)
    flipkart.world.want_form(made)
    (shipment,) = take_in(seller, [connected.account.shipments[made].official_id])
    ask_labels(seller, [shipment], packer)
    work_on(clock)

    row = only(LabelRequest)
    assert (row.state, row.attention) == (State.DUE, Attention.FORM)
    assert row.says == "waiting: Flipkart packs it only once a form is acknowledged"
    assert reload(shipment).state == "FORM_FAILED"

    flipkart.world.acknowledge(connected.account, made, {"e-Way Bill": "EWB-1"})
    work_on(clock)

    row = only(LabelRequest)
    assert (row.state, row.attention) == (State.DONE, "")
    assert flipkart.ledger.attempts_of("generate_labels") == [made]


# --- Papers that are odd ---------------------------------------------------------------------------------------------


def test_what_cannot_be_told_apart_is_asked_for_apart(connected, seller, flipkart, packer, clock, sizes, monkeypatch):
    """A page that says nothing stands between the others: no page is given to anybody by guess."""
    flipkart.world.take_to_pack(1, 1)
    shipments = bring(connected, flipkart, 4)
    merged = their_papers.merged
    monkeypatch.setattr(
        their_papers, "merged", lambda pdfs: merged([*pdfs[:1], blank(), *pdfs[1:]] if len(pdfs) > 1 else pdfs)
    )

    ask_labels(seller, shipments, packer)
    work_on(clock)

    assert states(LabelRequest) == [State.DONE] * 4
    assert sorted(len(call.ids) for call in flipkart.ledger.calls_of("download_labels")) == [1, 1, 1, 1, 2, 2, 4]
    assert [papers(one)[0].holds(reload(one).tracking_id) for one in shipments] == [True] * 4


@pytest.mark.slow
def test_pages_that_cannot_be_told_even_alone_are_kept_whole_and_a_person_is_told(
    connected, seller, flipkart, packer, clock, sizes, monkeypatch
):
    bad, good = bring(connected, flipkart, 2)
    merged, pages_of = their_papers.merged, their_papers.pages_of
    told_of = []
    monkeypatch.setattr(
        their_papers, "pages_of", lambda account, found: told_of.append(found) or pages_of(account, found)
    )
    odd = connected.account.by_official_id[bad.flipkart_shipment_id]
    monkeypatch.setattr(their_papers, "merged", lambda pdfs: merged([*pdfs, blank()] if odd in told_of[-1] else pdfs))

    ask_labels(seller, [bad, good], packer)
    work_on(clock)

    assert [paper.paper for paper in papers(good)] == ["label", "invoice"]
    assert [paper.paper for paper in papers(bad)] == ["unsplit"]
    row = only(LabelRequest, shipment=bad)
    assert (row.state, row.attention) == (State.DUE, Attention.BAD_PAPER)
    assert reload(bad).label_stored_at is None
    assert "label: page 2 is a picture: nobody can tell whose it is" in row.says


def test_of_parcels_that_lack_a_page_what_came_is_kept_for_a_person(
    connected, seller, flipkart, packer, clock, sizes, monkeypatch
):
    (made,) = flipkart.world.add_shipments(connected.account, 1, items=2)
    flipkart.world.send_in_parcels(made, 2)
    (shipment,) = take_in(seller, [connected.account.shipments[made].official_id])
    merged = their_papers.merged
    monkeypatch.setattr(their_papers, "merged", lambda pdfs: merged(pdfs[:1]))

    ask_labels(seller, [shipment], packer)
    work_on(clock)

    (whole,) = papers(shipment)
    assert (whole.paper, whole.pages) == ("unsplit", 1)
    assert files.read_checked(whole.storage_key, whole.sha256).startswith(b"%PDF")
    row = only(LabelRequest)
    assert (row.state, row.attention) == (State.DUE, Attention.BAD_PAPER)
    assert "label: 1 of its 2 parcels have no page" in row.says


def test_a_shipment_whose_papers_flipkart_refuses_does_not_hold_back_the_others(
    connected, seller, flipkart, packer, clock, sizes
):
    shipments = bring(connected, flipkart, 3)
    ask_labels(seller, shipments, packer)
    drain()
    with factories.ops():
        Shipment.objects.update(state="PACKED", read_began_at=timezone.now())
    flipkart.faults.set("download_labels", "not_a_pdf")

    work_on(clock)

    assert states(LabelRequest) == [State.DONE] * 3


def test_a_cancelled_shipment_among_them_is_withdrawn(connected, seller, flipkart, packer, clock, sizes):
    gone, stays = bring(connected, flipkart, 2)
    ask_labels(seller, [gone, stays], packer)
    drain()
    flipkart.world.cancel(theirs(connected, gone))

    work_on(clock)

    assert only(LabelRequest, shipment=gone).state == State.WITHDRAWN
    assert "label not fetched: cancelled at Flipkart" in " ".join(told(gone))
    assert only(LabelRequest, shipment=stays).state == State.DONE


def blank() -> bytes:
    document = pikepdf.Pdf.new()
    document.add_blank_page(page_size=(595, 842))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()
