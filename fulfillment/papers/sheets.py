"""Sheets that go with a stack, in the size of its labels: what lies in it in which order, what was left out and why;
and what lies between two groups.
"""

import io
from collections.abc import Sequence
from typing import NamedTuple

import pikepdf
from reportlab.pdfgen.canvas import Canvas

from .layout import THERMAL_SHEET, Size
from .lines import fitted, printable, wrapped

MARGIN = 14.0
TITLE = ("Helvetica-Bold", 13.0)
HEADING = ("Helvetica-Bold", 9.0)
TEXT = ("Helvetica", 8.0)
SEPARATOR = ("Helvetica-Bold", 24.0)
LINE = 1.25  # times the size of the letters


class LeftOut(NamedTuple):
    """One shipment that is not in the stack. `reason` is a sentence for the packer."""

    shipment: str
    order: str
    reason: str


class Run(NamedTuple):
    """Neighbours in a stack that are alike: "TS-BLK-M x 2", 34 of them, on these pages."""

    words: str
    parcels: int
    pages: str


def summary_pdf(
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    runs: Sequence[tuple[str, Sequence[Run]]] = (),
    left_out: Sequence[LeftOut],
    sheet: Size = THERMAL_SHEET,
) -> bytes:
    """Pages with a title, facts ("Printed", "214 labels"), the stack's runs in its own order under their headings, and
    the shipments left out, grouped by reason, most first.

    As many pages as it takes; each says its number, so that a lost one is missed.
    """
    width = sheet[0] - 2 * MARGIN
    lines = _fact_lines(facts) + _run_lines(runs, width) + _left_out_lines(left_out, width)
    pages = _paged(lines, sheet[1] - 2 * MARGIN - 2 * LINE * TITLE[1])
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=sheet, invariant=True)
    canvas.setTitle(title)
    for number, page in enumerate(pages, start=1):
        _draw(canvas, sheet, f"{title} ({number}/{len(pages)})" if len(pages) > 1 else title, page)
    canvas.save()
    return out.getvalue()


def page_count(pdf: bytes) -> int:
    """Of a sheet of our own."""
    with pikepdf.open(io.BytesIO(pdf)) as file:
        return len(file.pages)


def separator_pdf(*, heading: str, words: str, facts: Sequence[str], sheet: Size = THERMAL_SHEET) -> bytes:
    """One page between two groups, readable from a step away: where they ship from, what comes next, how much of it."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=sheet, invariant=True)
    width, height = sheet
    canvas.setFillGray(0)
    canvas.rect(0, height - 42, width, 42, stroke=0, fill=1)
    canvas.setFillGray(1)
    canvas.setFont("Helvetica-Bold", 15)
    canvas.drawCentredString(width / 2, height - 27, fitted(heading, ("Helvetica-Bold", 15.0), width - 2 * MARGIN))
    canvas.setFillGray(0)
    y = height / 2 + 20
    for text in wrapped(words, SEPARATOR, width - 2 * MARGIN)[:4]:
        canvas.setFont(*SEPARATOR)
        canvas.drawCentredString(width / 2, y, text)
        y -= SEPARATOR[1] * LINE
    canvas.setFont("Helvetica", 12)
    for fact in facts:
        y -= 16
        canvas.drawCentredString(width / 2, y, printable(fact))
    canvas.showPage()
    canvas.save()
    return out.getvalue()


class _Line(NamedTuple):
    text: str
    font: tuple[str, float] = TEXT
    indent: float = 0.0

    @property
    def height(self) -> float:
        return self.font[1] * LINE


def _fact_lines(facts: Sequence[tuple[str, str]]) -> list[_Line]:
    return [_Line(f"{name}: {value}", HEADING) for name, value in facts]


def _run_lines(runs: Sequence[tuple[str, Sequence[Run]]], width: float) -> list[_Line]:
    lines: list[_Line] = []
    for heading, members in runs:
        lines.append(_Line(""))
        if heading:
            lines += [_Line(text, HEADING) for text in wrapped(heading, HEADING, width)]
        for run in members:
            counted = f"{run.parcels} parcel{'' if run.parcels == 1 else 's'}, {run.pages}"
            lines += [_Line(text, TEXT, 8) for text in wrapped(f"{run.words}: {counted}", TEXT, width - 8)]
    return lines


def _left_out_lines(left_out: Sequence[LeftOut], width: float) -> list[_Line]:
    if not left_out:
        return [_Line(""), _Line("Nothing was left out.")]
    by_reason: dict[str, list[LeftOut]] = {}
    for row in left_out:
        by_reason.setdefault(row.reason, []).append(row)
    lines = [_Line(""), _Line(f"Left out: {len(left_out)}", HEADING)]
    for reason, rows in sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        lines += [_Line("")] + [_Line(text, HEADING) for text in wrapped(f"{reason}: {len(rows)}", HEADING, width)]
        for row in rows:
            lines += [_Line(text, TEXT, 8) for text in wrapped(f"{row.shipment}  {row.order}", TEXT, width - 8)]
    return lines


def _paged(lines: Sequence[_Line], height: float) -> list[list[_Line]]:
    pages: list[list[_Line]] = [[]]
    left = height
    for line in lines:
        if line.height > left:
            pages.append([])
            left = height
        if pages[-1] or line.text:  # no page begins with a gap
            pages[-1].append(line)
            left -= line.height
    return pages


def _draw(canvas: Canvas, sheet: Size, title: str, lines: Sequence[_Line]) -> None:
    y = sheet[1] - MARGIN - TITLE[1]
    canvas.setFont(*TITLE)
    canvas.drawString(MARGIN, y, printable(title))
    y -= 0.5 * TITLE[1]
    canvas.line(MARGIN, y, sheet[0] - MARGIN, y)
    for line in lines:
        y -= line.height
        canvas.setFont(*line.font)
        canvas.drawString(MARGIN + line.indent, y, line.text)
    canvas.showPage()
