"""Words on our own sheets, in the fonts that every reader has: as much of them as there is room for."""

from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics

Font = tuple[str, float]


def printable(text: str) -> str:
    """What the built-in font can draw; other letters become question marks."""
    return text.encode("cp1252", "replace").decode("cp1252")


def fitted(text: str, font: Font, width: float) -> str:
    """The beginning of it, on one line."""
    text = printable(text)
    while pdfmetrics.stringWidth(text, *font) > width:
        text = text[:-1]
    return text


def wrapped(text: str, font: Font, width: float) -> list[str]:
    """All of it: broken between words, and inside a word that is longer than the line."""
    lines: list[str] = []
    for line in simpleSplit(printable(text), *font, width):
        while pdfmetrics.stringWidth(line, *font) > width:
            fits = max(1, int(len(line) * width / pdfmetrics.stringWidth(line, *font)))
            lines.append(line[:fits])
            line = line[fits:]
        lines.append(line)
    return lines or [""]
