"""Reads a stored paper for joining: its pages, and any object by its reference, spelled as in the file.

Papers that `cutting` wrote have one form (a list of offsets, values without line breaks), and are read as they lie
there: parsing each font of each label again took most of a print job's time. Every other paper is parsed.
"""

import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pikepdf

from .types import Box, PaperRefused

# One page upright at 0,0, its content in one stream: how `cutting` leaves a label. Keys are sorted by qpdf.
OWN_PAGE = re.compile(
    rb"<< /Contents (\d+ 0) R (?:/Group (<<[^<>()]*>>) )?/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \] "
    rb"/Parent \d+ 0 R /Resources (<<.*>>) /Type /Page >>"
)
OWN_TRAILER = re.compile(rb"trailer << (?:/Info \d+ 0 R )?/Root (\d+ 0) R /Size \d+ /ID \[<\w*><\w*>\] >>\nstartxref\n")
ONE_PAGE = re.compile(rb"/Kids \[ (\d+ 0) R \]")
OFFSET = re.compile(rb"(\d{10}) 00000 n \n")
LENGTH = re.compile(rb" /Length (\d+)(?: /Filter /FlateDecode)? >>\Z")


class Spelled(NamedTuple):
    """An object as it stands in a file: a dictionary or a value, and the packed bytes of a stream."""

    head: bytes
    packed: bytes | None


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page for a form to be made of: `keys` are a dictionary's inside, with resources and filter, but no length."""

    box: Box
    turned: int
    keys: bytes
    packed: bytes


class Stored(Protocol):
    """A paper that is open."""

    pages: list[StoredPage]

    def find(self, reference: bytes) -> Spelled:
        """What "5 0" leads to."""


@contextmanager
def opened(pdf: bytes) -> Iterator[Stored]:
    """Raises PaperRefused where the bytes are no PDF that can be read."""
    own = _Own.of(pdf)
    if own is not None:
        yield own
        return
    try:
        with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False) as file:
            yield _Parsed(file)
    except (pikepdf.PdfError, RuntimeError, TypeError, ValueError) as error:
        # What pikepdf raises where a number stands for a dictionary, and the like.
        raise PaperRefused("it is no PDF that can be read") from error


class _Own:
    """A paper in the form in which ours are written."""

    def __init__(self, pdf: bytes, offsets: int, count: int) -> None:
        self.pdf = pdf
        self.offsets = offsets
        self.count = count
        self.pages: list[StoredPage] = []

    @classmethod
    def of(cls, pdf: bytes) -> "_Own | None":
        """None where it is not in that form, or holds other than one page of ours."""
        end = pdf.rfind(b"trailer <<", max(0, len(pdf) - 400))
        trailer = OWN_TRAILER.match(pdf, end) if end >= 0 else None
        if trailer is None:
            return None
        try:
            start = int(pdf[trailer.end() :].split(b"\n", 1)[0])
            mark, counted, _first = pdf[start : start + 40].split(b"\n", 2)
            count = int(counted.removeprefix(b"0 "))
            own = cls(pdf, start + len(mark) + len(counted) + 2, count)
            if mark != b"xref" or own.offsets + 20 * count != end:
                return None
            root = own.find(trailer[1]).head
            (pages,) = re.findall(rb"/Pages (\d+ 0) R", root)
            (page,) = ONE_PAGE.findall(own.find(pages).head)
            return own if own._read_page(page) else None
        except (ValueError, PaperRefused):
            return None

    def find(self, reference: bytes) -> Spelled:
        number = int(reference.split(b" ")[0])
        line = OFFSET.match(self.pdf, self.offsets + 20 * number)
        if not 0 < number < self.count or line is None:
            raise PaperRefused("it refers to what it does not hold")
        name = b"%d 0 obj\n" % number
        start = int(line[1])
        head_at = start + len(name)
        head_end = self.pdf.find(b"\n", head_at)  # qpdf writes no line break inside a value
        head = self.pdf[head_at:head_end]
        rest = head_end + 1
        if not self.pdf.startswith(name, start):
            raise PaperRefused("it is not as it was written")
        if self.pdf.startswith(b"endobj\n", rest):
            return Spelled(head, None)
        length = LENGTH.search(head)
        if length is None or not self.pdf.startswith(b"stream\n", rest):
            raise PaperRefused("it is not as it was written")
        begin = rest + len(b"stream\n")
        end = begin + int(length[1])
        if not self.pdf.startswith(b"\nendstream\nendobj\n", end):
            raise PaperRefused("it is not as it was written")
        return Spelled(head, self.pdf[begin:end])

    def _read_page(self, reference: bytes) -> bool:
        page = OWN_PAGE.fullmatch(self.find(reference).head)
        if page is None:
            return False
        contents, group, width, height, resources = page.groups()
        head, packed = self.find(contents)
        if packed is None or not (float(width) > 0 and float(height) > 0):
            return False
        keys = b"/Resources " + resources + (b"/Group " + group if group else b"")
        keys += LENGTH.sub(b"", head).removeprefix(b"<<") + (
            b"/Filter/FlateDecode" if b"/Filter" in head[-23:] else b""
        )
        self.pages.append(StoredPage(Box(0, 0, float(width), float(height)), 0, keys, packed))
        return True


class _Parsed:
    """Any other paper."""

    def __init__(self, file: pikepdf.Pdf) -> None:
        self.file = file
        self.pages = [self._read_page(page) for page in file.pages]

    def find(self, reference: bytes) -> Spelled:
        number, generation = reference.split()
        thing = self.file.get_object(int(number), int(generation))
        if isinstance(thing, pikepdf.Stream):
            return Spelled(thing.stream_dict.unparse(resolved=True), thing.read_raw_bytes())
        return Spelled(thing.unparse(resolved=True), None)

    def _read_page(self, page: pikepdf.Page) -> StoredPage:
        keys = {"/Resources": page.obj.get("/Resources", pikepdf.Dictionary()), "/Group": page.obj.get("/Group")}
        contents = page.obj.get("/Contents")
        if isinstance(contents, pikepdf.Stream):
            packed = contents.read_raw_bytes()
            keys |= {key: contents.get(key) for key in ("/Filter", "/DecodeParms")}
        else:
            parts = contents if isinstance(contents, pikepdf.Array) else pikepdf.Array()
            packed = zlib.compress(b"\n".join(part.read_bytes() for part in parts))
            keys["/Filter"] = pikepdf.Name.FlateDecode
        spelled = b"".join(b"%b %b" % (key.encode(), value.unparse()) for key, value in keys.items() if value)
        box = Box(*(float(side) for side in page.cropbox))
        if not (box.width > 0 and box.height > 0):
            raise PaperRefused("a page has no size")
        return StoredPage(box, int(page.obj.get("/Rotate", 0)) % 360, spelled, packed)
