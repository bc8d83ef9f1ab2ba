"""The pick list on paper: what to fetch, of how much, for how many parcels, with a barcode a row; A4 or 4x6."""

import io
from collections.abc import Sequence
from typing import NamedTuple

from reportlab.pdfgen.canvas import Canvas

from . import bars
from .layout import A4_SHEET, Size
from .lines import fitted, printable

MARGIN = 18.0
HEAD = 44.0
# A bar that a scanner reads: two dots of a thermal printer's 203 an inch, or what an office printer draws.
NARROWEST = {True: 0.7, False: 0.5}


class Row(NamedTuple):
    sku: str
    title: str
    quantity: int
    shipments: int


def pick_list_pdf(
    *, title: str, facts: str, places: Sequence[tuple[str, Sequence[Row]]], left_out: Sequence[str], sheet: Size
) -> bytes:
    """Rows under the place that they lie in; `left_out` are lines on what is not in the list."""
    is_small = sheet != A4_SHEET
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=sheet, invariant=True)
    canvas.setTitle(title)
    page = _Page(canvas, sheet, title, facts)
    height = 58.0 if is_small else 34.0
    for place, rows in places:
        if place:
            page.take(24, before=height)
            page.heading(place)
        for row in rows:
            page.take(height)
            _draw_small(page, row) if is_small else _draw_wide(page, row)
    if not any(rows for _place, rows in places):
        page.take(20)
        page.text("Nothing to fetch.", 10)
    for number, line in enumerate(left_out):
        page.take(26 if number == 0 else 13)
        page.text(line, 8.5)
    page.end()
    canvas.save()
    return out.getvalue()


class _Page:
    """Goes down the sheet, and on to the next one."""

    def __init__(self, canvas: Canvas, sheet: Size, title: str, facts: str) -> None:
        self.canvas, self.title, self.facts, self.number = canvas, title, facts, 0
        self.width, self.height = sheet
        self.y = 0.0
        self.begin()

    def begin(self) -> None:
        self.number += 1
        top = self.height - MARGIN
        self.canvas.setFont("Helvetica-Bold", 14)
        self.canvas.drawString(MARGIN, top - 12, fitted(self.title, ("Helvetica-Bold", 14.0), self.inner - 30))
        self.canvas.setFont("Helvetica", 8)
        self.canvas.drawRightString(self.width - MARGIN, top - 12, str(self.number))
        self.canvas.drawString(MARGIN, top - 25, fitted(self.facts, ("Helvetica", 8.0), self.inner))
        self.canvas.line(MARGIN, top - 31, self.width - MARGIN, top - 31)
        self.y = top - HEAD + 8

    @property
    def inner(self) -> float:
        return self.width - 2 * MARGIN

    def take(self, height: float, before: float = 0.0) -> None:
        """Makes room; `y` is then its lower edge. With `before` it stays with what comes next, which is so high."""
        if self.y - height - before < MARGIN:
            self.canvas.showPage()
            self.begin()
        self.y -= height

    def heading(self, words: str) -> None:
        self.canvas.setFont("Helvetica-Bold", 10)
        self.canvas.drawString(MARGIN, self.y + 6, fitted(words, ("Helvetica-Bold", 10.0), self.inner))

    def text(self, words: str, size: float) -> None:
        self.canvas.setFont("Helvetica", size)
        self.canvas.drawString(MARGIN, self.y + 4, fitted(words, ("Helvetica", size), self.inner))

    def end(self) -> None:
        self.canvas.showPage()


def _draw_wide(page: _Page, row: Row) -> None:
    canvas, y = page.canvas, page.y
    column = page.width - MARGIN - 190
    canvas.setFont("Helvetica-Bold", 17)
    canvas.drawRightString(MARGIN + 42, y + 11, str(row.quantity))
    canvas.setFont("Helvetica-Bold", 10)
    canvas.drawString(MARGIN + 54, y + 19, fitted(row.sku, ("Helvetica-Bold", 10.0), column - MARGIN - 60))
    canvas.setFont("Helvetica", 8)
    under = f"{_parcels(row)}   {row.title}"
    canvas.drawString(MARGIN + 54, y + 7, fitted(under, ("Helvetica", 8.0), column - MARGIN - 60))
    bars.draw(canvas, row.sku, column, y + 6, width=190, height=22, narrowest=NARROWEST[False])
    canvas.setLineWidth(0.25)
    canvas.line(MARGIN, y, page.width - MARGIN, y)


def _draw_small(page: _Page, row: Row) -> None:
    canvas, y = page.canvas, page.y
    canvas.setFont("Helvetica-Bold", 15)
    canvas.drawRightString(MARGIN + 34, y + 38, str(row.quantity))
    canvas.setFont("Helvetica-Bold", 9.5)
    canvas.drawString(MARGIN + 42, y + 44, fitted(row.sku, ("Helvetica-Bold", 9.5), page.inner - 44))
    canvas.setFont("Helvetica", 7.5)
    under = f"{_parcels(row)}   {row.title}"
    canvas.drawString(MARGIN + 42, y + 33, fitted(under, ("Helvetica", 7.5), page.inner - 44))
    bars.draw(canvas, row.sku, MARGIN, y + 7, width=page.inner, height=20, narrowest=NARROWEST[True])
    canvas.setLineWidth(0.25)
    canvas.line(MARGIN, y, page.width - MARGIN, y)


def _parcels(row: Row) -> str:
    return printable(f"{row.shipments} parcel{'' if row.shipments == 1 else 's'}")
