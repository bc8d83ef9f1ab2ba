"""Print jobs: stacks in picking order, without what must not leave, and what was left out said on their first page."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from fulfillment import laying_out, print_work, printing
from fulfillment.models import LabelRequest, PrintJob, PrintJobLine, PrintStack
from orders.models import Shipment, TimelineEntry
from orders.rules import in_indian_words
from sellers.models import Connection, Quota, Standing
from shipcrowd import files, work
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.browsing import logged_in, words
from tests.factories import as_ops, reload
from tests.fulfillment.stacks import barcodes, left_out, sizes, texts
from tests.fulfillment.warehouse import (
    ask_labels,
    ask_print,
    drain,
    only,
    papers,
    read_long_ago,
    take_in,
    told,
    wait,
    work_on,
)


@pytest.fixture
def labelled(seller, account, flipkart, packer, clock) -> list[Shipment]:
    """Four shipments with their labels stored, of two SKUs."""
    world = flipkart.world
    skus = [goods.sku for goods in account.goods[:2]]
    shipment_ids = [world.add_shipments(account, 1, sku=skus[at % 2])[0] for at in range(4)]
    ask_labels(seller, take_in(seller, shipment_ids), packer)
    work_on(clock)
    return as_ops(Shipment, seller=seller)


def empty_the_bucket() -> None:
    """So that the next call may be made in six seconds or so."""
    with factories.ops():
        Quota.objects.update(left=-5, kept_for_polling=0, counted_at=timezone.now())


def test_chosen_labels_become_one_thermal_stack_in_picking_order(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()

    stack = only(PrintStack, job=job)
    assert (reload(job).state, reload(job).says) == (State.DONE, "4 labels")
    assert (stack.letter, stack.asked_for, stack.printed, stack.progress, stack.pages) == ("A", 4, 4, 4, 6)
    assert sizes(stack) == {(288.0, 432.0)}
    wanted = [shipment.tracking_id for shipment in sorted(labelled, key=lambda s: (s.sku, s.flipkart_shipment_id))]
    codes = barcodes(stack)
    # The summary, two parcels, the sheet between the two SKUs, two parcels.
    assert [codes[0], codes[3]] == [set(), set()]
    assert [wanted[at] in codes[page] for at, page in enumerate((1, 2, 4, 5))] == [True] * 4
    assert len({shipment.sku for shipment in labelled}) == 2
    assert all(reload(shipment).printed_at for shipment in labelled)


def test_each_print_is_told_on_the_timeline_with_job_stack_page_and_who(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()

    asked = in_indian_words(reload(job).asked_at)
    line = only(PrintJobLine, job=job, shipment=labelled[0])
    assert told(labelled[0])[-1] == f"label printed: job of {asked}, stack A, page {line.page}"
    assert as_ops(TimelineEntry, shipment=labelled[0])[-1].by_id == packer.pk


def test_pages_of_the_lines_are_those_of_the_file(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()

    codes = barcodes(only(PrintStack, job=job))
    with factories.ops():
        lines = list(PrintJobLine.objects.filter(job=job).select_related("shipment"))
    assert sorted(line.page for line in lines) == [2, 3, 5, 6]
    assert [line.shipment.tracking_id in codes[line.page - 1] for line in lines] == [True] * 4


def test_a_buyer_who_cancels_after_the_label_is_left_out_and_listed_on_the_first_page(
    seller, labelled, flipkart, packer
):
    """trust.md 21: read longer than five minutes ago, so it is read again first."""
    gone = labelled[1]
    flipkart.world.cancel(gone.flipkart_shipment_id)
    read_long_ago()

    job = ask_print(seller, labelled, packer)
    drain()

    assert reload(job).says == "3 labels; 1 left out"
    assert left_out(job) == {gone.flipkart_shipment_id: "cancelled"}
    first, *others = texts(only(PrintStack, job=job))
    assert gone.flipkart_shipment_id in first
    assert "cancelled: 1" in first
    assert not any(gone.tracking_id in text for text in others)
    assert reload(gone).printed_at is None
    assert reload(gone).attention == Attention.PULL


def test_what_must_not_leave_or_has_no_label_is_left_out_with_its_reason(seller, account, labelled, flipkart, packer):
    unlabelled = take_in(seller, flipkart.world.add_shipments(account, 1))
    flipkart.world.hold(labelled[0].flipkart_shipment_id)
    read_long_ago()
    with factories.ops():
        paper = papers(labelled[2])[0]
        type(paper).objects.filter(pk=paper.pk).update(tracking_ids=["FMPP2699999999"])

    job = ask_print(seller, [*labelled, *unlabelled], packer)
    drain()

    assert left_out(job) == {
        labelled[0].flipkart_shipment_id: "on hold at Flipkart",
        labelled[2].flipkart_shipment_id: "its label names another tracking id than ours",
        unlabelled[0].flipkart_shipment_id: "no label stored yet",
    }


def test_items_that_changed_since_the_label_keep_it_out_of_print(seller, labelled, packer):
    with factories.ops():
        Shipment.objects.filter(pk=labelled[1].pk).update(
            attention=Attention.PULL, attention_says="its items changed since its label"
        )

    job = ask_print(seller, labelled, packer)
    drain()

    assert left_out(job) == {labelled[1].flipkart_shipment_id: "must be pulled: its items changed since its label"}


def test_when_all_is_left_out_there_is_no_pdf_and_the_job_says_so(seller, account, flipkart, packer):
    unlabelled = take_in(seller, flipkart.world.add_shipments(account, 2))

    job = ask_print(seller, unlabelled, packer)
    drain()

    done = reload(job)
    assert (done.state, done.says) == (State.DONE, "0 labels; 2 left out")
    assert as_ops(PrintStack) == as_ops(PrintJobLine, is_claim=True) == []


# --- When Flipkart does not answer -----------------------------------------------------------------------------------


def test_a_job_waits_for_flipkart_and_says_so(seller, labelled, flipkart, packer, clock):
    read_long_ago()
    flipkart.faults.set("shipments", "drop_before")
    job = ask_print(seller, labelled, packer)
    drain()
    waiting = reload(job)
    assert (waiting.state, only(PrintStack, job=job).laid_out_at) == (State.DUE, None)
    assert waiting.says.startswith("Flipkart did not answer at ")

    wait(clock, seconds=30)
    drain()

    assert reload(job).state == State.DONE


def test_a_job_that_waits_for_our_own_quota_blames_nobody_and_goes_on_as_soon_as_it_may(
    seller, labelled, packer, flipkart, clock
):
    """Printing unchecked is offered only once it has lasted, so that nobody is stuck."""
    read_long_ago()
    empty_the_bucket()
    job = ask_print(seller, labelled, packer)
    drain()

    waiting = reload(job)
    says = (
        "Too many calls to Flipkart at once, it goes on by itself: nothing is printed before it is known what changed"
    )
    assert (waiting.state, waiting.says, waiting.attention) == (State.DUE, says, "")
    assert waiting.wake_at - timezone.now() < timedelta(seconds=20)
    with factories.ops():
        PrintJob.objects.update(planned_at=timezone.now() - timedelta(minutes=2), wake_at=timezone.now())
    empty_the_bucket()
    drain()
    assert (reload(job).says, reload(job).attention) == (says, Attention.LATE)

    with factories.ops():
        Quota.objects.update(left=20)
    wait(clock, seconds=6)
    drain()
    assert (reload(job).state, reload(job).attention) == (State.DONE, "")


def test_a_job_without_a_connection_says_that_an_owner_must_reconnect(seller, labelled, packer, clock):
    read_long_ago()
    with factories.ops():
        Connection.objects.update(standing=Standing.RECONNECT)
    job = ask_print(seller, labelled, packer)
    drain()

    waiting = reload(job)
    assert (waiting.state, waiting.attention) == (State.DUE, Attention.RECONNECT)
    assert waiting.says.startswith("An owner must reconnect Flipkart: nothing is printed before")
    page = logged_in(packer).get(f"/s/{seller.slug}/print/{job.public_id}/")
    assert "Print unchecked" not in words(page)
    with factories.ops():
        PrintJob.objects.update(planned_at=timezone.now() - timedelta(minutes=2))
    wait(clock, seconds=30)
    drain()
    assert "An owner must reconnect Flipkart" in words(logged_in(packer).get(page.request["PATH_INFO"]))
    assert "Print unchecked" in words(logged_in(packer).get(page.request["PATH_INFO"]))

    with factories.ops():
        Connection.objects.update(standing=Standing.CONNECTED)
    wait(clock, seconds=30)
    drain()
    assert reload(job).state == State.DONE


def test_a_person_may_print_unchecked_and_what_was_cancelled_is_found_later(seller, labelled, flipkart, packer, clock):
    gone = labelled[0]
    flipkart.world.cancel(gone.flipkart_shipment_id)
    read_long_ago()
    flipkart.faults.set("shipments", "drop_before", times=3)
    job = ask_print(seller, labelled, packer)
    drain()
    with seller_scope(seller):
        last_read = printing.last_read_at(job)
        assert printing.print_unchecked(seller=seller, job=job, by=packer, now=timezone.now())
    assert timedelta(minutes=5) < timezone.now() - last_read < timedelta(minutes=7)
    drain()
    unchecked = reload(job)
    assert (unchecked.state, unchecked.says) == (State.DONE, "4 labels")
    assert only(PrintStack, job=job).unchecked_since is not None
    assert "Unchecked: it was not read at Flipkart" in texts(only(PrintStack, job=job))[0]
    assert reload(gone).attention == ""
    assert len(as_ops(AuditEntry, did="printed labels unchecked")) == 1

    wait(clock, seconds=60)
    drain()
    assert reload(job).says.startswith("printed unchecked, not checked yet: Flipkart did not answer at ")
    wait(clock, seconds=60)
    drain()

    checked = reload(job)
    assert checked.says.endswith("1 of 4 must be pulled")
    # The parcel is what needs a person: of the job nothing could be retried, and it would need one for ever.
    assert (checked.state, checked.attention, checked.wake_at) == (State.DONE, "", None)
    assert reload(gone).attention == Attention.PULL
    assert [reload(shipment).attention for shipment in labelled[1:]] == [""] * 3


def test_what_was_pulled_before_the_check_is_not_asked_for_again(seller, labelled, flipkart, packer, clock):
    read_long_ago()
    flipkart.faults.set("shipments", "drop_before")
    job = ask_print(seller, labelled, packer, unchecked=True)
    drain()
    with factories.ops():  # as ingest and the scan leave a parcel whose buyer cancelled and that was pulled
        Shipment.objects.filter(pk=labelled[0].pk).update(state="CANCELLED", printed_at=None)
    flipkart.world.cancel(labelled[0].flipkart_shipment_id)
    wait(clock, seconds=60)
    drain()

    assert reload(job).says.endswith("nothing was wrong")
    assert reload(labelled[0]).attention == ""


def test_what_was_printed_unchecked_and_was_right_is_noted_as_checked(seller, labelled, flipkart, packer, clock):
    read_long_ago()
    flipkart.faults.set("shipments", "drop_before")
    job = ask_print(seller, labelled, packer, unchecked=True)
    drain()
    wait(clock, seconds=60)
    drain()

    checked = reload(job)
    assert checked.says.endswith("nothing was wrong")
    assert (checked.attention, checked.wake_at) == ("", None)
    assert only(PrintStack, job=job).unchecked_since is not None


def test_a_job_that_was_to_be_unchecked_is_checked_when_flipkart_answers_after_all(seller, labelled, packer):
    read_long_ago()

    job = ask_print(seller, labelled, packer, unchecked=True)
    drain()

    assert (reload(job).state, reload(job).wake_at) == (State.DONE, None)
    assert only(PrintStack, job=job).unchecked_since is None


def test_a_job_that_is_done_cannot_be_printed_unchecked(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()

    with seller_scope(seller):
        assert not printing.print_unchecked(seller=seller, job=job, by=packer, now=timezone.now())


# --- Safe to run twice -----------------------------------------------------------------------------------------------


def test_the_same_press_sent_twice_is_one_job(seller, labelled, packer):
    """trust.md 18."""
    once = uuid4()

    first = ask_print(seller, labelled, packer, once=once)
    second = ask_print(seller, labelled, packer, once=once)

    assert first.pk == second.pk
    assert len(as_ops(PrintJob)) == 1
    assert len(as_ops(PrintJobLine)) == 4


def test_a_job_whose_worker_died_is_laid_out_by_another(seller, labelled, packer, settings, monkeypatch):
    """trust.md 6, 50."""

    class Killed(BaseException):
        """Nothing catches it, as nothing catches SIGKILL."""

    def dies(*_arguments, **_options):
        raise Killed

    job = ask_print(seller, labelled, packer)
    print_work.work_due(seller_id=seller.pk)  # planned
    settings.LEASE_SECONDS = -1
    with monkeypatch.context() as patched:
        patched.setattr(laying_out.files, "store_file", dies)
        with pytest.raises(Killed):
            print_work.work_due(seller_id=seller.pk)
    assert (reload(job).state, only(PrintStack, job=job).storage_key) == (State.CLAIMED, "")
    settings.LEASE_SECONDS = 90

    print_work.work_due(seller_id=seller.pk)

    assert (reload(job).state, only(PrintStack, job=job).pages) == (State.DONE, 6)


def test_two_workers_with_one_job_name_one_file(seller, labelled, packer, settings):
    """trust.md 13: the slow one's file is not named, and nothing is told twice."""
    job = ask_print(seller, labelled, packer)
    print_work.work_due(seller_id=seller.pk)  # planned
    settings.LEASE_SECONDS = -1
    (slow,) = work.claim_due(PrintJob, seller_id=seller.pk, limit=1, related=["seller", "asked_by"])
    stack = only(PrintStack, job=job)
    stack.job = slow
    settings.LEASE_SECONDS = 90
    print_work.work_due(seller_id=seller.pk)
    named = only(PrintStack, job=job).storage_key

    print_work._print(slow, stack)  # the slow worker goes on where it stood

    assert only(PrintStack, job=job).storage_key == named
    assert len([line for line in told(labelled[0]) if line.startswith("label printed")]) == 1


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_stored_label_that_is_damaged_is_left_out_and_fetched_again(
    seller, labelled, flipkart, packer, clock, documents, damage
):
    """trust.md 48."""
    broken = papers(labelled[0])[0]
    path = documents / broken.storage_key
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-40])

    job = ask_print(seller, labelled, packer)
    drain()

    assert reload(job).says == "3 labels; 1 left out"
    assert left_out(job)[labelled[0].flipkart_shipment_id].endswith("it is fetched again")
    work_on(clock)
    assert only(LabelRequest, shipment=labelled[0]).state == State.DONE
    second = ask_print(seller, labelled, packer)
    drain()
    assert reload(second).says == "1 label; 3 left out"
    assert len(flipkart.ledger.attempts_of("generate_labels")) == 4


