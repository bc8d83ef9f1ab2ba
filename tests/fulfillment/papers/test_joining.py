"""Many labels in one print file: whole, in order, readable by a scanner, and no larger than it must be."""

import io
from collections.abc import Iterator
from itertools import pairwise

import pikepdf
import pytest
import zxingcpp

from fulfillment.papers.cutting import cut_invoice, cut_label
from fulfillment.papers.joining import Label, join
from fulfillment.papers.layout import AS_MADE, FOUR_ON_A4, THERMAL, Layout
from fulfillment.papers.types import LabelRefused, PaperRefused
from tests.fulfillment.papers.pages import changed, drawn, label_pages, pixels, text_of

PAGES = label_pages(6)
CUTS = [cut_label(page.pdf).pdf for page in PAGES]
IDS = [page.tracking_id for page in PAGES]


def joined(*labels: Label | bytes, layout: Layout = THERMAL) -> bytes:
    out = io.BytesIO()
    pages = join(labels, out, layout=layout)
    pdf = out.getvalue()
    with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False) as file:
        assert (file.check_pdf_syntax(), file.get_warnings()) == ([], [])
        assert len(file.pages) == pages
    return pdf


def sizes(pdf: bytes) -> list[tuple[float, float]]:
    with pikepdf.open(io.BytesIO(pdf)) as file:
        return [(float(page.mediabox[2]), float(page.mediabox[3])) for page in file.pages]


def barcodes(pdf: bytes, page: int, dots_an_inch: int) -> set[str]:
    """What a scanner reads on a printed page: the text of each barcode, up to its first comma."""
    found = zxingcpp.read_barcodes(pixels(pdf, page=page, scale=dots_an_inch / 72))
    return {barcode.text.split(",")[0] for barcode in found}


@pytest.mark.parametrize("dots_an_inch", [203, 300])
def test_every_printed_barcode_is_read_as_the_tracking_id_of_its_page(dots_an_inch: int):
    pdf = joined(*CUTS)

    assert sizes(pdf) == [(288, 432)] * 6
    assert [barcodes(pdf, page, dots_an_inch) for page in range(6)] == [{tracking_id} for tracking_id in IDS]


def test_each_kind_of_barcode_of_a_printed_label_is_read():
    found = zxingcpp.read_barcodes(pixels(joined(CUTS[0]), scale=300 / 72))

    assert {barcode.format for barcode in found} == {zxingcpp.BarcodeFormat.Code128, zxingcpp.BarcodeFormat.DataMatrix}


def test_four_labels_on_a4_are_read_at_300_dots():
    pdf = joined(*CUTS, layout=FOUR_ON_A4)

    assert sizes(pdf) == [(595, 842)] * 2
    assert [barcodes(pdf, page, 300) for page in range(2)] == [set(IDS[:4]), set(IDS[4:])]


def test_as_made_keeps_each_page_as_it_is():
    pdf = joined(PAGES[0].pdf, CUTS[1], layout=AS_MADE)

    assert sizes(pdf) == [(595, 842), sizes(CUTS[1])[0]]
    assert pixels(pdf, page=0).tobytes() == pixels(PAGES[0].pdf).tobytes()
    assert pixels(pdf, page=1).tobytes() == pixels(CUTS[1]).tobytes()


def test_an_invoice_follows_its_label_turned_on_a_sheet_of_its_own():
    pdf = joined(CUTS[0], cut_invoice(PAGES[0].pdf).pdf)

    assert sizes(pdf) == [(288, 432)] * 2
    assert PAGES[0].invoice_number in text_of(pdf, 1)
    assert PAGES[0].invoice_number not in text_of(pdf, 0)


def test_what_labels_share_is_written_once():
    fonts = 0
    with pikepdf.open(io.BytesIO(joined(*CUTS))) as file:
        for thing in file.objects:
            fonts += isinstance(thing, pikepdf.Stream) and "/Length1" in thing.stream_dict
    assert fonts == 2
    assert len(joined(*CUTS)) < 0.6 * sum(map(len, CUTS))


def test_labels_are_read_one_at_a_time_and_written_at_once():
    """trust.md 50."""
    out = io.BytesIO()
    written = []

    def stored() -> Iterator[bytes]:
        for cut in CUTS:
            written.append(out.tell())
            yield cut

    join(stored(), out, layout=THERMAL)

    assert len(written) == 6
    assert all(before < after for before, after in pairwise(written))


