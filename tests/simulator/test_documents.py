"""The papers: boxes where a real label page has them, text that can be read, barcodes that can be scanned."""

import io
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
import zxingcpp

from shipcrowd.simulator import State, documents
from shipcrowd.simulator.papers import paper_for
from shipcrowd.simulator.places import PLACES

#: wire.md, Physical layout of a Flipkart label page: points from the top left corner.
FRAME = (190.5, 28.5, 404.25, 381)
VERTICAL_BARCODE = (211, 78, 239, 219)
DATAMATRIX = (282, 66, 381, 165)
BOTTOM_BARCODE = (196, 345, 346, 368)
CUT_LINE = (36, 385.5, 554, 385.5)
INVOICE_QR = (445.5, 391.5, 559.5, 505.5)
SIGNATURE = (487, 654, 546, 699)
TEXT_AREAS = {
    "Ordered through": (193, 54, 262, 79),
    "AWB No.": (194, 97, 257, 200),
    "Shipping/Customer address:": (264, 181, 400, 245),
    "HBD:": (193, 226, 245, 244),
    "CPD:": (193, 226, 245, 244),
    "Sold By:": (193, 247, 397, 278),
    "GSTIN:": (193, 247, 397, 278),
    "SKU ID | Description": (192, 279, 404, 335),
    "Not for resale.": (192, 368, 404, 375),
    "Printed at": (192, 368, 404, 375),
    "Tax": (52, 391, 550, 750),
    "Authorized Signature": (52, 391, 550, 750),
}


@pytest.fixture
def paper(simulator, account):
    (shipment_id,) = simulator.world.add_shipments(account, 1, states=State.PACKED, cod=True, items=2)
    return paper_for(account, account.shipments[shipment_id])


@pytest.fixture
def page(paper):
    return open_page(documents.render_label(paper))


def open_page(pdf):
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    return document[0]


def boxes(page):
    """Boxes of everything drawn that is not text, from the top left corner."""
    height = page.get_height()
    return [
        (left, height - top, right, height - bottom)
        for left, bottom, right, top in (o.get_bounds() for o in page.get_objects() if o.type != 1)
    ]


def is_within(box, wanted, points):
    return all(abs(a - b) <= points for a, b in zip(box, wanted, strict=True))


def text_of(page, box=None):
    height = page.get_height()
    left, top, right, bottom = box or (0, 0, 595, 842)
    return page.get_textpage().get_text_bounded(left, height - bottom, right, height - top)


def scan(page, box, around=6):
    image = page.render(scale=200 / 72).to_pil()
    left, top, right, bottom = (round(edge * 200 / 72) for edge in box)
    edge = round(around * 200 / 72)
    return zxingcpp.read_barcodes(image.crop((left - edge, top - edge, right + edge, bottom + edge)))


def test_the_page_is_a4_without_rotation(page):
    assert page.get_size() == (595, 842)
    assert page.get_rotation() == 0
    assert page.get_mediabox() == (0, 0, 595, 842)


@pytest.mark.parametrize("wanted", [FRAME, VERTICAL_BARCODE, DATAMATRIX, CUT_LINE, INVOICE_QR, SIGNATURE], ids=str)
def test_boxes_lie_where_a_real_page_has_them(page, wanted):
    assert [box for box in boxes(page) if is_within(box, wanted, 2)]


def test_the_barcode_at_the_bottom_keeps_its_sides_and_stays_above_the_footer(page):
    left, _, right, bottom = BOTTOM_BARCODE
    found = [box for box in boxes(page) if abs(box[0] - left) <= 2 and abs(box[2] - right) <= 2]

    assert [box for box in found if 336 <= box[1] <= 347 and box[3] <= bottom]


@pytest.mark.parametrize(("words", "area"), TEXT_AREAS.items())
def test_words_stand_in_their_area(page, words, area):
    grown = (area[0] - 2, area[1] - 2, area[2] + 2, area[3] + 2)

    assert words in " ".join(text_of(page, grown).split())


def test_nothing_of_the_invoice_stands_above_the_line_and_nothing_of_the_label_below(page):
    above, below = text_of(page, (0, 0, 595, 385)), text_of(page, (0, 386, 595, 842))

    assert "Tax" not in above
    assert "Invoice" not in above
    assert "AWB" not in below
    assert "Not for resale." not in below


def test_the_text_can_be_read(page, paper):
    label, invoice = text_of(page, (190, 28, 405, 382)), text_of(page, (0, 386, 595, 842))

    for words in (paper.order_id, "COD", paper.tracking_id, paper.buyer_name, paper.place.pincode, paper.gstin):
        assert words in label
    assert label.count(paper.tracking_id) == 2
    for line in paper.lines:
        assert f"{line.goods.sku} | {line.goods.title}"[:40] in label
        assert line.goods.sku in invoice
    assert "Printed at 1530 hrs, 07/01/26" in label or "Printed at 1529 hrs, 07/01/26" in label
    for words in (paper.order_id, paper.invoice_number, f"{paper.total:.2f}", paper.gstin):
        assert words in invoice


