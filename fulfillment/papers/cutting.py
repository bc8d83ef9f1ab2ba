"""Cuts the label out of a page that holds label and tax invoice; nothing of the invoice stays in the file.

The cut is found by content: the dashed line across the page, else the words "Tax Invoice"; a fixed box is the last
resort. What is painted outside is taken out of the page's content (`painting`, `filtering`), what only the invoice used
is left behind, and the result is rendered beside the original: where a pixel differs, or the page draws in a way we do
not follow, the label is cut as a picture instead. Positions were measured on two real labels, of 2023 and 2025.

It reads a stranger's PDF, so it belongs in the child process: `checking.cut_in_child`.
"""

import io
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pikepdf
import pypdfium2
from PIL import Image, ImageChops

from . import filtering
from .painting import Mark, NotMastered, Painting, read_page
from .types import Box, CutLabel, FoundBy, PaperRefused

A4 = (595.0, 842.0)
A4_TOLERANCE = 2.0
FIXED_BOX = Box(186, 458, 410, 818)  # keeps the whole frame of every sample and ends above the dashed line at 456.5
LINE_BAND = (0.42, 0.64)  # where the line may lie, as a part of the page's height from below; measured: 0.542 and 0.540
MARGIN = 2.0
LINE_CLEARANCE = 0.25
THICKEST_LINE = 2.0
COMPARED_AT = 2.0  # pixels a point
PICTURED_AT = 6.0  # 432 dots an inch: bars that were scanned at 300 stay readable after one more scaling
INVOICE_WORDS = re.compile(r"tax\s+invoice|bill\s+of\s+supply", re.IGNORECASE)


@dataclass(slots=True)
class Sheet:
    """One page in a PDF of its own, upright, its lower left corner at 0,0; `pdf` are the bytes of the same."""

    file: pikepdf.Pdf
    pdf: bytes
    whole: Box
    hides_more: bool  # a crop box smaller than the page: more is in the file than shows


@dataclass(slots=True)
class Part:
    """A page of the result."""

    pdf: bytes
    found_by: FoundBy
    box: Box
    text: str
    as_picture: bool = False


def cut_label(pdf: bytes) -> CutLabel:
    """The label alone. A page that is not A4 (a label already) and one with nothing to cut are left whole.

    Of several pages each one with a line or the words gives a label (a shipment in several parcels); the others are
    dropped where at least one did (an invoice going on), and kept where none did. Raises PaperRefused for what is no
    readable PDF.
    """
    return _cut(pdf, above=True)


def cut_invoice(pdf: bytes) -> CutLabel:
    """The other half: the tax invoice without the label. Raises PaperRefused where no cut can be found."""
    return _cut(pdf, above=False)


def _cut(pdf: bytes, *, above: bool) -> CutLabel:
    with opened_pdf(pdf) as original:
        sheets = [sheet_of(page) for page in original.pages]
    parts = [part for sheet in sheets if (part := _found_part(sheet, above=above))]
    if not parts and not above:
        raise PaperRefused("there is no line and no heading that says where the invoice begins")
    dropped = len(sheets) - len(parts) if parts else 0
    if not parts:
        parts = [_rest(sheet) for sheet in sheets]
    return CutLabel(
        pdf=as_one(parts),
        found_by=parts[0].found_by,
        box=parts[0].box,
        texts=tuple(" ".join(part.text for part in parts).split()),
        pages=len(parts),
        pages_dropped=dropped,
        as_picture=any(part.as_picture for part in parts),
    )


def _found_part(sheet: Sheet, *, above: bool) -> Part | None:
    """The part of an A4 page on this side of what its content says is the cut; None where the content does not say."""
    painting = painting_of(sheet)
    found = region_of(sheet, painting, above=above)
    return part_of(sheet, painting, *found, trimmed=True) if found else None


def region_of(sheet: Sheet, painting: Painting | None, *, above: bool) -> tuple[FoundBy, Box] | None:
    """How the cut of an A4 page was found, and the side of it that is meant; None where its content does not say."""
    if not _is_a4(sheet.whole):
        return None
    found = _find_cut(sheet, painting)
    if found is None:
        return None
    found_by, lower, upper = found
    whole = sheet.whole
    bottom, top = (upper, whole.top) if above else (whole.bottom, lower)
    return found_by, Box(whole.left, bottom, whole.right, top)


def _rest(sheet: Sheet) -> Part:
    """What to do with a page whose content does not say where to cut."""
    painting = painting_of(sheet)
    if _is_a4(sheet.whole):
        part = part_of(sheet, painting, "fixed box", FIXED_BOX, trimmed=False)
        if part is not None:
            return part
    if sheet.hides_more and (part := part_of(sheet, painting, "whole page", sheet.whole, trimmed=False)):
        return part
    return Part(sheet.pdf, "whole page", sheet.whole, _text(sheet.pdf))


