"""Which parcel lies where: the order of a job, its groups, its stacks and who gets them. Pure; nothing is read here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from string import ascii_uppercase
from typing import NamedTuple, TypeVar

from django.utils.translation import gettext as _

from fulfillment.options import Options, Sorting
from orders.models import Shipment
from orders.rules import in_indian_words

T = TypeVar("T")
GroupT = TypeVar("GroupT")

_NEVER = datetime.max.replace(tzinfo=UTC)


class Group(NamedTuple):
    """Parcels that lie together: the place that ships them, and what they have in common."""

    facility_id: int | None
    facility: str
    words: str


class Part(NamedTuple):
    """One stack: its letter, whose it is, and its first parcel among the job's, and the one behind its last."""

    number: int
    letter: str
    packer: str
    start: int
    end: int


def order_of(shipment: Shipment, sorting: str) -> tuple[object, ...]:
    """By what a job is sorted. The last part is unique, so that the same job always lies the same way."""
    place = _place(shipment)
    picking = (shipment.sku_count > 1, shipment.sku, shipment.quantity, shipment.flipkart_shipment_id)
    if sorting == Sorting.DISPATCH_BY:
        return *place, shipment.dispatch_by_at or _NEVER, *picking
    return *place, *picking


def group_of(shipment: Shipment, sorting: str) -> Group:
    facility = shipment.facility.name if shipment.facility else ""
    if sorting == Sorting.FACILITY:
        return Group(shipment.facility_id, facility, "")
    if sorting == Sorting.DISPATCH_BY:
        at = shipment.dispatch_by_at
        words = _("dispatch by %(at)s") % {"at": in_indian_words(at)} if at else _("no dispatch-by")
        return Group(shipment.facility_id, facility, words)
    return Group(shipment.facility_id, facility, _("mixed parcels") if shipment.sku_count > 1 else shipment.sku)


def needs_separator(before: Group | None, after: Group, *, wanted: bool) -> bool:
    """Whether a sheet must lie between two neighbours. Facilities are never mixed without one."""
    if before is None or before == after:
        return False
    return wanted or before.facility_id != after.facility_id


def sheets_between(shipments: Iterable[Shipment]) -> int:
    """How many separators these shipments get in one stack by SKU."""
    groups = {(one.facility_id, None if one.sku_count > 1 else one.sku) for one in shipments}
    return max(0, len(groups) - 1)


def in_groups(things: Sequence[T], group: Callable[[T], GroupT]) -> Iterator[tuple[GroupT, list[T]]]:
    """Neighbours of one group, together."""
    for found, members in groupby(things, group):
        yield found, list(members)


def parts(count: int, options: Options) -> list[Part]:
    """Stacks of at most `stack_size`, or as many as there are packers, as equal as can be; none is empty."""
    sizes = _sizes(count, options)
    starts = [sum(sizes[:at]) for at in range(len(sizes))]
    return [
        Part(
            number=at + 1,
            letter=letter_of(at + 1),
            packer=options.packers[at % len(options.packers)] if options.packers else "",
            start=start,
            end=start + size,
        )
        for at, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]


def letter_of(number: int) -> str:
    """1 is A, 26 is Z, 27 is AA."""
    letters = ""
    while number > 0:
        number, at = divmod(number - 1, 26)
        letters = ascii_uppercase[at] + letters
    return letters


def what_to_take(shipment: Shipment) -> str:
    """What the packer takes: "TS-BLK-M x 2"; of several SKUs only that they are several."""
    if shipment.sku_count > 1:
        return _("%(skus)d SKUs, %(pieces)d pieces") % {"skus": shipment.sku_count, "pieces": shipment.quantity}
    return f"{shipment.sku} x {shipment.quantity}" if shipment.quantity > 1 else shipment.sku


def _sizes(count: int, options: Options) -> list[int]:
    if options.is_split_by_packers and options.packers:
        many = min(len(options.packers), count)
        return [count // many + (at < count % many) for at in range(many)] if many else []
    whole, rest = divmod(count, options.stack_size)
    return [options.stack_size] * whole + ([rest] if rest else [])


def _place(shipment: Shipment) -> tuple[bool, str, int]:
    """Facilities by name; parcels of none come last."""
    return shipment.facility is None, shipment.facility.name if shipment.facility else "", shipment.facility_id or 0
