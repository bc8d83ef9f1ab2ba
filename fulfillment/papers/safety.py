"""Says whether bytes are a whole PDF that may be kept and printed, and takes out everything in it that acts.

It reads a stranger's file, so it belongs in the child process: `checking.check_in_child`.
"""

import io
import math
from collections.abc import Iterator

import pikepdf

from .types import CheckedPaper, Limits, PaperRefused

# What a page and a file may hold. All else goes: a list of what is dangerous would always be one name short.
PAGE_KEEPS = frozenset(
    ("/Type", "/Parent", "/MediaBox", "/CropBox", "/Rotate", "/UserUnit", "/Resources", "/Contents", "/Group")
)
ROOT_KEEPS = frozenset(("/Type", "/Pages", "/Version", "/OCProperties"))
STREAM_LOSES = frozenset(("/AF", "/OPI", "/Ref", "/Alternates", "/Metadata", "/PieceInfo", "/StructParents"))
# Of what was taken out, these are worth a word to a person.
ACTIVE = frozenset(
    ("/OpenAction", "/AA", "/Names", "/JavaScript", "/EmbeddedFiles", "/AcroForm", "/Annots", "/AF", "/Collection")
)
INHERITED = ("/MediaBox", "/CropBox", "/Rotate", "/Resources")
SHORTEST_SIDE = 18.0


def made_safe(pdf: bytes, limits: Limits) -> CheckedPaper:
    """The same pages without anything that acts. Raises PaperRefused with the reason in plain words."""
    _looks_whole(pdf, limits)
    try:
        # Opened twice: the second way walks the whole page list, which may be a bomb.
        with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False, inherit_page_attributes=False) as file:
            _count_objects(file, limits)
            _count_pages(file, limits)
        with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False) as file:
            sizes = tuple(_size(page, limits) for page in file.pages)
            stripped = _strip(file, limits)
            _read_contents(file, limits)
            return CheckedPaper(pdf=_saved(file), sizes=sizes, stripped=tuple(sorted(stripped)))
    except pikepdf.PasswordError as error:
        raise PaperRefused("it is locked with a password") from error
    except pikepdf.PdfError as error:
        raise PaperRefused("it is damaged and cannot be read as a PDF") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        # What pikepdf raises where a number stands for a dictionary, and the like.
        raise PaperRefused("its structure is not that of a PDF") from error


def _looks_whole(pdf: bytes, limits: Limits) -> None:
    start = pdf[:1024].lstrip().lower()
    if not start:
        raise PaperRefused("the file is empty")
    if len(pdf) > limits.pdf_bytes:
        raise PaperRefused(f"it is larger than {limits.pdf_bytes // 2**20} MB")
    if b"%pdf-" not in start:
        if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
            raise PaperRefused("it is a web page and no PDF")
        if start.startswith((b"{", b"[")):
            raise PaperRefused("it is JSON and no PDF")
        raise PaperRefused("it is no PDF")
    if b"startxref" not in pdf[-2048:] or b"%%EOF" not in pdf[-2048:]:
        raise PaperRefused("it is cut off: the end of the PDF is missing")


def _count_objects(file: pikepdf.Pdf, limits: Limits) -> None:
    if int(file.trailer.get("/Size", 0)) > limits.objects or len(file.objects) > limits.objects:
        raise PaperRefused(f"it has more than {limits.objects} parts")


def _count_pages(file: pikepdf.Pdf, limits: Limits) -> None:
    """Walks the tree by hand: the library would first make a million pages of one that is named a million times."""
    pages = nodes = 0
    waiting = [(file.Root["/Pages"], 0)]
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        if "/Kids" in node:
            kids = node["/Kids"]
            if len(kids) > limits.pages:
                raise PaperRefused(f"it has more than {limits.pages} pages")
            waiting += [(kid, depth + 1) for kid in kids]
        else:
            pages += 1
        if pages > limits.pages or nodes > 4 * limits.pages or depth > limits.depth:
            raise PaperRefused(f"it has more than {limits.pages} pages, or a page list that leads in a circle")
    if not pages:
        raise PaperRefused("it has no page")


