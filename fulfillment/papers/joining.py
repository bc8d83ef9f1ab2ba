"""Joins many labels into one print file, in one pass and flat memory.

Each label is read alone, renumbered and written at once; what was written before (fonts, logos) is found again by the
digest of its bytes and shared. Merging libraries keep every page until the end, 80 KB a label and more; here
only offsets and digests stay.
"""

import hashlib
import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from reportlab.pdfbase import pdfmetrics

from .layout import AS_MADE, NOTE_SIZE, Layout, Placed, place
from .stored import Stored, StoredPage, opened
from .types import Box, LabelRefused, PaperRefused

PAGES_PER_NODE = 64
NOTE_FONT = "Helvetica"
# As qpdf spells values: strings with every bracket escaped, or in hexadecimal; names without a blank.
REFERENCE = re.compile(rb"\((?:[^\\()]|\\.)*+\)|(?<!\d)(\d++ \d++) R", re.DOTALL)


class Label(NamedTuple):
    """What goes on a sheet: a stored, checked PDF, and a line for the free strip under it ("SKU-7 x 2").

    `page` is the one of its pages that is meant, from 0; None is all of them. `is_alone`: on a sheet of its own, as it
    is. `starts_sheet`: what stands before it fills no slot of its sheet.
    """

    pdf: bytes
    note: str = ""
    page: int | None = None
    is_alone: bool = False
    starts_sheet: bool = False


def join(
    labels: Iterable[Label | bytes],
    out: BinaryIO,
    *,
    layout: Layout,
) -> int:
    """Writes one PDF of all labels, in their order, and returns the number of its pages.

    `labels` is read lazily, one at a time; `out` is only written to, never moved. Raises LabelRefused where a stored
    label cannot be read, PaperRefused where there is none at all (a PDF has a page); `out` is then useless.
    """
    writer = _Writer(out)
    sheets = _Sheets(writer, layout)
    for number, label in enumerate(labels, start=1):
        label = label if isinstance(label, Label) else Label(label)
        if label.starts_sheet or label.is_alone:
            sheets.start_anew()
        try:
            with opened(label.pdf) as stored:
                copier = _Copier(writer, stored)
                for page in _meant(stored.pages, label.page):
                    sheets.add(copier, page, label.note, is_alone=label.is_alone)
        except PaperRefused as error:
            raise LabelRefused(number, error.reason) from error
        except RecursionError as error:
            raise LabelRefused(number, "it leads too deep") from error
    return sheets.finish()


def _meant(pages: Sequence[StoredPage], page: int | None) -> Sequence[StoredPage]:
    if page is None:
        return pages
    if page >= len(pages):
        raise PaperRefused("it has fewer pages than it had")
    return [pages[page]]


