"""Every layout, as printed: each barcode is read by a scanner, and each invoice by a person."""

from collections import Counter
from uuid import uuid4

import pypdfium2
import pytest
from pypdfium2.raw import FPDF_PAGEOBJ_FORM

from fulfillment import print_work, slips
from fulfillment.models import Document, LabelRequest, Paper, PrintJob, PrintJobLine, PrintStack
from fulfillment.options import Layout, Options
from fulfillment.papers.layout import SMALLEST_SCALE, THERMAL, place
from fulfillment.stacking import what_to_take
from orders.models import Shipment
from shipcrowd import files
from shipcrowd.work import State
from tests import factories
from tests.factories import as_ops, reload
from tests.fulfillment.papers.pages import drawn, unpacked
from tests.fulfillment.stacks import codes, left_out, pdf_of, sizes, texts
from tests.fulfillment.warehouse import ask_labels, ask_print, drain, only, papers, take_in, work_on

DOTS_203, DOTS_300 = 203 / 72, 300 / 72


@pytest.fixture
def labelled(seller, account, flipkart, packer, clock) -> list[Shipment]:
    """Six parcels of several kinds with their papers stored: of one SKU, of several pieces, mixed, and COD."""
    world = flipkart.world
    made = world.add_shipments(account, 2, sku=account.goods[0].sku)
    made += world.add_shipments(account, 1, sku=account.goods[1].sku, quantity=3, cod=True)
    made += world.add_shipments(account, 1, items=3)
    made += world.add_shipments(account, 2, sku=account.goods[2].sku)
    ask_labels(seller, take_in(seller, made), packer)
    work_on(clock)
    return as_ops(Shipment, seller=seller)


def lines_of(job: PrintJob) -> list[PrintJobLine]:
    with factories.ops():
        lines = PrintJobLine.objects.filter(job=job, page__isnull=False).select_related("shipment")
        return list(lines.order_by("stack_id", "place"))


def printed(seller, shipments, by, **options) -> PrintStack:
    job = ask_print(seller, shipments, by, options=Options(**options))
    drain()
    assert reload(job).state == State.DONE
    stack = only(PrintStack, job=job)
    stack.job = job
    return stack


# --- Every barcode is read -------------------------------------------------------------------------------------------


def on_label(line: PrintJobLine) -> Counter[tuple[str, str]]:
    """Its bars upright and across, and the square for the courier's sorter."""
    return Counter({("Code128", line.shipment.tracking_id): 2, ("DataMatrix", line.shipment.tracking_id): 1})


def on_invoice(line: PrintJobLine) -> Counter[tuple[str, str]]:
    return Counter({("QRCode", line.shipment.invoice_number): 1})


@pytest.mark.slow
@pytest.mark.parametrize(("is_reversed", "has_separators"), [(False, True), (True, False)])
@pytest.mark.parametrize(
    ("layout", "dots", "size"),
    [
        (Layout.THERMAL, DOTS_203, (288, 432)),
        (Layout.WITH_INVOICE, DOTS_203, (288, 432)),
        (Layout.FOUR_ON_A4, DOTS_300, (595, 842)),
        (Layout.AS_MADE, DOTS_300, (595, 842)),
        (Layout.INVOICES, DOTS_300, (595, 842)),
    ],
)
def test_every_barcode_of_every_page_is_read_as_what_its_parcel_has(
    seller, labelled, packer, layout, dots, size, is_reversed, has_separators
):
    """Under the line that says what to take, among summary and separators; on invoices alone no tracking id stands."""
    stack = printed(seller, labelled, packer, layout=layout, is_reversed=is_reversed, has_separators=has_separators)

    lines, pages = lines_of(stack.job), texts(stack)
    expected: list[Counter[tuple[str, str]]] = [Counter() for _page in pages]
    for line in lines:
        at = line.page - 1
        if layout != Layout.INVOICES:
            expected[at] += on_label(line)
        if layout in (Layout.WITH_INVOICE, Layout.AS_MADE, Layout.INVOICES):
            behind = (-1 if is_reversed else 1) if layout == Layout.WITH_INVOICE else 0
            expected[at + behind] += on_invoice(line)
    assert codes(stack, scale=dots) == expected
    assert {line.shipment_id for line in lines} == {shipment.pk for shipment in labelled}
    assert sizes(stack) == {size}
    ours = [page for page, read in zip(pages, expected, strict=True) if not read]
    assert len(ours) == 1 + (3 if has_separators else 0)
    assert ours[-1 if is_reversed else 0].startswith("Stack A")
    notes = [f"A {line.page} {what_to_take(line.shipment)}" in pages[line.page - 1] for line in lines]
    assert notes == [layout not in (Layout.AS_MADE, Layout.INVOICES)] * len(lines)


