"""One A4 page of a PDF, addressed in points from its top left corner as wire.md measures a real label page."""

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

from reportlab import rl_config
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from shipcrowd.simulator.barcodes import draw_code128, draw_datamatrix, draw_qr

PAGE = (595, 842)
FONT_FOLDERS = ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/dejavu", "/usr/share/fonts/TTF", "/Library/Fonts")
#: DejaVu's line, in sizes: how far the baseline is below its top, and its whole height.
ASCENT = 0.928
HEIGHT = 1.164


class Sheet:
    """One A4 page, addressed in points from its top left corner."""

    def __init__(self, title: str, *, moved_up: float = 0) -> None:
        self._out = io.BytesIO()
        # invariant: no time of making and no random id, so that the same paper is the same bytes.
        self._canvas = Canvas(self._out, pagesize=PAGE, invariant=1, pageCompression=1)
        self._canvas.setTitle(title)
        self._height = PAGE[1] + moved_up
        self._regular, self._bold = _fonts()

    def finished(self) -> bytes:
        # Plain zlib inside, as real labels have it; the library would wrap it in ASCII at 3 ms a page.
        wraps_in_ascii, rl_config.useA85 = rl_config.useA85, 0
        try:
            self._canvas.showPage()
            self._canvas.save()
        finally:
            rl_config.useA85 = wraps_in_ascii
        return self._out.getvalue()

    def text(
        self,
        x: float,
        top: float,
        words: str,
        size: float,
        *,
        bold: bool = False,
        width: float = 400,
        right: bool = False,
    ) -> None:
        """One line, cut off at `width`; with `right`, ending at x."""
        font = self._bold if bold else self._regular
        words = _printable(words)
        while words and pdfmetrics.stringWidth(words, font, size) > width:
            words = words[:-1]
        self._canvas.setFont(font, size)
        draw = self._canvas.drawRightString if right else self._canvas.drawString
        draw(x, self._height - top - ASCENT * size, words)

    def paragraph(
        self, x: float, top: float, words: str, size: float, *, width: float, leading: float, lines: int
    ) -> float:
        """Several lines, at most `lines`; returns the top of the next one."""
        for line in simpleSplit(_printable(words), self._regular, size, width)[:lines]:
            self.text(x, top, line, size, width=width)
            top += leading
        return top

    def turned_text(self, x: float, top: float, words: str, size: float, *, length: float) -> None:
        """Text that runs downwards, its line's left edge at x."""
        words = _printable(words)
        while words and pdfmetrics.stringWidth(words, self._regular, size) > length:
            words = words[:-1]
        self._canvas.saveState()
        self._canvas.translate(x + (HEIGHT - ASCENT) * size, self._height - top)
        self._canvas.rotate(-90)
        self._canvas.setFont(self._regular, size)
        self._canvas.drawString(0, 0, words)
        self._canvas.restoreState()

    def rule(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self._canvas.setLineWidth(0.75)
        self._canvas.line(x0, self._height - y0, x1, self._height - y1)

    def frame(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """A box whose outer edges are these."""
        self._canvas.setLineWidth(0.75)
        self._canvas.rect(x0 + 0.375, self._height - y1 + 0.375, x1 - x0 - 0.75, y1 - y0 - 0.75)

    def dashed(self, x0: float, x1: float, y: float) -> None:
        self._canvas.saveState()
        self._canvas.setLineWidth(1)
        self._canvas.setDash(5, 4)
        self._canvas.line(x0, self._height - y, x1, self._height - y)
        self._canvas.restoreState()

    def code128(self, words: str, x0: float, y0: float, x1: float, y1: float) -> None:
        draw_code128(self._canvas, words, x0, self._height - y1, x1 - x0, y1 - y0, quiet=(5, 0))

    def turned_code128(self, words: str, x0: float, y0: float, x1: float, y1: float) -> None:
        """The same, reading downwards."""
        self._canvas.saveState()
        self._canvas.translate(x0, self._height - y0)
        self._canvas.rotate(-90)
        draw_code128(self._canvas, words, 0, 0, y1 - y0, x1 - x0, quiet=(4, 4))
        self._canvas.restoreState()

    def datamatrix(self, words: str, x0: float, y0: float, side: float) -> None:
        draw_datamatrix(self._canvas, words, x0, self._height - y0 - side, side)

    def qr(self, words: str, x0: float, y0: float, side: float) -> None:
        draw_qr(self._canvas, words, x0, self._height - y0 - side, side)

    def signature(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """A made-up stroke of the pen from corner to corner."""
        top, bottom = self._height - y0, self._height - y1
        path = self._canvas.beginPath()
        path.moveTo(x0, bottom)
        path.curveTo(x0 + 20, top, x0 + 22, bottom, x0 + 34, (top + bottom) / 2)
        path.curveTo(x0 + 40, top, x0 + 50, bottom, x1, top)
        self._canvas.setLineWidth(0.75)
        self._canvas.drawPath(path)


def _printable(words: str) -> str:
    """What the font in use can draw; Helvetica knows Latin letters only."""
    words = " ".join(words.split())
    return words if _fonts()[0] != "Helvetica" else words.encode("latin-1", "replace").decode("latin-1")


@lru_cache(maxsize=1)
def _fonts() -> tuple[str, str]:
    """DejaVu where the machine has it, as on real labels, else Helvetica."""
    for folder in FONT_FOLDERS:
        try:
            for name in ("DejaVuSans", "DejaVuSans-Bold"):
                _register(TTFont(name, str(Path(folder, f"{name}.ttf"))))
        except TTFError:
            continue
        return "DejaVuSans", "DejaVuSans-Bold"
    return "Helvetica", "Helvetica-Bold"


def _register(font: Any) -> None:
    """Every label carries the same letters: the subset is cut once (10 ms a label saved), the same bytes in each."""
    cut = lru_cache(maxsize=4)(lambda letters: type(font.face).makeSubset(font.face, list(letters)))
    font.face.makeSubset = lambda letters: cut(tuple(letters))
    pdfmetrics.registerFont(font)
