"""Label and print: one press takes each shipment as far as it can, and says of each how far that was."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from fulfillment import chain, ways
from fulfillment.chain import LEAST_WAIT, MOST_WAIT, NOT_COME, patience
from fulfillment.models import Dispatch, LabelRequest, PrintJob, PrintJobLine, PrintStack, Ways
from fulfillment.options import Layout, Options
from orders.models import Shipment
from sellers.models import Role
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import State
from tests import factories
from tests.browsing import logged_in, words
from tests.factories import as_ops, reload
from tests.fulfillment.stacks import barcodes, left_out
from tests.fulfillment.warehouse import ask_labels, ask_print, drain, only, take_in, wait, work_on

OPTIONS = {"layout": "thermal", "sorting": "sku", "stack_size": "200"}


@pytest.fixture
def fresh(seller, account, flipkart) -> list[Shipment]:
    """Three shipments without a label."""
    return take_in(seller, flipkart.world.add_shipments(account, 3))


def press(seller, shipments, by, **more) -> PrintJob:
    with seller_scope(seller):
        return chain.label_and_print(
            seller=seller,
            shipment_ids=[shipment.pk for shipment in shipments],
            by=by,
            now=timezone.now(),
            **{"options": Options()} | more,
        )


def turn_on(seller) -> None:
    owner = factories.member(seller, Role.OWNER)
    with seller_scope(seller):
        ways.choose(seller=seller, is_full_chain=True, by=owner, now=timezone.now())


def out_of_time(job: PrintJob) -> None:
    with factories.ops():
        PrintJob.objects.filter(pk=job.pk).update(labels_until=timezone.now() - timedelta(seconds=1))


def test_one_press_labels_and_prints_what_has_none_and_prints_the_rest(seller, account, fresh, flipkart, packer, clock):
    ready = take_in(seller, flipkart.world.add_shipments(account, 1))
    ask_labels(seller, ready, packer)
    work_on(clock)

    job = press(seller, [*fresh, *ready], packer)
    drain()
    waiting = reload(job)
    assert (waiting.state, waiting.says) == (State.DUE, "waiting for labels: 1 of 4 have come")
    work_on(clock)

    assert reload(job).says == "4 labels"
    printed = set().union(*barcodes(only(PrintStack, job=job)))
    assert {reload(shipment).tracking_id for shipment in [*fresh, *ready]} <= printed
    assert len(flipkart.ledger.attempts_of("generate_labels")) == 4
    assert as_ops(Dispatch) == []


def test_the_job_looks_again_without_keeping_a_worker(seller, fresh, flipkart, packer, clock):
    flipkart.faults.set("generate_labels", "late_labels", seconds=3600)
    job = press(seller, fresh, packer)

    drain()
    wait(clock, seconds=3)
    drain()

    again = reload(job)
    assert (again.state, again.claim_token) == (State.DUE, None)
    assert timedelta(seconds=1) < again.wake_at - timezone.now() <= chain.LOOK_AGAIN


def test_after_a_bounded_wait_what_has_come_is_printed_and_the_rest_is_told(seller, fresh, flipkart, packer, clock):
    flipkart.faults.set("download_labels", "partial", times=None)
    job = press(seller, fresh, packer)
    work_on(clock)
    late = [shipment for shipment in fresh if reload(shipment).label_stored_at is None]
    assert reload(job).says == f"waiting for labels: {3 - len(late)} of 3 have come"

    out_of_time(job)
    wait(clock, seconds=3)
    drain()

    assert reload(job).says == f"{3 - len(late)} label{'' if len(late) == 2 else 's'}; {len(late)} left out"
    assert left_out(job) == {shipment.flipkart_shipment_id: NOT_COME for shipment in late}
    assert 0 < len(late) < 3
    assert as_ops(PrintJobLine, is_claim=True) == []


def test_a_label_that_flipkart_refused_is_told_with_its_reason(seller, fresh, flipkart, packer, clock):
    flipkart.faults.set("generate_labels", "partial", code="INVALID_HSN")

    job = press(seller, fresh, packer)
    work_on(clock)

    refused = [row.shipment_id for row in as_ops(LabelRequest, state=State.REFUSED)]
    reasons = set(left_out(job).values())
    assert reload(job).says == f"{3 - len(refused)} label; {len(refused)} left out"
    assert reasons == {"no label: Flipkart does not accept its HSN code (INVALID_HSN)"}


def test_what_may_not_be_labelled_is_left_out_with_its_reason(seller, account, flipkart, packer, clock):
    held = take_in(seller, flipkart.world.add_shipments(account, 1, held=True))

    job = press(seller, held, packer)
    work_on(clock)

    assert left_out(job) == {held[0].flipkart_shipment_id: "on hold at Flipkart"}


def test_while_it_waits_its_shipments_are_claimed(seller, fresh, packer):
    press(seller, fresh, packer)

    other = ask_print(seller, fresh, packer)

    assert all(words_.startswith("in the print job of ") for words_ in left_out(other).values())


def test_pressed_twice_it_is_one_job(seller, fresh, packer):
    once = uuid4()

    first, second = (press(seller, fresh, packer, once=once) for _ in range(2))

    assert first.pk == second.pk
    assert len(as_ops(LabelRequest)) == 3


def test_the_name_of_another_sellers_job_names_one_of_ones_own(seller, other_seller, fresh, packer):
    with seller_scope(other_seller):
        theirs = PrintJob.objects.create(seller=other_seller, wake_at=None, give_up_at=timezone.now())

    mine, again = (press(seller, fresh, packer, once=theirs.public_id) for _ in range(2))

    assert (mine.seller_id, mine.pk) == (seller.pk, again.pk)


@pytest.mark.parametrize(
    ("shipments", "least", "most"),
    [(0, LEAST_WAIT, LEAST_WAIT), (600, timedelta(minutes=10), timedelta(minutes=12)), (50_000, MOST_WAIT, MOST_WAIT)],
)
def test_the_wait_grows_with_the_job_and_has_an_end(shipments, least, most):
    assert least <= patience(shipments) <= most


# --- The full chain --------------------------------------------------------------------------------------------------


def test_with_the_full_chain_on_what_is_printed_is_marked_ready_to_dispatch(seller, fresh, flipkart, packer, clock):
    turn_on(seller)

    press(seller, fresh, packer)
    work_on(clock)

    assert sorted(flipkart.ledger.dispatches) == sorted(shipment.flipkart_shipment_id for shipment in fresh)
    assert {row.asked_by_id for row in as_ops(Dispatch)} == {packer.pk}


def test_what_was_left_out_of_print_is_not_dispatched(seller, fresh, flipkart, packer, clock):
    turn_on(seller)
    flipkart.faults.set("download_labels", "partial", times=None)
    job = press(seller, fresh, packer)
    work_on(clock)
    out_of_time(job)
    wait(clock, seconds=3)
    drain()
    flipkart.faults.clear()
    work_on(clock)

    printed = [shipment.flipkart_shipment_id for shipment in fresh if reload(shipment).printed_at]
    assert sorted(flipkart.ledger.dispatches) == sorted(printed)
    assert 0 < len(printed) < 3


def test_turned_off_meanwhile_it_dispatches_nothing(seller, fresh, flipkart, packer, clock):
    turn_on(seller)
    job = press(seller, fresh, packer)
    with seller_scope(seller):
        ways.choose(seller=seller, is_full_chain=False, by=packer, now=timezone.now())
    work_on(clock)

    assert reload(job).says == "3 labels"
    assert as_ops(Dispatch) == []


def test_a_plain_print_job_never_dispatches(seller, fresh, packer, clock):
    turn_on(seller)
    ask_labels(seller, fresh, packer)
    work_on(clock)

    ask_print(seller, fresh, packer)
    press(seller, fresh, packer, options=Options(layout=Layout.INVOICES))
    work_on(clock)

    assert as_ops(Dispatch) == []


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_the_button_says_first_what_becomes_impossible_and_then_leads_to_the_job(
    seller, account, fresh, flipkart, packer, clock
):
    held = take_in(seller, flipkart.world.add_shipments(account, 1, held=True))
    chosen = {"shipment": [str(shipment.public_id) for shipment in [*fresh, *held]]}
    client = logged_in(packer)
    address = f"/s/{seller.slug}/print/label-and-print/"

    asked = client.post(f"/s/{seller.slug}/shipments/act/", chosen | {"act": "label_print"}, follow=True)
    done = client.post(address, chosen | OPTIONS | {"confirmed": "1", "once": str(uuid4())})

    assert "Label and print: 3 shipments" in words(asked)
    assert "3 of them are labelled first" in words(asked)
    assert "1 on hold at Flipkart" in words(asked)
    assert "full chain" not in words(asked)
    job = only(PrintJob)
    assert done["Location"] == f"/s/{seller.slug}/print/{job.public_id}/"
    work_on(clock)
    assert "3 labels; 1 left out" in words(client.get(done["Location"]))


def test_the_page_warns_while_the_full_chain_is_on(seller, fresh, packer):
    turn_on(seller)

    page = logged_in(packer).post(f"/s/{seller.slug}/print/label-and-print/", {"shipment": [str(fresh[0].public_id)]})

    assert "counts as a false ready-to-dispatch against you" in words(page)


def test_an_owner_turns_the_full_chain_on_on_a_page_with_a_warning(seller):
    owner = factories.member(seller, Role.OWNER)
    client, address = logged_in(owner), f"/s/{seller.slug}/warehouse/"

    before = client.get(address)
    client.post(address, {"is_full_chain": "on"})
    after = client.get(address)
    client.post(address, {"is_full_chain": "on"})

    assert "false ready-to-dispatch" in words(before)
    assert not before.context["row"].is_full_chain
    assert after.context["row"].is_full_chain
    assert owner.username in words(after)
    assert only(Ways).changed_by_id == owner.pk
    assert len(as_ops(AuditEntry, did="turned the full chain on")) == 1


@pytest.mark.parametrize("role", [Role.STAFF, Role.VIEWER])
def test_nobody_but_an_owner_may_change_the_ways(seller, role):
    client = logged_in(factories.member(seller, role))

    assert client.post(f"/s/{seller.slug}/warehouse/", {"is_full_chain": "on"}).status_code == 403


def test_dispatch_of_what_was_never_printed_here_is_asked_about(seller, account, flipkart, packer):
    outside = take_in(seller, flipkart.world.add_shipments(account, 2, states="PACKED"))

    page = logged_in(packer).post(
        f"/s/{seller.slug}/dispatch/request/", {"shipment": [str(parcel.public_id) for parcel in outside]}
    )

    assert "2 of them were never printed here: mark them only if they stand packed." in words(page)