@pytest.mark.parametrize("layout", [Layout.THERMAL, Layout.FOUR_ON_A4])
def test_the_line_under_a_label_covers_no_barcode_and_nothing_of_the_label(seller, labelled, packer, layout):
    stack = printed(seller, labelled[:1], packer, layout=layout)

    with pypdfium2.PdfDocument(pdf_of(stack)) as pdf:
        text = pdf[1].get_textpage()
        index, _count = text.search(f"{stack.letter} 2 ").get_next()
        _left, _bottom, _right, top = text.get_charbox(index)
        labels = [drawn.get_bounds() for drawn in pdf[1].get_objects(max_depth=1) if drawn.type == FPDF_PAGEOBJ_FORM]
    assert len(labels) == 1
    assert all(bottom >= top for _left, bottom, _right, _top in labels)


def test_nothing_of_the_invoice_is_in_a_file_of_labels(seller, labelled, packer):
    stack = printed(seller, labelled, packer)

    found = unpacked(pdf_of(stack))
    assert not any(shipment.invoice_number.encode() in found for shipment in labelled)
    assert "Invoice" not in "".join(texts(stack))


# --- Invoices --------------------------------------------------------------------------------------------------------


def test_each_label_is_followed_by_its_invoice_large_enough_to_read(seller, labelled, packer):
    stack = printed(seller, labelled, packer, layout=Layout.WITH_INVOICE, has_separators=False)

    pages = texts(stack)
    for line in lines_of(stack.job):
        assert line.shipment.invoice_number in pages[line.page]  # the next one: numbers begin at 1
        assert line.shipment.tracking_id in pages[line.page - 1]
    assert stack.pages == 1 + 2 * len(labelled)
    for slip in as_ops(Document, paper=Paper.SLIP):
        with pypdfium2.PdfDocument(files.read_checked(slip.storage_key, slip.sha256)) as pdf:
            assert all(place(page.get_size(), THERMAL, 0).scale >= SMALLEST_SCALE for page in pdf)


def test_an_invoice_that_flipkart_did_not_send_is_cut_out_of_the_labels_page(seller, labelled, packer):
    with factories.ops():
        Document.objects.filter(paper=Paper.INVOICE).update(voided_at=labelled[0].label_stored_at)

    stack = printed(seller, labelled, packer, layout=Layout.WITH_INVOICE, has_separators=False)

    pages = texts(stack)
    assert all(line.shipment.invoice_number in pages[line.page] for line in lines_of(stack.job))
    assert {slip.cut_by for slip in as_ops(Document, paper=Paper.SLIP)} == {"line"}


def test_invoices_only_are_printed_on_a4_as_they_came(seller, labelled, packer):
    stack = printed(seller, labelled, packer, layout=Layout.INVOICES, has_separators=False)

    pages = texts(stack)
    assert sizes(stack) == {(595, 842)}
    assert all(line.shipment.invoice_number in pages[line.page - 1] for line in lines_of(stack.job))
    assert [reload(shipment).printed_at for shipment in labelled] == [None] * 6
    assert as_ops(Document, paper=Paper.SLIP) == []


def test_invoices_only_are_cut_out_where_there_are_no_others(seller, labelled, packer):
    with factories.ops():
        Document.objects.filter(paper=Paper.INVOICE).update(voided_at=labelled[0].label_stored_at)

    stack = printed(seller, labelled, packer, layout=Layout.INVOICES, has_separators=False)

    pages = texts(stack)
    assert all(line.shipment.invoice_number in pages[line.page - 1] for line in lines_of(stack.job))
    assert not any(line.shipment.tracking_id in pages[line.page - 1] for line in lines_of(stack.job))


def test_a_parcel_whose_invoice_cannot_be_read_on_4x6_is_left_out_in_words(seller, labelled, packer):
    def wide(canvas) -> None:
        canvas.drawString(0, 400, "Tax Invoice")
        canvas.drawString(700, 400, "₹")

    stored = files.store(seller, kind="invoice", content=drawn(wide, size=(842, 595)))
    with factories.ops():
        invoice = Document.objects.get(shipment=labelled[0], paper=Paper.INVOICE)
        kept = {"storage_key": stored.key, "sha256": stored.sha256, "size": stored.size}
        Document.objects.filter(pk=invoice.pk).update(**kept)

    stack = printed(seller, labelled, packer, layout=Layout.WITH_INVOICE)

    reason = "its invoice cannot be cut for 4x6: it is too wide for a 4x6 sheet"
    assert left_out(stack.job) == {labelled[0].flipkart_shipment_id: reason}
    assert as_ops(PrintJobLine, is_claim=True) == []