# --- where the cut is ---


def _find_cut(sheet: Sheet, painting: Painting | None) -> tuple[FoundBy, float, float] | None:
    """The strip that belongs to neither part, as heights above the page's lower edge. The line is the more exact."""
    line = _dashed_line(list(painting.marks()) if painting else [], sheet.whole)
    if line is not None:
        return "line", line.bottom - LINE_CLEARANCE, line.top + LINE_CLEARANCE
    heading = _heading(sheet)
    return ("text", heading, heading) if heading is not None else None


def _dashed_line(marks: list[Mark], whole: Box) -> Box | None:
    """A flat dashed stroke, or a row of ten or more flat dashes, that spans most of the page's width."""
    low, high = (whole.height * part for part in LINE_BAND)
    rows: dict[int, list[Box]] = {}
    for mark in marks:
        box = mark.box
        if mark.kind != "path" or box.height > THICKEST_LINE or not low < box.centre[1] < high:
            continue
        if mark.is_dashed and box.width > whole.width * 0.7:
            return box
        rows.setdefault(round(box.centre[1]), []).append(box)
    for dashes in rows.values():
        row = dashes[0]
        for dash in dashes[1:]:
            row = row.joined(dash)
        if len(dashes) >= 10 and row.width > whole.width * 0.7 and sum(dash.width for dash in dashes) < row.width * 0.9:
            return row
    return None


def _heading(sheet: Sheet) -> float | None:
    """Just above the highest "Tax Invoice" that stands where an invoice may begin."""
    low, high = (sheet.whole.height * part for part in LINE_BAND)
    tops = []
    with _rendered(sheet.pdf) as page:
        text = page.get_textpage()
        for match in INVOICE_WORDS.finditer(text.get_text_range()):
            _left, _bottom, _right, top = text.get_charbox(match.start(), loose=True)
            if low < top < high:
                tops.append(top)
        text.close()
    return max(tops) + MARGIN if tops else None


# --- cutting it out ---


def part_of(sheet: Sheet, painting: Painting | None, found_by: FoundBy, region: Box, *, trimmed: bool) -> Part | None:
    """What lies in the region, as a page; None where it is empty."""
    try:
        if painting is None:
            raise NotMastered
        kept = filtering.keep_within(painting, region, sheet.file)
        box = _trim(kept.bounds, region) if trimmed else region
        if box is None or not kept.instructions:
            return None
        pdf = _page_of(sheet, kept, box)
        if _differs(sheet, box, pdf):
            raise NotMastered
        return Part(pdf, found_by, box, _text(pdf))
    except NotMastered:
        return _picture(sheet, found_by, region, trimmed=trimmed)


def _trim(bounds: Box | None, region: Box) -> Box | None:
    """The painted part with a small margin, in whole points, so that its pixels fall as they did before."""
    if bounds is None:
        return None
    grown = bounds.grown(MARGIN)
    box = Box(math.floor(grown.left), math.floor(grown.bottom), math.ceil(grown.right), math.ceil(grown.top))
    inside = Box(math.ceil(region.left), math.ceil(region.bottom), math.floor(region.right), math.floor(region.top))
    return box.within(inside)


def _page_of(sheet: Sheet, kept: filtering.Kept, box: Box) -> bytes:
    page = sheet.file.pages[0].obj
    shift = f"1 0 0 1 {-box.left:g} {-box.bottom:g} cm\n".encode()
    page.Contents = sheet.file.make_stream(shift + kept.instructions)
    page.Resources = kept.resources
    page.MediaBox = pikepdf.Array([0, 0, box.width, box.height])
    return _saved(sheet.file)


def _picture(sheet: Sheet, found_by: FoundBy, region: Box, *, trimmed: bool) -> Part | None:
    """The region as a picture in grey, sharp enough for printers of 203 or 300 dots an inch; None where empty."""
    picture = _pixels(sheet.pdf, region, PICTURED_AT).convert("L")
    inked = ImageChops.invert(picture).point(lambda grey: 255 if grey > 8 else 0).getbbox()
    if inked is None:
        return None
    box = region
    if trimmed:
        left, upper, right, lower = (side / PICTURED_AT for side in inked)
        seen = Box(region.left + left, region.top - lower, region.left + right, region.top - upper)
        box = _trim(seen, region) or region
        picture = _pixels(sheet.pdf, box, PICTURED_AT).convert("L")
    return Part(_pdf_of(picture, box), found_by, box, _text(sheet.pdf, box), as_picture=True)


