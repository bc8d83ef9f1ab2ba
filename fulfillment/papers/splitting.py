"""Tells whose each page of a merged PDF is, by its text and the order of the pages, and never by guess.

A page is a shipment's when it holds one of its tracking ids, or its order id where no other shipment that was asked for
has the same. A page that names nobody goes on with the one before it, unless it is a label by itself or somebody's page
is missing: then it may be theirs. Where one page cannot be told, nothing is split: it might be anybody's. It reads a
stranger's PDF, so it belongs in the child process: `checking.split_in_child`.
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pikepdf
import pypdfium2

from .cutting import painting_of, region_of, sheet_of
from .types import PaperRefused, letters

ORDER_ID = re.compile(r"OD\d{12,24}")


class Owner(NamedTuple):
    """A shipment that was asked for: our name for it, its order, and its parcels' tracking ids as far as known."""

    key: str
    order_id: str
    tracking_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPapers:
    """The pages of each shipment as a PDF of its own, and why one has none that can be used."""

    parts: Mapping[str, bytes] = field(repr=False)
    troubles: Mapping[str, str] = field(default_factory=dict)


def split(pdf: bytes, owners: Sequence[Owner]) -> SplitPapers:
    """Raises PaperRefused where the PDF cannot be read, or a page cannot be told."""
    words = [_words(text) for text in _texts(pdf)]
    keys = whose(words, owners)
    troubles = {owner.key: why for owner in owners if (why := _why_not_whole(owner, keys, words))}
    unnamed = [at for at, page in enumerate(words) if not _names_one(page, owners)]
    if unnamed and troubles:
        raise PaperRefused(f"page {unnamed[0] + 1} names none of the shipments, and a page of one of them is missing")
    with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False) as file:
        for at in unnamed:
            if _is_label(file.pages[at]):
                raise PaperRefused(f"page {at + 1} is a label of its own and names none of the shipments")
        parts = {
            owner.key: _pages(file, [at for at, key in enumerate(keys) if key == owner.key])
            for owner in owners
            if owner.key not in troubles
        }
    return SplitPapers(parts=parts, troubles=troubles)


def whose(pages: Sequence[frozenset[str]], owners: Sequence[Owner]) -> list[str]:
    """The owner of each page, by the words on it. Raises PaperRefused for a page that cannot be told. Pure."""
    found: list[str] = []
    for number, words in enumerate(pages, start=1):
        named = [owner for owner in owners if _holds_one(words, owner.tracking_ids)]
        named = named or _by_order(words, owners, before=found[-1] if found else "")
        if len(named) > 1:
            raise PaperRefused(f"page {number} names more than one of the shipments")
        others = {word for word in words if ORDER_ID.fullmatch(word)} - {letters(owner.order_id) for owner in named}
        if others:
            raise PaperRefused(f"page {number} names an order that was not asked for")
        if named:
            found.append(named[0].key)
        elif not words:
            raise PaperRefused(f"page {number} is a picture: nobody can tell whose it is")
        elif not found:
            raise PaperRefused(f"page {number} names none of the shipments")
        else:
            found.append(found[-1])
    return found


def _by_order(words: frozenset[str], owners: Sequence[Owner], *, before: str) -> list[Owner]:
    """Who has the order that the page names.

    Of several shipments of one order the one before may go on, if a label of any of them would have been known by its
    tracking id.
    """
    named = [owner for owner in owners if letters(owner.order_id) in words]
    if len(named) > 1 and all(owner.tracking_ids for owner in named):
        return [owner for owner in named if owner.key == before] or named
    return named


def _holds_one(words: frozenset[str], ids: Sequence[str]) -> bool:
    return any(letters(one) in words for one in ids if one)


def _names_one(words: frozenset[str], owners: Sequence[Owner]) -> bool:
    return any(_holds_one(words, (owner.order_id, *owner.tracking_ids)) for owner in owners)


def _is_label(page: pikepdf.Page) -> bool:
    """Whether a label would be cut out of this page, and printed as one."""
    sheet = sheet_of(page)
    return region_of(sheet, painting_of(sheet), above=True) is not None


def _why_not_whole(owner: Owner, keys: Sequence[str], pages: Sequence[frozenset[str]]) -> str:
    """Why the pages of one shipment are not all that it should have; "" when they are."""
    own = [words for key, words in zip(keys, pages, strict=True) if key == owner.key]
    if not own:
        return "no page is its own"
    missing = [one for one in owner.tracking_ids if not any(_holds_one(words, [one]) for words in own)]
    if len(owner.tracking_ids) > 1 and missing:
        return f"{len(missing)} of its {len(owner.tracking_ids)} parcels have no page"
    return ""


def _words(text: str) -> frozenset[str]:
    """The words of a page, letters and digits alone. Turned text may run into its heading: "AWB No.FMPP0000000001"."""
    words = {letters(word) for word in text.split()}
    bare = {re.sub(r"^AWB(NO)?|AWB(NO)?$", "", word) for word in words}
    return frozenset((words | bare) - {""})


def _texts(pdf: bytes) -> list[str]:
    try:
        with pypdfium2.PdfDocument(pdf) as file:
            return [page.get_textpage().get_text_range() for page in file]
    except pypdfium2.PdfiumError as error:
        raise PaperRefused("it cannot be read as a PDF") from error


def _pages(file: pikepdf.Pdf, numbers: Sequence[int]) -> bytes:
    """These pages in a PDF of their own, with what they need and nothing else."""
    part = pikepdf.Pdf.new()
    for number in numbers:
        part.pages.append(file.pages[number])
    out = io.BytesIO()
    part.save(
        out,
        compress_streams=True,
        stream_decode_level=pikepdf.StreamDecodeLevel.none,
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
        fix_metadata_version=False,
        deterministic_id=True,
    )
    return out.getvalue()
