"""Sheets that go with a stack, in the size of its labels: what the job printed, and what was left out and why."""

import io
from collections.abc import Sequence
from typing import NamedTuple

from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from .layout import THERMAL_SHEET, Size

MARGIN = 14.0
TITLE = ("Helvetica-Bold", 13.0)
HEADING = ("Helvetica-Bold", 9.0)
TEXT = ("Helvetica", 8.0)
LINE = 1.25  # times the size of the letters


class LeftOut(NamedTuple):
    """One shipment that is not in the stack. `reason` is a sentence for the packer."""

    shipment: str
    order: str
    reason: str


def summary_pdf(
    *, title: str, facts: Sequence[tuple[str, str]], left_out: Sequence[LeftOut], sheet: Size = THERMAL_SHEET
) -> bytes:
    """Pages with a title, facts ("Printed", "214 labels") and the shipments left out, grouped by reason, most first.

    As many pages as it takes; each says its number, so that a lost one is missed.
    """
    lines = _fact_lines(facts) + _left_out_lines(left_out, sheet[0] - 2 * MARGIN)
    pages = _paged(lines, sheet[1] - 2 * MARGIN - 2 * LINE * TITLE[1])
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=sheet, invariant=True)
    canvas.setTitle(title)
    for number, page in enumerate(pages, start=1):
        _draw(canvas, sheet, f"{title} ({number}/{len(pages)})" if len(pages) > 1 else title, page)
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


def _left_out_lines(left_out: Sequence[LeftOut], width: float) -> list[_Line]:
    if not left_out:
        return [_Line(""), _Line("Nothing was left out.")]
    by_reason: dict[str, list[LeftOut]] = {}
    for row in left_out:
        by_reason.setdefault(row.reason, []).append(row)
    lines = [_Line(""), _Line(f"Left out: {len(left_out)}", HEADING)]
    for reason, rows in sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        lines += [_Line("")] + [_Line(text, HEADING) for text in _wrapped(f"{reason}: {len(rows)}", HEADING, width)]
        for row in rows:
            lines += [_Line(text, TEXT, 8) for text in _wrapped(f"{row.shipment}  {row.order}", TEXT, width - 8)]
    return lines


def _wrapped(text: str, font: tuple[str, float], width: float) -> list[str]:
    """Broken between words, and inside a word that is longer than the line."""
    lines: list[str] = []
    for line in simpleSplit(_printable(text), *font, width):
        while pdfmetrics.stringWidth(line, *font) > width:
            fits = max(1, int(len(line) * width / pdfmetrics.stringWidth(line, *font)))
            lines.append(line[:fits])
            line = line[fits:]
        lines.append(line)
    return lines or [""]


def _printable(text: str) -> str:
    """What the built-in font can draw; other letters become question marks."""
    return text.encode("cp1252", "replace").decode("cp1252")


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
    canvas.drawString(MARGIN, y, _printable(title))
    y -= 0.5 * TITLE[1]
    canvas.line(MARGIN, y, sheet[0] - MARGIN, y)
    for line in lines:
        y -= line.height
        canvas.setFont(*line.font)
        canvas.drawString(MARGIN + line.indent, y, line.text)
    canvas.showPage()
