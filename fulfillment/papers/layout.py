"""Where each page goes on the sheet: pure positions, in points from its lower left corner. `joining` draws."""

from dataclasses import dataclass
from typing import NamedTuple

from .types import Box

Matrix = tuple[float, float, float, float, float, float]
Size = tuple[float, float]

NOTE_HEIGHT = 12.0  # the strip under a label for one small line of text
NOTE_SIZE = 8.0
SAME_SIZE = 2.0  # points by which a page may differ from the sheet and still be printed as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A sheet and its slots, filled in their order. No `sheet`: each page keeps its own size.

    A page fills its slot, turned where that makes it larger; not where it `stays` as it was made.
    """

    name: str
    sheet: Size | None
    slots: tuple[Box, ...] = ()
    stays: bool = False


class Placed(NamedTuple):
    """How a page is drawn: its matrix on the sheet, the sheet's size, and where its note may stand (None: no room)."""

    matrix: Matrix
    sheet: Size
    box: Box
    note_box: Box | None

    @property
    def scale(self) -> float:
        a, b, c, d, _e, _f = self.matrix
        return float(abs(a * d - b * c) ** 0.5)


def _grid(sheet: Size, columns: int, rows: int, margin: float) -> tuple[Box, ...]:
    """Equal slots, row by row from the top, each with a margin of its own: sheets of stickers are cut so."""
    width, height = sheet[0] / columns, sheet[1] / rows
    return tuple(
        Box(column * width, row * height, (column + 1) * width, (row + 1) * height).grown(-margin)
        for row in reversed(range(rows))
        for column in range(columns)
    )


THERMAL_SHEET: Size = (288.0, 432.0)  # 4 x 6 inches
A4_SHEET: Size = (595.0, 842.0)

# Six points stay free: thermal printers feed a hair askew, and lose what touches the edge.
THERMAL = Layout(name="thermal 4x6", sheet=THERMAL_SHEET, slots=_grid(THERMAL_SHEET, 1, 1, 6))
FOUR_ON_A4 = Layout(name="A4, four labels", sheet=A4_SHEET, slots=_grid(A4_SHEET, 2, 2, 12))
ONE_ON_A4 = Layout(name="A4, one", sheet=A4_SHEET, slots=_grid(A4_SHEET, 1, 1, 24), stays=True)
AS_MADE = Layout(name="as made", sheet=None)

# An invoice on a thermal sheet stays readable at three quarters of its size, turned. So much of one fits there.
SMALLEST_SCALE = 0.75
_ROOM = THERMAL.slots[0]
SLIP: Size = (_ROOM.height / SMALLEST_SCALE, _ROOM.width / SMALLEST_SCALE)


def place(size: Size, layout: Layout, slot: int, *, turned: int = 0, with_note: bool = False) -> Placed:
    """A page of this size (as seen, `turned` by that many degrees clockwise from how it is stored) in the nth slot.

    It is scaled to fit and centred, and turned where that makes it larger (an invoice, wider than high, on a thermal
    sheet). A page that has the sheet's own size is left as it is. A note gets its strip only where the page need not
    shrink below its own size for it.
    """
    if layout.sheet is None:
        return Placed(_stand(size, turned), size, Box(0, 0, *size), None)
    if abs(size[0] - layout.sheet[0]) <= SAME_SIZE and abs(size[1] - layout.sheet[1]) <= SAME_SIZE:
        return Placed(_stand(size, turned), layout.sheet, Box(0, 0, *size), None)
    room = layout.slots[slot]
    note_box = None
    above = Box(room.left, room.bottom + NOTE_HEIGHT, room.right, room.top)
    if with_note and _fit(size, above) >= 1:
        room, note_box = above, Box(room.left, room.bottom, room.right, room.bottom + NOTE_HEIGHT)
    if not layout.stays and _fit(size, room) < _fit(size[::-1], room):
        size, turned = size[::-1], (turned + 90) % 360
    scale = min(_fit(size, room), 1) if layout.stays else _fit(size, room)
    left = (room.left + room.right - size[0] * scale) / 2
    bottom = (room.bottom + room.top - size[1] * scale) / 2
    a, b, c, d, e, f = _stand(size, turned)
    matrix = (a * scale, b * scale, c * scale, d * scale, e * scale + left, f * scale + bottom)
    return Placed(matrix, layout.sheet, Box(left, bottom, left + size[0] * scale, bottom + size[1] * scale), note_box)


def _fit(size: Size, room: Box) -> float:
    return min(room.width / size[0], room.height / size[1])


def _stand(size: Size, turned: int) -> Matrix:
    """Turns a page that lies at 0,0 clockwise, so that it lies at 0,0 again and has this size."""
    width, height = size
    return {
        0: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
        90: (0.0, -1.0, 1.0, 0.0, 0.0, height),
        180: (-1.0, 0.0, 0.0, -1.0, width, height),
        270: (0.0, 1.0, -1.0, 0.0, width, 0.0),
    }[turned % 360]