def _pdf_of(picture: Image.Image, box: Box) -> bytes:
    file = pikepdf.Pdf.new()
    page = file.add_blank_page(page_size=(box.width, box.height)).obj
    image = file.make_stream(
        zlib.compress(picture.tobytes()),
        {
            "/Type": pikepdf.Name.XObject,
            "/Subtype": pikepdf.Name.Image,
            "/Width": picture.width,
            "/Height": picture.height,
            "/ColorSpace": pikepdf.Name.DeviceGray,
            "/BitsPerComponent": 8,
            "/Filter": pikepdf.Name.FlateDecode,
        },
    )
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Label=image))
    page.Contents = file.make_stream(f"{box.width:g} 0 0 {box.height:g} 0 0 cm /Label Do".encode())
    return _saved(file)


# --- reading and writing files ---


@contextmanager
def opened_pdf(pdf: bytes) -> Iterator[pikepdf.Pdf]:
    try:
        with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False) as file:
            yield file
    except (pikepdf.PdfError, pypdfium2.PdfiumError) as error:
        raise PaperRefused("it cannot be read as a PDF") from error


def sheet_of(page: pikepdf.Page) -> Sheet:
    """The page alone in a new file, turned and moved so that what shows of it starts at 0,0."""
    file = pikepdf.Pdf.new()
    file.pages.append(page)
    copy = file.pages[0]
    seen = Box(*(float(side) for side in copy.cropbox))
    hides_more = list(map(float, copy.mediabox)) != list(seen)
    turned = int(copy.obj.get("/Rotate", 0)) % 360
    for key in set(copy.obj.keys()) - {"/Type", "/Parent", "/MediaBox", "/Contents", "/Resources", "/Group"}:
        del copy.obj[key]
    width, height = (seen.height, seen.width) if turned in (90, 270) else (seen.width, seen.height)
    if turned or (seen.left, seen.bottom) != (0, 0):
        matrix = {
            0: (1, 0, 0, 1, -seen.left, -seen.bottom),
            90: (0, -1, 1, 0, -seen.bottom, seen.right),
            180: (-1, 0, 0, -1, seen.right, seen.top),
            270: (0, 1, -1, 0, seen.top, -seen.left),
        }[turned]
        copy.contents_add(" ".join(f"{number:g}" for number in matrix).encode() + b" cm\n", prepend=True)
    whole = Box(0, 0, width, height)
    copy.obj.MediaBox = pikepdf.Array([0, 0, width, height])
    return Sheet(file, _saved(file), whole, hides_more)


def _saved(file: pikepdf.Pdf) -> bytes:
    """Streams that came compressed stay byte for byte as they were: equal fonts can be shared when joined."""
    out = io.BytesIO()
    file.save(
        out,
        compress_streams=True,
        stream_decode_level=pikepdf.StreamDecodeLevel.none,
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
        fix_metadata_version=False,
        deterministic_id=True,
    )
    return out.getvalue()


def as_one(parts: list[Part]) -> bytes:
    if len(parts) == 1:
        return parts[0].pdf
    file = pikepdf.Pdf.new()
    for part in parts:
        with pikepdf.open(io.BytesIO(part.pdf)) as one:
            file.pages.extend(one.pages)
    return _saved(file)


def painting_of(sheet: Sheet) -> Painting | None:
    """None where the page draws in a way that is not followed."""
    try:
        return read_page(sheet.file.pages[0])
    except NotMastered:
        return None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # Operands of a wrong kind or number: readers shrug, and so do we; what shows can still be cut as a picture.
        return None


def _is_a4(whole: Box) -> bool:
    return abs(whole.width - A4[0]) <= A4_TOLERANCE and abs(whole.height - A4[1]) <= A4_TOLERANCE


# --- what shows ---


@contextmanager
def _rendered(pdf: bytes) -> Iterator[pypdfium2.PdfPage]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        page = document[0]
        yield page
        page.close()
    finally:
        document.close()


def _pixels(pdf: bytes, box: Box, scale: float) -> Image.Image:
    """What shows in the box, at `scale` pixels a point."""
    with _rendered(pdf) as page:
        width, height = page.get_size()
        crop = (box.left, box.bottom, width - box.right, height - box.top)
        picture: Image.Image = page.render(scale=scale, crop=crop).to_pil()
        return picture


def _differs(sheet: Sheet, box: Box, pdf: bytes) -> bool:
    before = _pixels(sheet.pdf, box, COMPARED_AT)
    after = _pixels(pdf, Box(0, 0, box.width, box.height), COMPARED_AT)
    return before.size != after.size or ImageChops.difference(before, after).getbbox() is not None


def _text(pdf: bytes, box: Box | None = None) -> str:
    with _rendered(pdf) as page:
        text = page.get_textpage()
        words: str = text.get_text_bounded(*box) if box else text.get_text_range()
        text.close()
        return words