def test_a_worker_whose_job_was_taken_over_cuts_no_more_invoices(seller, labelled, packer, monkeypatch):
    monkeypatch.setattr(slips, "WRITTEN_TOGETHER", 2)
    write = slips._write

    def write_and_lose(made):
        write(made)
        PrintJob.objects.update(claim_token=uuid4())

    monkeypatch.setattr(slips, "_write", write_and_lose)
    job = ask_print(seller, labelled, packer, options=Options(layout=Layout.WITH_INVOICE))
    drain()

    assert (len(as_ops(Document, paper=Paper.SLIP)), reload(job).state) == (2, State.CLAIMED)


def test_invoices_are_cut_over_several_turns_and_once(seller, labelled, packer, monkeypatch):
    """A worker that dies loses a few, and no turn lasts longer than a task may."""
    monkeypatch.setattr(slips, "WRITTEN_TOGETHER", 2)
    monkeypatch.setattr(slips, "SECONDS_A_TURN", 0.0)
    job = ask_print(seller, labelled, packer, options=Options(layout=Layout.WITH_INVOICE))
    print_work.work_due(seller_id=seller.pk)  # planned

    cut = []
    for _ in range(4):
        print_work.work_due(seller_id=seller.pk)
        cut.append((len(as_ops(Document, paper=Paper.SLIP)), reload(job).state))

    assert cut == [(2, State.DUE), (4, State.DUE), (6, State.DONE), (6, State.DONE)]
    again = ask_print(
        seller, labelled, packer, options=Options(layout=Layout.WITH_INVOICE), reprint_reason="the roll ran out"
    )
    drain()
    assert reload(again).says == "6 labels"
    assert len(as_ops(Document, paper=Paper.SLIP)) == 6


# --- Whose label it is -----------------------------------------------------------------------------------------------


def test_a_label_is_checked_again_against_the_tracking_id_that_is_held_when_it_is_printed(seller, labelled, packer):
    with factories.ops():
        Shipment.objects.filter(pk=labelled[0].pk).update(tracking_id="FMPP2600999999")

    stack = printed(seller, labelled, packer)

    assert left_out(stack.job) == {labelled[0].flipkart_shipment_id: "its label names another tracking id than ours"}


def test_a_label_without_text_is_printed_and_marked(seller, labelled, packer):
    with factories.ops():
        Document.objects.filter(shipment=labelled[0], paper=Paper.LABEL).update(tracking_ids=None)

    stack = printed(seller, labelled, packer)

    pages = texts(stack)
    (line,) = [line for line in lines_of(stack.job) if line.shipment_id == labelled[0].pk]
    assert "could not check" in pages[line.page - 1]
    assert "Could not check: 1 label without text" in pages[0]
    assert [page for page in pages[1:] if "could not check" in page] == [pages[line.page - 1]]


def test_the_ids_that_a_labels_text_holds_are_kept_with_it(labelled):
    for shipment in labelled:
        (label,) = [paper for paper in papers(shipment) if paper.paper == Paper.LABEL]
        assert label.tracking_ids == [shipment.tracking_id]
        assert label.original_pages == 1


def test_a_stored_label_that_no_longer_opens_is_left_out_and_fetched_again(seller, labelled, packer, clock):
    broken = files.store(seller, kind="label", content=b"%PDF-1.4 of nothing")
    with factories.ops():
        label = Document.objects.get(shipment=labelled[0], paper=Paper.LABEL)
        kept = {"storage_key": broken.key, "sha256": broken.sha256, "size": broken.size}
        Document.objects.filter(pk=label.pk).update(**kept)

    stack = printed(seller, labelled, packer)

    reason = "its stored label cannot be printed; it is fetched again"
    assert left_out(stack.job) == {labelled[0].flipkart_shipment_id: reason}
    clock.pass_(seconds=10)
    work_on(clock)
    assert only(LabelRequest, shipment=labelled[0]).state == State.DONE
    assert reload(labelled[0]).label_stored_at is not None


def test_an_invoice_whose_file_was_damaged_is_fetched_again_and_then_printed(seller, labelled, packer, clock):
    with factories.ops():
        invoice = Document.objects.get(shipment=labelled[0], paper=Paper.INVOICE)
        Document.objects.filter(pk=invoice.pk).update(sha256="0" * 64)

    first = printed(seller, labelled, packer, layout=Layout.INVOICES)
    clock.pass_(seconds=10)
    work_on(clock)
    second = printed(seller, labelled, packer, layout=Layout.INVOICES)

    assert list(left_out(first.job)) == [labelled[0].flipkart_shipment_id]
    assert left_out(second.job) == {}
