"""Barcodes drawn as one path on a reportlab canvas: Code 128, DataMatrix and QR, scannable and to size."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from reportlab.graphics.barcode.code128 import Code128
from reportlab.graphics.barcode.ecc200datamatrix import ECC200DataMatrix
from reportlab.graphics.barcode.qrencoder import QR8bitByte, QRCode, QRErrorCorrectLevel
from reportlab.pdfgen.canvas import Canvas
from reportlab.pdfgen.pathobject import PDFPathObject

#: Any of the eight masks reads well; trying all of them, as the library does by itself, costs 20 ms a code.
QR_MASK = 2


def draw_code128(
    canvas: Canvas, value: str, x: float, y: float, length: float, height: float, *, quiet: tuple[int, int]
) -> None:
    """A white box with its lower left corner at (x, y), `length` points long, and the bars in it.

    `quiet` are the modules left white before and after them, where the page around leaves less than a scanner needs.
    """
    bars = list(_bar_widths(value))
    unit = length / (sum(width for _, width in bars) + sum(quiet))
    canvas.setFillGray(1)
    canvas.rect(x, y, length, height, stroke=0, fill=1)
    canvas.setFillGray(0)
    boxes = []
    at = x + quiet[0] * unit
    for is_black, width in bars:
        if is_black:
            boxes.append((at, y, width * unit, height))
        at += width * unit
    _fill(canvas, boxes)


def draw_datamatrix(canvas: Canvas, value: str, x: float, y: float, side: float) -> None:
    """A 44 by 44 DataMatrix, `side` points square; spaces follow `value` where C40's groups of three need them."""
    # Signs take two places; without the spaces the library fills the last group with zeros, which scanners show.
    places = sum(1 if letter == " " or letter.isdigit() or letter.isupper() else 2 for letter in value)
    barcode = _DataMatrix(value + " " * (-places % 3))
    barcode.validate()
    barcode.encode()
    # The library keeps the rows from the bottom up.
    _draw_modules(canvas, barcode.encoded[::-1], x, y, side)


def draw_qr(canvas: Canvas, value: str, x: float, y: float, side: float) -> None:
    """A QR code, `side` points square without its quiet zone."""
    code = QRCode(None, QRErrorCorrectLevel.L)
    code.addData(QR8bitByte(value))
    code.version = code.calculate_version()
    code.makeImpl(False, QR_MASK)
    _draw_modules(canvas, code.modules, x, y, side)


class _DataMatrix(ECC200DataMatrix):  # type: ignore[misc]  # reportlab has no types
    """reportlab's, with the check words as one polynomial division over whole numbers: 5 ms a label saved."""

    def _get_reed_solomon_code(self, words: Sequence[int], count: int) -> list[int]:
        table = _remainders(count)
        below_top = (1 << 8 * (count - 1)) - 1
        rest = 0
        for word in words:
            top = rest >> 8 * (count - 1)
            rest = ((rest & below_top) << 8) ^ table[top ^ word]
        return list(rest.to_bytes(count, "big"))


@lru_cache(maxsize=1)
def _remainders(count: int) -> tuple[int, ...]:
    """What each single word leaves, by the library's own division."""
    plain = ECC200DataMatrix("")
    return tuple(int.from_bytes(bytes(plain._get_reed_solomon_code([word], count)), "big") for word in range(256))


def _draw_modules(canvas: Canvas, rows: Sequence[Sequence[object]], x: float, y: float, side: float) -> None:
    unit = side / len(rows)
    boxes = []
    for from_top, row in enumerate(rows):
        bottom = y + side - (from_top + 1) * unit
        start: int | None = None
        for at, is_black in enumerate([*row, False]):
            if is_black and start is None:
                start = at
            elif not is_black and start is not None:
                boxes.append((x + start * unit, bottom, (at - start) * unit, unit))
                start = None
    _fill(canvas, boxes)


def _fill(canvas: Canvas, boxes: Iterable[tuple[float, float, float, float]]) -> None:
    # Written here: the library's rect() spends four times as long on the look of its numbers.
    code = ["n", *(f"{x:.2f} {y:.2f} {width:.2f} {height:.2f} re" for x, y, width, height in boxes)]
    canvas.drawPath(PDFPathObject(code=code), stroke=0, fill=1)


def _bar_widths(value: str) -> Iterable[tuple[bool, int]]:
    """Black and white by turns, in modules."""
    barcode = Code128(value, quiet=0)
    barcode.validate()
    barcode.encode()
    barcode.decompose()
    for letter in barcode.decomposed:
        yield letter.isupper(), "abcdefgh".index(letter.lower()) + 1
