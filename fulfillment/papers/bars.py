"""Code 128 as bars: for paper, and for the screen."""

from typing import NamedTuple

from reportlab.graphics.barcode.code128 import Code128
from reportlab.pdfgen.canvas import Canvas

QUIET = 10  # modules left white before and after, as a scanner needs


class Bars(NamedTuple):
    """`width` in modules, quiet zones included; each bar's begin and width."""

    width: int
    bars: tuple[tuple[int, int], ...]

    @property
    def path(self) -> str:
        """For an SVG whose view is `width` by 1."""
        return "".join(f"M{start} 0h{width}v1h-{width}z" for start, width in self.bars)


def code128(value: str) -> Bars | None:
    """None where the code has no sign for a letter of it."""
    if not value or not value.isascii() or not value.isprintable():
        return None
    barcode = Code128(value, quiet=0)
    barcode.validate()
    barcode.encode()
    barcode.decompose()
    at, bars = QUIET, []
    for letter in barcode.decomposed:
        width = "abcdefgh".index(letter.lower()) + 1
        if letter.isupper():
            bars.append((at, width))
        at += width
    return Bars(at + QUIET, tuple(bars))


def draw(canvas: Canvas, value: str, x: float, y: float, *, width: float, height: float, narrowest: float) -> bool:
    """Draws it from (x, y), no wider than `width` points; False where a bar would be narrower than can be scanned."""
    code = code128(value)
    if code is None or (module := min(1.0, width / code.width)) < narrowest:
        return False
    canvas.setFillGray(0)
    for start, bar in code.bars:
        canvas.rect(x + start * module, y, bar * module, height, stroke=0, fill=1)
    return True