def test_a_note_stands_under_the_label_where_there_is_room():
    note = "SKU-7 × 2 " + "long " * 40
    pdf = joined(Label(CUTS[0], note), Label(drawn(lambda canvas: canvas.drawString(9, 9, "x"), size=(288, 432)), note))

    assert "SKU-7 × 2 long" in text_of(pdf, 0)
    assert "SKU-7" not in text_of(pdf, 1)
    assert barcodes(pdf, 0, 203) == {IDS[0]}


def test_a_sheet_of_our_own_is_alone_and_what_follows_begins_another():
    alone = drawn(lambda canvas: canvas.drawString(9, 9, "divider"), size=(595, 842))
    labels = [Label(CUTS[0]), Label(CUTS[1]), Label(alone, is_alone=True), Label(CUTS[2])]

    pdf = joined(*labels, layout=FOUR_ON_A4)

    assert [barcodes(pdf, page, 300) for page in range(3)] == [set(IDS[:2]), set(), {IDS[2]}]
    assert "divider" in text_of(pdf, 1)


def test_a_label_may_begin_a_sheet_though_the_last_has_room():
    pdf = joined(Label(CUTS[0]), Label(CUTS[1], starts_sheet=True), Label(CUTS[2]), layout=FOUR_ON_A4)

    assert [barcodes(pdf, page, 300) for page in range(2)] == [{IDS[0]}, set(IDS[1:3])]


def test_one_page_of_a_paper_is_printed_where_it_is_named():
    def add(file: pikepdf.Pdf) -> None:
        with pikepdf.open(io.BytesIO(CUTS[1])) as more:
            file.pages.extend(more.pages)

    both = changed(CUTS[0], add)
    pdf = joined(Label(both, page=1), Label(both, page=0))

    assert [barcodes(pdf, page, 203) for page in range(2)] == [{IDS[1]}, {IDS[0]}]
    with pytest.raises(LabelRefused, match="fewer pages") as refused:
        joined(Label(CUTS[0]), Label(both, page=2))
    assert refused.value.number == 2


def test_text_that_looks_like_a_reference_stays_text():
    def write(file: pikepdf.Pdf) -> None:
        words = pikepdf.Dictionary(Words=pikepdf.String("(5 0 R) \\ 6 0 R"), Name=pikepdf.Name("/Odd name"))
        file.pages[0].obj.Resources.Properties = pikepdf.Dictionary(P=file.make_indirect(words))

    with pikepdf.open(io.BytesIO(joined(changed(CUTS[0], write)))) as file:
        (form,) = file.pages[0].obj.Resources.XObject.values()
        found = form.Resources.Properties.P
        assert (str(found.Words), found.Name) == ("(5 0 R) \\ 6 0 R", pikepdf.Name("/Odd name"))


def test_a_turned_page_and_one_away_from_the_origin_are_printed_as_seen():
    def turn(file: pikepdf.Pdf) -> None:
        page = file.pages[0]
        width, height = float(page.mediabox[2]), float(page.mediabox[3])
        page.contents_add(f"0 1 -1 0 {height + 50:g} 20 cm\n".encode(), prepend=True)
        page.obj.MediaBox = pikepdf.Array([50, 20, 50 + height, 20 + width])
        page.obj.Rotate = 90

    straight, turned = joined(CUTS[0]), joined(changed(CUTS[0], turn))

    assert sizes(turned) == sizes(straight)
    assert barcodes(turned, 0, 300) == {IDS[0]}
    difference = sum(a != b for a, b in zip(pixels(straight).tobytes(), pixels(turned).tobytes(), strict=True))
    assert difference < 0.01 * len(pixels(straight).tobytes())


def test_a_thousand_pages_hang_together():
    page = drawn(lambda canvas: canvas.drawString(9, 9, "x"), size=(288, 432))

    assert len(sizes(joined(*[page] * 1000))) == 1000


def test_nothing_to_print_makes_no_file():
    with pytest.raises(PaperRefused, match="nothing to print"):
        joined()


def test_a_stored_label_that_cannot_be_read_is_named():
    with pytest.raises(PaperRefused, match="label 2 of this stack"):
        joined(CUTS[0], CUTS[1][:900])
