"""The sheet that a courier signs: what must be pulled first, then every parcel by its tracking id; A4."""

import io
from collections.abc import Sequence
from typing import NamedTuple

from reportlab.pdfgen.canvas import Canvas

from . import bars
from .layout import A4_SHEET
from .lines import fitted

MARGIN = 36.0
COLUMNS = 3
ROW = 13.0
PULL_ROW = 40.0
SIGNATURES = 70.0  # height that the last page keeps for them
BOLD, PLAIN = "Helvetica-Bold", "Helvetica"


class ToPull(NamedTuple):
    """A parcel that must not be handed over: its id, why, and where its label was printed."""

    tracking_id: str
    reason: str
    place: str


def hand_over_pdf(*, title: str, facts: Sequence[str], to_pull: Sequence[ToPull], tracking_ids: Sequence[str]) -> bytes:
    """As many pages as it takes; each says its number of how many, the last has the lines for the signatures."""
    pages = 0
    for _twice in range(2):  # once to know how many pages there are
        out = io.BytesIO()
        sheet = _Sheet(out, title, facts, pages)
        sheet.draw_pulls(to_pull)
        sheet.draw_parcels(tracking_ids)
        sheet.draw_signatures(len(tracking_ids))
        pages = sheet.number
        sheet.canvas.save()
    return out.getvalue()


class _Sheet:
    """Goes down the page, and on to the next one."""

    def __init__(self, out: io.BytesIO, title: str, facts: Sequence[str], pages: int) -> None:
        self.width, self.height = A4_SHEET
        self.canvas = Canvas(out, pagesize=A4_SHEET, invariant=True)
        self.canvas.setTitle(title)
        self.title, self.facts, self.pages, self.number, self.y = title, facts, pages, 0, 0.0
        self.begin()

    def begin(self) -> None:
        self.number += 1
        top = self.height - MARGIN
        self.canvas.setFont(BOLD, 15)
        self.canvas.drawString(MARGIN, top - 12, fitted(self.title, (BOLD, 15.0), self.width - 2 * MARGIN - 60))
        self.canvas.setFont(PLAIN, 9)
        self.canvas.drawRightString(self.width - MARGIN, top - 12, f"{self.number} / {self.pages or 1}")
        y = top - 26
        for fact in self.facts if self.number == 1 else ():
            self.canvas.drawString(MARGIN, y, fitted(fact, (PLAIN, 9.0), self.width - 2 * MARGIN))
            y -= 12
        self.canvas.line(MARGIN, y + 4, self.width - MARGIN, y + 4)
        self.y = y - 8

    def next_page(self) -> None:
        self.canvas.showPage()
        self.begin()

    def draw_pulls(self, rows: Sequence[ToPull]) -> None:
        if not rows:
            return
        self._heading(f"PULL THESE FIRST: {len(rows)}")
        for row in rows:
            if self.y - PULL_ROW < MARGIN:
                self.next_page()
            self.y -= PULL_ROW
            width = self.width - 2 * MARGIN
            self.canvas.setLineWidth(1.2)
            self.canvas.rect(MARGIN, self.y + 3, width, PULL_ROW - 5)
            self.canvas.setFont(BOLD, 11)
            self.canvas.drawString(MARGIN + 8, self.y + 22, fitted(row.tracking_id, (BOLD, 11.0), 230))
            self.canvas.setFont(PLAIN, 8.5)
            words = "; ".join(filter(None, (row.place, row.reason)))
            self.canvas.drawString(MARGIN + 8, self.y + 10, fitted(words, (PLAIN, 8.5), width - 230))
            bars.draw(
                self.canvas, row.tracking_id, self.width - MARGIN - 210, self.y + 8, width=200, height=24, narrowest=0.5
            )
        self.y -= 12

    def draw_parcels(self, tracking_ids: Sequence[str]) -> None:
        self._heading(f"Handed over: {len(tracking_ids)}")
        column = (self.width - 2 * MARGIN) / COLUMNS
        at = 0
        while at < len(tracking_ids):
            rows = int((self.y - MARGIN - SIGNATURES) // ROW)
            if rows < 1:
                self.next_page()
                continue
            here = tracking_ids[at : at + rows * COLUMNS]
            tall = -(-len(here) // COLUMNS)  # filled column by column, as evenly as can be
            for place, tracking_id in enumerate(here):
                x, y = MARGIN + place // tall * column, self.y - ROW * (place % tall + 1)
                self.canvas.setFont(PLAIN, 7)
                self.canvas.drawRightString(x + 22, y, str(at + place + 1))
                self.canvas.rect(x + 27, y - 1, 7, 7)
                self.canvas.setFont(PLAIN, 10)
                self.canvas.drawString(x + 40, y, fitted(tracking_id, (PLAIN, 10.0), column - 44))
            self.y -= ROW * tall
            at += len(here)
            if at < len(tracking_ids):
                self.next_page()

    def draw_signatures(self, count: int) -> None:
        if self.y - SIGNATURES < MARGIN:
            self.next_page()
        y = MARGIN + 14
        half = (self.width - 2 * MARGIN - 24) / 2
        self.canvas.setLineWidth(0.7)
        for x, words in (
            (MARGIN, "Handed over by (name, signature)"),
            (MARGIN + half + 24, "Received by the courier (name, signature, time)"),
        ):
            self.canvas.line(x, y, x + half, y)
            self.canvas.setFont(PLAIN, 8)
            self.canvas.drawString(x, y - 10, words)
        self.canvas.setFont(BOLD, 10)
        self.canvas.drawString(MARGIN, y + 40, f"Parcels counted: ______ of {count}")
        self.canvas.showPage()

    def _heading(self, words: str) -> None:
        if self.y - 30 < MARGIN:
            self.next_page()
        self.y -= 14
        self.canvas.setFont(BOLD, 12)
        self.canvas.drawString(MARGIN, self.y, words)
        self.y -= 4