def test_barcodes_are_read_at_200_dpi(page, paper):
    (upright,) = scan(page, BOTTOM_BARCODE)
    (turned,) = scan(page, VERTICAL_BARCODE)
    (matrix,) = scan(page, DATAMATRIX)
    (qr,) = scan(page, INVOICE_QR)

    for barcode in (upright, turned):
        assert (barcode.format, barcode.text) == (zxingcpp.BarcodeFormat.Code128, paper.tracking_id)
    assert abs(upright.orientation) in (0, 180)
    assert abs(turned.orientation) == 90
    assert matrix.format == zxingcpp.BarcodeFormat.DataMatrix
    assert matrix.text.rstrip().split(",")[:4] == [paper.tracking_id, paper.order_id, paper.place.pincode, "COD"]
    assert (qr.format, qr.text.split("|")[0]) == (zxingcpp.BarcodeFormat.QRCode, paper.invoice_number)


@pytest.mark.parametrize("tracking_id", ["EK1234567890IN", "FMPC0123456789", "1234567890", "A1"])
def test_other_tracking_ids_are_scannable_too(paper, tracking_id):
    page = open_page(documents.render_label(replace(paper, tracking_id=tracking_id)))

    assert [barcode.text for barcode in scan(page, BOTTOM_BARCODE)] == [tracking_id]


def test_tax_adds_up_on_every_line(simulator, account):
    ids = simulator.world.add_shipments(account, 400, states=State.PACKED, items=2, quantity=3)
    papers = [paper_for(account, account.shipments[shipment_id]) for shipment_id in ids]
    assert {paper.is_within_state for paper in papers} == {True, False}

    for paper in papers:
        for line in paper.lines:
            assert line.taxable + line.igst + line.cgst + line.sgst == line.total
            assert abs(line.taxable * line.goods.gst_rate / 100 - (line.total - line.taxable)) < Decimal("0.01")
            assert abs(line.cgst - line.sgst) <= Decimal("0.01")
            assert (line.igst == 0) is paper.is_within_state


@pytest.mark.parametrize("place", [PLACES[0], PLACES[1]])
def test_the_invoice_names_the_taxes_of_its_kind(simulator, account, place):
    (shipment_id,) = simulator.world.add_shipments(account, 1, states=State.PACKED)
    shipment = account.shipments[shipment_id]
    shipment.place = place
    invoice = text_of(open_page(documents.render_invoice(paper_for(account, shipment))))

    within = shipment.facility.place.gst_code == place.gst_code
    assert ("IGST" in invoice, "SGST" in invoice, "CGST" in invoice) == (not within, within, within)
    assert "Tax" in invoice


def test_the_manifest_lists_the_parcel(paper):
    manifest = text_of(open_page(documents.render_manifest(paper)))

    for words in ("Manifest", paper.tracking_id, paper.order_id, paper.shipment_id, paper.facility.facility_id):
        assert words in manifest


def test_the_same_paper_is_the_same_file_and_fonts_are_shared(simulator, account):
    ids = simulator.world.add_shipments(account, 2, states=State.PACKED)
    first, second = (paper_for(account, account.shipments[shipment_id]) for shipment_id in ids)

    assert documents.render_label(first) == documents.render_label(first)
    assert font_files(documents.render_label(first)) == font_files(documents.render_label(second))


def font_files(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return sorted(
            obj.read_raw_bytes() for obj in document.objects if isinstance(obj, pikepdf.Stream) and "/Length1" in obj
        )


def test_long_names_many_items_and_odd_letters_stay_on_the_page(simulator, account):
    (shipment_id,) = simulator.world.add_shipments(
        account,
        1,
        states=State.PACKED,
        items=9,
        buyer_name="<script>" * 60,
        address_line1="रोड ✓ " * 90,
        title="W" * 500,
    )

    page = open_page(documents.render_label(paper_for(account, account.shipments[shipment_id])))

    left, top, right, bottom = FRAME
    for box in text_boxes(page):
        assert 0 <= box[0] <= box[2] <= 595
        if box[3] < 385:
            assert left <= box[0] <= box[2] <= right
            assert top <= box[1] <= box[3] <= bottom


def text_boxes(page):
    text = page.get_textpage()
    height = page.get_height()
    found = [text.get_charbox(at) for at in range(text.count_chars())]
    return [(left, height - top, right, height - bottom) for left, bottom, right, top in found if right > left]


@pytest.mark.skipif(
    not os.environ.get("FLIPKART_REFERENCE"), reason="FLIPKART_REFERENCE names no folder with a real page"
)
def test_the_boxes_are_those_of_a_real_page(page):
    (sample,) = Path(os.environ["FLIPKART_REFERENCE"], "label-pdf").glob("*.pdf")
    real = boxes(pypdfium2.PdfDocument(sample)[0])
    ours = boxes(page)

    for wanted in (VERTICAL_BARCODE, DATAMATRIX, INVOICE_QR, SIGNATURE, CUT_LINE):
        theirs = [box for box in real if is_within(box, wanted, 4)]
        assert any(is_within(box, their, 4) for their in theirs for box in ours), wanted
    their_frame = (min(b[0] for b in real if b[3] < 382), min(b[1] for b in real), 404.25, 381)
    assert any(is_within(box, their_frame, 2) for box in ours)