def _size(page: pikepdf.Page, limits: Limits) -> tuple[float, float]:
    """Width and height as seen, in points."""
    for box in (page.mediabox, page.cropbox):
        left, bottom, right, top = (float(side) for side in box)
        if not all(math.isfinite(side) and abs(side) <= limits.side for side in (left, bottom, right, top)):
            raise PaperRefused("a page is larger than any sheet of paper")
        if right - left < SHORTEST_SIDE or top - bottom < SHORTEST_SIDE:
            raise PaperRefused("a page has no size")
    turned = int(page.obj.get("/Rotate", 0))
    if turned % 90:
        raise PaperRefused("a page is turned by a part of a right angle")
    unit = float(page.obj.get("/UserUnit", 1))
    if unit != 1:
        raise PaperRefused("a page counts in units of its own")
    size = (right - left, top - bottom)
    return size if turned % 180 == 0 else size[::-1]


def _strip(file: pikepdf.Pdf, limits: Limits) -> set[str]:
    """Names of the active content that was taken out."""
    stripped: set[str] = set()
    names = file.Root.get("/Names")
    if names is not None:
        stripped |= set(names.keys())
    stripped |= _keep_only(file.Root, ROOT_KEEPS)
    for page in file.pages:
        stripped |= _keep_only(page.obj, PAGE_KEEPS)
    for key in set(file.trailer.keys()) & {"/Info", "/AdditionalStreams"}:
        del file.trailer[key]
    for stream in _streams(file):
        _check_stream(stream, limits)
        stripped |= _lose(stream, STREAM_LOSES)
    return stripped & ACTIVE


def _check_stream(stream: pikepdf.Object, limits: Limits) -> None:
    if "/F" in stream:
        raise PaperRefused("it takes a part of itself from another file")
    if stream.get("/Subtype") == "/PS":
        raise PaperRefused("it holds a program for the printer")
    if stream.get("/Subtype") == "/Image":
        pixels = int(stream.get("/Width", 0)) * int(stream.get("/Height", 0))
        if not 0 < pixels <= limits.image_pixels:
            raise PaperRefused(f"a picture in it has no size, or more than {limits.image_pixels // 10**6} million dots")


def _streams(file: pikepdf.Pdf) -> Iterator[pikepdf.Object]:
    return (thing for thing in file.objects if isinstance(thing, pikepdf.Stream))


def _keep_only(thing: pikepdf.Object, kept: frozenset[str]) -> set[str]:
    return _lose(thing, frozenset(thing.keys()) - kept)


def _lose(thing: pikepdf.Object, lost: frozenset[str]) -> set[str]:
    found = set(thing.keys()) & lost
    for key in found:
        del thing[key]
    return found


def _read_contents(file: pikepdf.Pdf, limits: Limits) -> None:
    """Unpacks each page's content once: what cannot be unpacked here would come out of the printer half drawn."""
    unpacked = 0
    for page in file.pages:
        contents = page.obj.get("/Contents")
        if contents is None:
            raise PaperRefused("a page is empty")
        for stream in contents if isinstance(contents, pikepdf.Array) else [contents]:
            unpacked += len(stream.read_bytes())
            if unpacked > limits.unpacked_bytes:
                raise PaperRefused("unpacked it is far too large")


def _saved(file: pikepdf.Pdf) -> bytes:
    """Only what is reached from the pages is written, so what was stripped is gone and not only unlinked."""
    out = io.BytesIO()
    file.save(
        out,
        stream_decode_level=pikepdf.StreamDecodeLevel.none,
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
        fix_metadata_version=False,
        encryption=False,
        deterministic_id=True,
    )
    return out.getvalue()
