"""Print jobs: one PDF in picking order, without what must not leave, and what was left out said on its last page."""

import io
from datetime import timedelta
from uuid import uuid4

import pikepdf
import pypdfium2
import pytest
import zxingcpp
from django.utils import timezone

from fulfillment import laying_out, printing
from fulfillment.laying_out import picking_order
from fulfillment.models import LabelRequest, PrintJob, PrintJobLine
from orders.models import Reading, Shipment
from shipcrowd import files
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.factories import as_ops, reload
from tests.fulfillment.warehouse import (
    ask_labels,
    ask_print,
    drain,
    only,
    papers,
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


def printed_pdf(job: PrintJob) -> pikepdf.Pdf:
    job = reload(job)
    return pikepdf.open(io.BytesIO(files.read_checked(job.storage_key, job.sha256)))


def barcodes(job: PrintJob) -> list[set[str]]:
    """What a scanner reads on each page."""
    job = reload(job)
    pdf = pypdfium2.PdfDocument(files.read_checked(job.storage_key, job.sha256))
    found = []
    for page in pdf:
        picture = page.render(scale=3).to_pil()
        found.append({code.text for code in zxingcpp.read_barcodes(picture)})
    pdf.close()
    return found


def texts(job: PrintJob) -> list[str]:
    job = reload(job)
    pdf = pypdfium2.PdfDocument(files.read_checked(job.storage_key, job.sha256))
    found = [page.get_textpage().get_text_bounded() for page in pdf]
    pdf.close()
    return found


def left_out(job: PrintJob) -> dict[str, str]:
    with factories.ops():
        lines = PrintJobLine.objects.filter(job=job).exclude(left_out="").select_related("shipment")
        return {line.shipment.flipkart_shipment_id: line.left_out for line in lines}


def read_long_ago() -> None:
    with factories.ops():
        Reading.objects.update(read_at=timezone.now() - timedelta(minutes=6))


def test_chosen_labels_become_one_thermal_pdf_in_picking_order(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()

    done = reload(job)
    assert (done.state, done.says, done.pages, done.progress) == (State.DONE, "4 labels", 4, 4)
    pdf = printed_pdf(job)
    assert {tuple(map(float, page.mediabox)) for page in pdf.pages} == {(0.0, 0.0, 288.0, 432.0)}
    wanted = [shipment.tracking_id for shipment in sorted(labelled, key=picking_order)]
    assert [tracking_id in codes for tracking_id, codes in zip(wanted, barcodes(job), strict=True)] == [True] * 4
    assert len({shipment.sku for shipment in labelled}) == 2
    assert all(reload(shipment).printed_at for shipment in labelled)
    assert told(labelled[0])[-1] == "label printed"


def test_pages_of_the_lines_are_those_of_the_file(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()

    codes = barcodes(job)
    with factories.ops():
        lines = list(PrintJobLine.objects.filter(job=job).select_related("shipment"))
    assert sorted(line.page for line in lines) == [1, 2, 3, 4]
    assert [line.shipment.tracking_id in codes[line.page - 1] for line in lines] == [True] * 4


def test_single_parcels_of_one_sku_stand_together_and_mixed_ones_last():
    def parcel(name, sku, *, count=1, quantity=1):
        return Shipment(flipkart_shipment_id=name, sku=sku, sku_count=count, quantity=quantity)

    stack = [
        parcel("5", "A", count=2, quantity=2),
        parcel("4", "B"),
        parcel("3", "A", quantity=2),
        parcel("2", "B"),
        parcel("1", "A"),
    ]

    assert [s.flipkart_shipment_id for s in sorted(stack, key=picking_order)] == ["1", "3", "2", "4", "5"]


def test_a_buyer_who_cancels_after_the_label_is_left_out_and_listed_on_the_last_page(
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
    assert len(printed_pdf(job).pages) == 4
    last = texts(job)[-1]
    assert gone.flipkart_shipment_id in last
    assert "cancelled" in last.lower()
    assert reload(gone).printed_at is None
    assert reload(gone).attention == Attention.PULL


def test_what_must_not_leave_or_has_no_label_is_left_out_with_its_reason(seller, account, labelled, flipkart, packer):
    unlabelled = take_in(seller, flipkart.world.add_shipments(account, 1))
    flipkart.world.hold(labelled[0].flipkart_shipment_id)
    read_long_ago()
    with factories.ops():
        paper = papers(labelled[2])[0]
        type(paper).objects.filter(pk=paper.pk).update(holds_tracking_id=False)

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
            attention=Attention.PULL, attention_says="its items changed since its label: pull this parcel"
        )

    job = ask_print(seller, labelled, packer)
    drain()

    assert left_out(job) == {labelled[1].flipkart_shipment_id: "its items changed since its label: pull this parcel"}


def test_when_all_is_left_out_there_is_no_pdf_and_the_job_says_so(seller, account, flipkart, packer):
    unlabelled = take_in(seller, flipkart.world.add_shipments(account, 2))

    job = ask_print(seller, unlabelled, packer)
    drain()

    done = reload(job)
    assert (done.state, done.says, done.storage_key) == (State.DONE, "0 labels; 2 left out", "")


# --- When Flipkart does not answer -----------------------------------------------------------------------------------


def test_a_job_waits_for_flipkart_and_says_so(seller, labelled, flipkart, packer, clock):
    read_long_ago()
    flipkart.faults.set("shipments", "drop_before")
    job = ask_print(seller, labelled, packer)
    drain()
    waiting = reload(job)
    assert (waiting.state, waiting.storage_key) == (State.DUE, "")
    assert waiting.says.startswith("Flipkart did not answer at ")

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
    assert (unchecked.state, unchecked.pages, unchecked.says) == (State.DONE, 4, "4 labels")
    assert unchecked.unchecked_since is not None
    assert reload(gone).attention == ""
    assert len(as_ops(AuditEntry, did="printed labels unchecked")) == 1

    wait(clock, seconds=60)
    drain()
    assert reload(job).says == "printed unchecked; Flipkart still does not answer"
    wait(clock, seconds=60)
    drain()

    checked = reload(job)
    assert checked.says.endswith("1 of 4 must be pulled")
    # The parcel is what needs a person: of the job nothing could be retried, and it would need one for ever.
    assert (checked.state, checked.attention, checked.wake_at) == (State.DONE, "", None)
    assert reload(gone).attention == Attention.PULL
    assert [reload(shipment).attention for shipment in labelled[1:]] == [""] * 3


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
    assert checked.unchecked_since is not None


def test_a_job_that_was_to_be_unchecked_is_checked_when_flipkart_answers_after_all(seller, labelled, packer):
    read_long_ago()

    job = ask_print(seller, labelled, packer, unchecked=True)
    drain()

    assert (reload(job).state, reload(job).unchecked_since, reload(job).wake_at) == (State.DONE, None, None)


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

    settings.LEASE_SECONDS = -1
    job = ask_print(seller, labelled, packer)
    with monkeypatch.context() as patched:
        patched.setattr(laying_out.files, "store_file", dies)
        with pytest.raises(Killed):
            printing.work_due(seller_id=seller.pk)
    assert (reload(job).state, reload(job).storage_key) == (State.CLAIMED, "")
    settings.LEASE_SECONDS = 90

    printing.work_due(seller_id=seller.pk)

    assert (reload(job).state, reload(job).pages) == (State.DONE, 4)


def test_two_workers_with_one_job_name_one_file(seller, labelled, packer, settings):
    """trust.md 13: the slow one's file is not named, and nothing is told twice."""
    job = ask_print(seller, labelled, packer)
    settings.LEASE_SECONDS = -1
    from shipcrowd import work  # noqa: PLC0415 - only here a claim is made by hand

    (slow,) = work.claim_due(PrintJob, seller_id=seller.pk, limit=1, related=["seller"])
    settings.LEASE_SECONDS = 90
    printing.work_due(seller_id=seller.pk)
    named = reload(job).storage_key

    printing._print(slow)  # the slow worker goes on where it stood

    assert reload(job).storage_key == named
    assert told(labelled[0]).count("label printed") == 1


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
    assert reload(second).says == "4 labels"
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

    def show(job, number):
        signs(job, number)
        seen.append(reload(job).progress)

    monkeypatch.setattr(laying_out, "_show_progress", show)

    ask_print(seller, labelled, packer)
    drain()

    assert seen == [2, 4]


def test_another_sellers_shipments_are_not_printed(seller, other_seller, labelled, packer):
    theirs = factories.shipment(other_seller, label_stored_at=timezone.now())

    job = ask_print(seller, [*labelled, theirs], packer)
    drain()

    assert reload(job).asked_for == 4
    assert reload(theirs).printed_at is None
