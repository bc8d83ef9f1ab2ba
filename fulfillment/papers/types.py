"""What passes between the parts: boxes in points, a checked paper, what was cut out of it, and the two ways to fail."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

TRACKING_ID = re.compile(r"(?!OD)[A-Z]{2,5}\d{8,}|\d{11,20}")
PHONE = re.compile(r"(?:91|0)?[6-9]\d{9}")
FoundBy = Literal["line", "text", "fixed box", "whole page"]


class Box(NamedTuple):
    """Left, bottom, right and top in points; the origin is the lower left corner of the page as it is seen."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.top - self.bottom

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    @property
    def is_empty(self) -> bool:
        return self.right < self.left or self.top < self.bottom

    def within(self, other: "Box") -> "Box":
        """The part that both share; `is_empty` when they share none."""
        return Box(
            max(self.left, other.left),
            max(self.bottom, other.bottom),
            min(self.right, other.right),
            min(self.top, other.top),
        )

    def joined(self, other: "Box") -> "Box":
        """The smallest box round both."""
        return Box(
            min(self.left, other.left),
            min(self.bottom, other.bottom),
            max(self.right, other.right),
            max(self.top, other.top),
        )

    def grown(self, by: float) -> "Box":
        return Box(self.left - by, self.bottom - by, self.right + by, self.top + by)


class PaperRefused(Exception):
    """These bytes are no paper that we may keep or print. The text is ours and safe to show."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LabelRefused(PaperRefused):
    """The nth of many (from 1) cannot be printed; the others could."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"label {number} of this stack cannot be read: {reason}")
        self.number = number


class ChildFailed(Exception):
    """The checking process could not do its work at all (it does not start): says nothing about the paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one paper may cost. Sizes in bytes, times in seconds, lengths in points (14,400 is the format's own end)."""

    pdf_bytes: int = 10 * 2**20
    pages: int = 50
    objects: int = 20_000
    depth: int = 32
    side: float = 14_400.0
    image_pixels: int = 40_000_000
    unpacked_bytes: int = 128 * 2**20
    memory_bytes: int = 1024 * 2**20
    cpu_seconds: int = 10
    wall_seconds: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPaper:
    """A whole PDF, made safe. `sizes`: width and height of each page as seen; `stripped`: active content taken out."""

    pdf: bytes = field(repr=False)
    sizes: tuple[tuple[float, float], ...]
    stripped: tuple[str, ...]

    @property
    def pages(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class CutLabel:
    """A label alone: `pdf` holds nothing of the invoice that stood on the same page.

    `box` is where it stood on the first page it was cut from; `texts` the words that can be read in it, in no order to
    rely on (the buyer's name and address among them: not for a log, and not for a column); `as_picture` says that the
    page could only be cut as a picture; `pages_dropped` counts further pages (an invoice going on).
    """

    pdf: bytes = field(repr=False)
    found_by: FoundBy
    box: Box
    texts: tuple[str, ...] = field(repr=False)
    pages: int = 1
    pages_dropped: int = 0
    as_picture: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """Words that look like a tracking id, each once. A bare number of ten digits is not: it may be a phone."""
        return tuple(dict.fromkeys(filter(TRACKING_ID.fullmatch, self.texts)))

    @property
    def tracking_ids(self) -> tuple[str, ...] | None:
        """What in its text may be a tracking id, bare; no phone number. None when it has no text: nobody can tell."""
        if not self.texts:
            return None
        bare = dict.fromkeys(bare_id(word) for word in self.texts)
        return tuple(one for one in bare if TRACKING_ID.fullmatch(one) and not PHONE.fullmatch(one))

    def holds(self, tracking_id: str) -> bool | None:
        """Whether the label's own text holds this tracking id; None when it has no text, so that nobody can tell."""
        if not self.texts:
            return None
        wanted = bare_id(tracking_id)
        return bool(wanted) and any(wanted == bare_id(word) for word in self.texts)


def bare_id(word: str) -> str:
    """Capital letters and digits only, without the heading that may run into it where text is turned.

    "FMPP0000000001AWB" is "FMPP0000000001".
    """
    return re.sub(r"^AWB(NO)?|AWB(NO)?$", "", letters(word))


def letters(word: str) -> str:
    """Its letters and digits alone, in upper case."""
    return re.sub(r"[^0-9A-Z]", "", word.upper())


def holds(tracking_ids: Collection[str] | None, tracking_id: str) -> bool | None:
    """Whether a label whose text holds these is that parcel's; None where nobody can tell."""
    if tracking_ids is None or not tracking_id:
        return None
    return bare_id(tracking_id) in tracking_ids
