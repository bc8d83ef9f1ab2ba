"""The sheet that says what was printed and what was not."""

import io

import pikepdf
import pytest

from fulfillment.papers.sheets import LeftOut, Run, page_count, separator_pdf, summary_pdf
from tests.fulfillment.papers.pages import pixels, text_of


def left_out(count: int, reason: str) -> list[LeftOut]:
    return [LeftOut(f"SHIP{reason[:2]}{number:04}", f"OD{number:018}", reason) for number in range(count)]


def pages_of(pdf: bytes) -> list[str]:
    with pikepdf.open(io.BytesIO(pdf)) as file:
        assert {tuple(map(float, page.mediabox)) for page in file.pages} == {(0, 0, 288, 432)}
        return [text_of(pdf, page) for page in range(len(file.pages))]


def test_a_summary_says_what_was_left_out_and_why():
    rows = [*left_out(2, "on hold at Flipkart"), *left_out(3, "cancelled by the buyer after its label")]
    (page,) = pages_of(summary_pdf(title="Stack B", facts=[("Printed", "214 labels")], left_out=rows))

    lines = [line.strip() for line in page.splitlines()]
    assert lines[:3] == ["Stack B", "Printed: 214 labels", "Left out: 5"]
    assert lines.index("cancelled by the buyer after its label: 3") < lines.index("on hold at Flipkart: 2")
    assert {row.shipment for row in rows} <= set(page.split())


def test_a_summary_names_what_lies_in_the_stack_in_its_order():
    runs = [("Pune", [Run("TS-BLK-M", 34, "pages 2 to 35"), Run("2 SKUs, 3 pieces", 1, "page 36")]), ("", [])]
    (page,) = pages_of(summary_pdf(title="Stack B", facts=[], runs=runs, left_out=[]))

    lines = [line.strip() for line in page.splitlines()]
    assert lines[:4] == [
        "Stack B",
        "Pune",
        "TS-BLK-M: 34 parcels, pages 2 to 35",
        "2 SKUs, 3 pieces: 1 parcel, page 36",
    ]


@pytest.mark.parametrize("words", ["TS-BLK-M", "A-VERY-LONG-STOCK-KEEPING-UNIT-" * 8, "आर्डर"])
def test_a_sheet_between_groups_says_what_comes_next_and_stays_on_it(words):
    pdf = separator_pdf(heading=words, words=words, facts=["34 parcels", "36 pieces"])
    (page,) = pages_of(pdf)

    assert "34 parcels" in page
    edge = pixels(pdf, scale=1).crop((286, 60, 288, 432))
    assert edge.getextrema() == (255, 255)


def test_pages_are_counted():
    assert page_count(summary_pdf(title="Stack A", facts=[], left_out=left_out(500, "no label"))) > 5


def test_it_says_so_when_nothing_was_left_out():
    (page,) = pages_of(summary_pdf(title="Stack A", facts=[], left_out=[]))

    assert "Nothing was left out." in page


def test_a_long_list_goes_on_over_numbered_sheets_and_loses_no_row():
    rows = left_out(500, "has no label yet")
    pages = pages_of(summary_pdf(title="Stack A", facts=[], left_out=rows))

    assert len(pages) > 5
    assert all(f"({number}/{len(pages)})" in page for number, page in enumerate(pages, start=1))
    assert {row.shipment for row in rows} <= set(" ".join(pages).split())


def test_what_is_longer_than_the_sheet_is_broken_and_stays_on_it():
    rows = [LeftOut("S" * 200, "OD1", "a reason in very many words " * 12 + "आर्डर")]
    pdf = summary_pdf(title="Stack A", facts=[], left_out=rows)
    (page,) = pages_of(pdf)

    assert page.count("S") >= 200
    right_edge = pixels(pdf, scale=1).crop((276, 0, 288, 432))
    assert right_edge.getextrema() == (255, 255)
