"""Cuts a tax invoice for 4x6 sheets: turned, at three quarters of its size or larger, and nothing of it left out.

What is too long for one sheet goes on over several, cut between two lines. It reads a stranger's PDF, so it belongs in
the child process: `checking.cut_slips_in_child`.
"""

import math
from collections.abc import Sequence

from . import cutting
from .cutting import Sheet
from .layout import SLIP
from .painting import Painting
from .types import Box, CutLabel, FoundBy, PaperRefused

# Where no gap can be found, two sheets share so much: what the one cuts through stands whole on the other.
OVERLAP = 24.0
# Of the height of a line's box, what letters seldom reach: lines set close would otherwise leave no gap.
IDLE_BELOW, IDLE_ABOVE = 0.03, 0.15
Height = tuple[float, float]


def cut_slips(pdf: bytes, *, has_label: bool) -> CutLabel:
    """The invoice in pieces that each fit a 4x6 sheet; `has_label`: the page that it shares with a label.

    Raises PaperRefused where no invoice can be told apart, and where one is wider than a sheet at that size.
    """
    with cutting.opened_pdf(pdf) as original:
        sheets = [cutting.sheet_of(page) for page in original.pages]
    found = [(sheet, cutting.painting_of(sheet)) for sheet in sheets]
    below = [cutting.region_of(sheet, painting, above=False) if has_label else None for sheet, painting in found]
    if has_label and not any(below):
        raise PaperRefused("there is no line and no heading that says where the invoice begins")
    parts = []
    for (sheet, painting), region in zip(found, below, strict=True):
        # A page without a label is the invoice going on.
        parts += _pieces(sheet, painting, *(region or ("whole page", sheet.whole)))
    if not parts:
        raise PaperRefused("there is nothing on it")
    return CutLabel(
        pdf=cutting.as_one(parts),
        found_by=parts[0].found_by,
        box=parts[0].box,
        texts=(),
        pages=len(parts),
        as_picture=any(part.as_picture for part in parts),
    )


def _pieces(sheet: Sheet, painting: Painting | None, found_by: FoundBy, region: Box) -> list[cutting.Part]:
    whole = cutting.part_of(sheet, painting, found_by, region, trimmed=True)
    if whole is None:
        return []
    if whole.box.width > SLIP[0]:
        raise PaperRefused("it is too wide for a 4x6 sheet")
    if whole.box.height <= SLIP[1]:
        return [whole]
    # What cannot be followed may have a line of text anywhere.
    written = [(whole.box.bottom, whole.box.top)]
    if painting is not None:
        boxes = [mark.box for mark in painting.marks() if mark.kind != "path"]
        written = [(box.bottom + IDLE_BELOW * box.height, box.top - IDLE_ABOVE * box.height) for box in boxes]
    pieces = []
    for bottom, top in bands((whole.box.bottom, whole.box.top), written, tallest=SLIP[1]):
        # Cutting takes out of the page what is not wanted: each piece is cut from the page as it was.
        with cutting.opened_pdf(sheet.pdf) as original:
            fresh = cutting.sheet_of(original.pages[0])
        band = Box(region.left, bottom, region.right, top)
        pieces.append(cutting.part_of(fresh, cutting.painting_of(fresh), found_by, band, trimmed=True))
    return [piece for piece in pieces if piece is not None]


def bands(whole: Height, written: Sequence[Height], *, tallest: float) -> list[Height]:
    """The whole height from above in bands of at most `tallest`, parted where nothing is written.

    Parted at whole points, where pages are cut without loss; overlapping where everything is written. Pure; heights
    are (bottom, top).
    """
    bottom, top = whole
    found: list[Height] = []
    while top - bottom > tallest:
        lowest = math.ceil(top - tallest)
        # A band of less than a third would make many sheets of one.
        gap = next((at for at in range(lowest, int(top - tallest / 3)) if not _is_written(at, written)), None)
        found.append((lowest if gap is None else gap, top))
        top = lowest + OVERLAP if gap is None else gap
    return [*found, (bottom, top)]


def _is_written(height: float, written: Sequence[Height]) -> bool:
    return any(low < height < high for low, high in written)
