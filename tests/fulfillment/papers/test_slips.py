"""Invoices for 4x6 sheets: large enough to read, and nothing of them left away."""

import io
from itertools import pairwise

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageChops

from fulfillment.papers.checking import cut_slips_in_child
from fulfillment.papers.layout import SLIP, SMALLEST_SCALE, THERMAL, place
from fulfillment.papers.slips import OVERLAP, bands, cut_slips
from fulfillment.papers.types import PaperRefused
from tests.fulfillment.papers.pages import changed, drawn, label_pages, pixels, text_of, unpacked, with_content

PAGES = label_pages(2)


def scales(pdf: bytes) -> list[float]:
    """At which each of its pages is printed on 4x6."""
    with pikepdf.open(io.BytesIO(pdf)) as file:
        sizes = [(float(page.mediabox[2]), float(page.mediabox[3])) for page in file.pages]
    return [place(size, THERMAL, 0).scale for size in sizes]


def long_invoice(lines: int):
    def draw(canvas) -> None:
        canvas.drawString(50, 812, "Tax Invoice")
        canvas.line(50, 790 - lines * 12, 50, 810)
        for number in range(lines):
            canvas.drawString(60, 790 - number * 12, f"Item {number:02}")

    return drawn(draw)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.tracking_id)
def test_an_invoice_of_its_own_is_trimmed_to_what_is_painted_and_fits_one_sheet(page):
    cut = cut_slips(page.invoice_pdf, has_label=False)

    assert cut.pages == 1
    assert scales(cut.pdf)[0] >= SMALLEST_SCALE
    before, after = pixels(page.invoice_pdf, box=cut.box), pixels(cut.pdf)
    assert ImageChops.difference(before, after).getbbox() is None
    # Nothing was painted outside of what was kept.
    inked = ImageChops.invert(pixels(page.invoice_pdf, scale=1)).getbbox()
    left, upper, right, lower = inked
    assert cut.box.left <= left
    assert cut.box.bottom <= 842 - lower
    assert cut.box.right >= right
    assert cut.box.top >= 842 - upper


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.tracking_id)
def test_the_invoice_below_a_label_holds_nothing_of_the_label(page):
    cut = cut_slips(page.pdf, has_label=True)

    assert (cut.pages, cut.found_by) == (1, "line")
    assert scales(cut.pdf)[0] >= SMALLEST_SCALE
    assert page.invoice_number in text_of(cut.pdf)
    assert page.tracking_id not in text_of(cut.pdf)
    assert page.tracking_id.encode() not in unpacked(cut.pdf)


def test_one_call_of_the_child_does_the_same():
    for pdf, has_label in ((PAGES[0].pdf, True), (PAGES[0].invoice_pdf, False)):
        cut = cut_slips_in_child(pdf, has_label=has_label)
        assert pixels(cut.pdf).tobytes() == pixels(cut_slips(pdf, has_label=has_label).pdf).tobytes()


def test_a_long_invoice_goes_on_over_several_sheets_cut_between_its_lines():
    cut = cut_slips(long_invoice(62), has_label=False)

    assert cut.pages == 3
    assert all(scale >= SMALLEST_SCALE for scale in scales(cut.pdf))
    found = [text_of(cut.pdf, page).split("\n") for page in range(3)]
    items = [line.strip() for lines in found for line in lines if line.startswith("Item")]
    assert items == [f"Item {number:02}" for number in range(62)]


def test_an_invoice_that_goes_on_behind_the_labels_page_is_not_forgotten():
    def add(file: pikepdf.Pdf) -> None:
        with pikepdf.open(io.BytesIO(long_invoice(4))) as more:
            file.pages.extend(more.pages)

    cut = cut_slips(changed(PAGES[0].pdf, add), has_label=True)

    assert cut.pages == 2
    assert "Item 03" in text_of(cut.pdf, 1)


def test_a_page_without_an_invoice_is_refused():
    label = drawn(lambda canvas: canvas.drawString(20, 20, "FMPP2600000001"), size=(288, 432))

    with pytest.raises(PaperRefused, match="where the invoice begins"):
        cut_slips(label, has_label=True)


def test_an_invoice_too_wide_to_be_read_on_4x6_is_refused():
    def draw(canvas) -> None:
        canvas.drawString(0, 400, "x")
        canvas.drawString(700, 400, "x")

    with pytest.raises(PaperRefused, match="too wide"):
        cut_slips(drawn(draw, size=(842, 595)), has_label=False)


def test_an_empty_page_is_refused():
    with pytest.raises(PaperRefused, match="nothing on it"):
        cut_slips(with_content(b""), has_label=False)


HEIGHTS = st.lists(st.tuples(st.floats(0, 800), st.floats(4, 30)).map(lambda p: (p[0], p[0] + p[1])), max_size=60)


@given(HEIGHTS, st.floats(30, 900))
def test_bands_cover_all_of_it_none_is_too_tall_and_no_line_is_lost(written, top):
    written = [(low, high) for low, high in written if high <= top]

    found = bands((0, top), written, tallest=SLIP[1])

    assert found[0][1] == top
    assert found[-1][0] == 0
    assert all(0 < high - low <= SLIP[1] + 1e-6 for low, high in found)
    for (low, _high), (_low, high) in pairwise(found):
        assert high - low in (0, OVERLAP)
        assert high == int(high)
    lines = [(low, high) for low, high in written if high - low <= OVERLAP]
    assert all(any(low >= a - 1e-6 and high <= b + 1e-6 for a, b in found) for low, high in lines)