class _Writer:
    """Numbered objects into a stream that is never read or moved back."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out
        self.at = 0
        self.offsets = array("Q", [0])  # by object number; 0 is the list's head
        self.shared: dict[bytes, int] = {}
        self._put(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def reserve(self) -> int:
        self.offsets.append(0)
        return len(self.offsets) - 1

    def write(self, body: bytes, number: int | None = None) -> int:
        number = number or self.reserve()
        self.offsets[number] = self.at
        self._put(b"%d 0 obj\n%b\nendobj\n" % (number, body))
        return number

    def share(self, body: bytes) -> int:
        """The number of an object with exactly these bytes, written now unless one was before."""
        digest = hashlib.blake2b(body, digest_size=16).digest()
        number = self.shared.get(digest)
        if number is None:
            number = self.shared[digest] = self.write(body)
        return number

    def finish(self, root: int) -> None:
        start = self.at
        self._put(b"xref\n0 %d\n0000000000 65535 f \n" % len(self.offsets))
        for offset in self.offsets[1:]:
            self._put(b"%010d 00000 n \n" % offset)
        self._put(b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(self.offsets), root, start))

    def _put(self, piece: bytes) -> None:
        self.out.write(piece)
        self.at += len(piece)


class _Copier:
    """Copies what one label refers to, deepest first, so that an object's bytes name only numbers that stand.

    Values stay as they are spelled in the label, and only references are replaced: taking each width of a font through
    Python doubled the time.
    """

    def __init__(self, writer: _Writer, stored: Stored) -> None:
        self.writer = writer
        self.stored = stored
        self.numbers: dict[bytes, bytes] = {}  # how it is referred to in the label -> in the joined file
        self.open: set[bytes] = set()

    def form(self, page: StoredPage) -> int:
        """The page as a form that can be drawn anywhere."""
        head = b"/Type/XObject/Subtype/Form/BBox[%b]%b" % (_numbers(page.box), self._moved(page.keys))
        return self.writer.write(_stream(head, page.packed))

    def _moved(self, spelled: bytes) -> bytes:
        """The same with every reference leading to its copy, which is written first where it does not stand yet."""
        if b" R" not in spelled:
            return spelled
        if b"(" in spelled:
            return REFERENCE.sub(lambda match: self._copied(match[1]) if match[1] else match[0], spelled)
        # Without strings an R is a reference's, and its two numbers stand before it: widths of fonts are long rows of
        # numbers, on which the expression above spends a third of the whole time.
        *pieces, end = spelled.split(b" R")
        moved = []
        for piece in pieces:
            before, *reference = piece.rsplit(b" ", 2)
            if len(reference) < 2 or not all(map(bytes.isdigit, reference)):
                raise PaperRefused("it is not as it was written")
            moved += [before, b" ", self._copied(b" ".join(reference))]
        return b"".join([*moved, end])

    def _copied(self, found: bytes) -> bytes:
        """The reference that leads to the copy of what "5 0" leads to in the label."""
        if found not in self.numbers:
            if found in self.open:
                raise PaperRefused("it leads in a circle")
            self.open.add(found)
            head, packed = self.stored.find(found)
            body = self._moved(head)
            if packed is not None:
                body = b"%b\nstream\n%b\nendstream" % (body, packed)
            self.numbers[found] = b"%d 0 R" % self.writer.share(body)
        return self.numbers[found]


@dataclass(slots=True)
class _Sheets:
    """The pages, and the tree over them: the root, below it nodes of a few pages each."""

    writer: _Writer
    layout: Layout
    root: int = 0
    node: int = 0
    pages: int = 0
    size: tuple[float, float] = (0.0, 0.0)  # of the sheet that is being filled
    drawn: list[bytes] = field(default_factory=list)
    forms: list[int] = field(default_factory=list)
    kids: list[int] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    note_font: int = 0

    def __post_init__(self) -> None:
        self.root = self.writer.reserve()
        self.note_font = self.writer.share(
            b"<</Type/Font/Subtype/Type1/BaseFont/%b/Encoding/WinAnsiEncoding>>" % NOTE_FONT.encode()
        )

    def start_anew(self) -> None:
        """What comes next stands on another sheet."""
        if self.forms:
            self._close_sheet()

    def add(self, copier: _Copier, page: StoredPage, note: str, *, is_alone: bool = False) -> None:
        box = page.box
        size = (box.width, box.height) if page.turned in (0, 180) else (box.height, box.width)
        layout = AS_MADE if is_alone else self.layout
        spot = place(size, layout, len(self.forms), turned=page.turned, with_note=bool(note))
        self.size = spot.sheet
        self.drawn.append(_draw(spot, box, len(self.forms), note))
        self.forms.append(copier.form(page))
        if len(self.forms) >= max(1, len(layout.slots)):
            self._close_sheet()

    def finish(self) -> int:
        if self.forms:
            self._close_sheet()
        if not self.pages:
            raise PaperRefused("there is nothing to print")
        if self.kids:
            self._close_node()
        body = b"<</Type/Pages/Count %d/Kids[%b]>>" % (self.pages, _references(self.nodes))
        self.writer.write(body, self.root)
        self.writer.finish(self.writer.write(b"<</Type/Catalog/Pages %d 0 R>>" % self.root))
        return self.pages

    def _close_sheet(self) -> None:
        if not self.kids:
            self.node = self.writer.reserve()
        contents = self.writer.share(_stream(b"", b"".join(self.drawn)))
        forms = b"".join(b"/L%d %d 0 R" % pair for pair in enumerate(self.forms))
        self.kids.append(
            self.writer.write(
                b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 %b]/Contents %d 0 R"
                b"/Resources<</XObject<<%b>>/Font<</Note %d 0 R>>>>>>"
                % (self.node, _numbers(self.size), contents, forms, self.note_font)
            )
        )
        self.pages += 1
        self.drawn, self.forms = [], []
        if len(self.kids) == PAGES_PER_NODE:
            self._close_node()

    def _close_node(self) -> None:
        body = b"<</Type/Pages/Parent %d 0 R/Count %d/Kids[%b]>>"
        self.writer.write(body % (self.root, len(self.kids), _references(self.kids)), self.node)
        self.nodes.append(self.node)
        self.kids = []


def _draw(spot: Placed, box: Box, slot: int, note: str) -> bytes:
    a, b, c, d, e, f = spot.matrix
    moved = (a, b, c, d, e - a * box.left - c * box.bottom, f - b * box.left - d * box.bottom)
    drawn = b"q %b cm /L%d Do Q\n" % (_numbers(moved), slot)
    if note and spot.note_box:
        drawn += _draw_note(note, spot.note_box)
    return drawn


def _draw_note(note: str, room: Box) -> bytes:
    """One line in the middle of its strip, cut to fit; letters that the font lacks become question marks."""
    text = note.encode("cp1252", "replace").decode("cp1252")
    while pdfmetrics.stringWidth(text, NOTE_FONT, NOTE_SIZE) > room.width:
        text = text[:-1]
    left = (room.left + room.right - pdfmetrics.stringWidth(text, NOTE_FONT, NOTE_SIZE)) / 2
    at = _numbers((left, room.bottom + 3))
    return b"BT /Note %b Tf %b Td <%b> Tj ET\n" % (_numbers([NOTE_SIZE]), at, text.encode("cp1252").hex().encode())


# --- how values are spelled in a file ---


def _numbers(numbers: Iterable[float]) -> bytes:
    return " ".join(f"{number:.5f}".rstrip("0").rstrip(".") for number in numbers).encode()


def _references(numbers: Iterable[int]) -> bytes:
    return b" ".join(b"%d 0 R" % number for number in numbers)


def _stream(head: bytes, packed: bytes) -> bytes:
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (head, len(packed), packed)