def test_a_storage_that_takes_nothing_lets_the_job_wait(seller, labelled, packer, clock, monkeypatch):
    """trust.md 47, 48."""

    def full(*_arguments, **_options):
        raise files.StorageFailed("the file storage does not take files just now")

    job = ask_print(seller, labelled, packer)
    with monkeypatch.context() as patched:
        patched.setattr(files, "store_file", full)
        drain()
    assert reload(job).says == "waiting: the file storage does not take files just now"
    assert reload(labelled[0]).printed_at is None

    wait(clock, seconds=30)
    drain()

    assert reload(job).state == State.DONE


def test_progress_shows_while_it_is_laid_out(seller, labelled, packer, monkeypatch):
    monkeypatch.setattr(laying_out, "LABELS_A_SIGN", 2)
    seen = []
    signs = laying_out._show_progress

    def show(stack, number):
        signs(stack, number)
        seen.append(reload(stack).progress)

    monkeypatch.setattr(laying_out, "_show_progress", show)

    ask_print(seller, labelled, packer)
    drain()

    assert seen == [2, 4]


def test_a_worker_whose_job_was_taken_over_lays_out_no_further(seller, labelled, packer, monkeypatch, documents):
    monkeypatch.setattr(laying_out, "LABELS_A_SIGN", 2)
    signs = laying_out._show_progress

    def show(stack, number):
        with factories.ops():
            PrintJob.objects.update(claim_token=uuid4())
        signs(stack, number)

    monkeypatch.setattr(laying_out, "_show_progress", show)
    job = ask_print(seller, labelled, packer)
    drain()

    assert (reload(job).state, only(PrintStack, job=job).laid_out_at) == (State.CLAIMED, None)
    assert list(documents.rglob("print/*")) == []


def test_another_sellers_shipments_are_not_printed(seller, other_seller, labelled, packer):
    theirs = factories.shipment(other_seller, label_stored_at=timezone.now())

    job = ask_print(seller, [*labelled, theirs], packer)
    drain()

    assert reload(job).asked_for == 4
    assert reload(theirs).printed_at is None
