"""Package sizes: what somebody measured of a SKU, entered one by one or as the lines of a spreadsheet."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef
from django.utils.translation import gettext as _

from fulfillment.models import PackageSize
from orders.exporting import BYTE_ORDER_MARK, defused
from orders.models import ShipmentItem
from orders.states import BEFORE_PACK
from sellers import gateway
from sellers.models import Seller, User
from shipcrowd import audit
from shipcrowd.flipkart.types import Dimensions, State
from shipcrowd.tenancy import require_scope, seller_scope

HEAD = ("sku", "length_cm", "breadth_cm", "height_cm", "weight_kg")
NAMES = ("length", "breadth", "height", "weight")
LONGEST_SKU = 128
# More than any parcel that a courier takes: grams that were entered as kilograms, millimetres as centimetres.
MOST = {"length": Decimal(500), "breadth": Decimal(500), "height": Decimal(500), "weight": Decimal(300)}
PLACES = {"length": 2, "breadth": 2, "height": 2, "weight": 3}
MOST_LINES = 20_000
BATCH = 5000  # rows of one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Sizes by SKU as the lines tell them, and what is wrong with which line."""

    sizes: Mapping[str, Dimensions] = field(default_factory=dict)
    wrong: Sequence[str] = ()


class Wanted(NamedTuple):
    """A SKU that is waiting to be packed and has no size; `last` is as what one piece of it was packed last, if known.

    That is a suggestion: nothing is packed by it before a person has entered it.
    """

    sku: str
    shipments: int
    last: Dimensions | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """As a line of the table, empty where somebody must measure."""
        return (self.sku, *(str(getattr(self.last, name)) if self.last else "" for name in NAMES))


def enter(*, seller: Seller, sizes: Mapping[str, Dimensions], by: User, now: datetime) -> None:
    """The sizes of these SKUs from now on, whatever they were; in the seller's scope."""
    require_scope(seller)
    rows = [
        PackageSize(
            seller=seller,
            sku=sku,
            length=size.length,
            breadth=size.breadth,
            height=size.height,
            weight=size.weight,
            entered_at=now,
            entered_by=by,
        )
        for sku, size in sorted(sizes.items())
    ]
    PackageSize.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["seller", "sku"],
        update_fields=[*NAMES, "entered_at", "entered_by"],
        batch_size=BATCH,
    )
    audit.record(by, "entered package sizes", seller=seller, rows=[row.sku for row in rows])


def of(seller: Seller, *, most: int) -> list[PackageSize]:
    require_scope(seller)
    return list(PackageSize.objects.filter(seller=seller).order_by("sku")[:most])


def wanted(seller: Seller, *, most: int) -> list[Wanted]:
    """What must be measured first, the most shipments first; nothing where Flipkart does not ask. In the scope."""
    abilities = gateway.abilities_of(seller.pk)
    if abilities is None or not abilities.pack_wants_parcels:
        return []
    known = PackageSize.objects.filter(seller=seller, sku=OuterRef("sku"))
    items = ShipmentItem.objects.filter(
        ~Exists(known), seller=seller, shipment__is_open=True, shipment__state__in=BEFORE_PACK
    ).exclude(state_word=State.CANCELLED)
    counts = items.values_list("sku").annotate(shipments=Count("shipment_id", distinct=True))
    found = list(counts.order_by("-shipments", "sku")[:most])
    last = _last_packed(seller, [sku for sku, _count in found])
    return [Wanted(sku, count, last.get(sku)) for sku, count in found]


def _last_packed(seller: Seller, skus: Collection[str]) -> dict[str, Dimensions]:
    """As what a single piece of each SKU was packed last, wherever that was done: it is the size of one."""
    items = ShipmentItem.objects.filter(
        seller=seller,
        sku__in=skus,
        quantity=1,
        shipment__sku_count=1,
        shipment__quantity=1,
        shipment__packed_sizes__0__isnull=False,
        shipment__packed_sizes__1__isnull=True,
    )
    newest = items.order_by("sku", "-shipment__ordered_at", "-pk").distinct("sku")
    rows = newest.values_list("sku", "shipment__packed_sizes")
    return {sku: Dimensions(**{name: Decimal(told[0][name]) for name in NAMES}) for sku, told in rows if told}


def lines(seller: Seller) -> Iterator[str]:
    """All of them as CSV, which `read` takes back unchanged; outside of any scope."""
    with seller_scope(seller):
        rows = list(PackageSize.objects.filter(seller=seller).order_by("sku"))
    yield BYTE_ORDER_MARK + ",".join(HEAD) + "\r\n"
    for row in rows:
        cells = (defused(row.sku), *(str(getattr(row, name)) for name in NAMES))
        yield _as_line(cells)


def wanted_lines(seller: Seller) -> Iterator[str]:
    """What must be measured as CSV, to be filled in and sent back; outside of any scope."""
    with seller_scope(seller):
        rows = wanted(seller, most=MOST_LINES)
    yield BYTE_ORDER_MARK + ",".join(HEAD) + "\r\n"
    for row in rows:
        yield _as_line((defused(row.sku), *row.cells[1:]))


def as_text(rows: Sequence[Wanted]) -> str:
    """The same lines, for a box to type in."""
    return "".join(_as_line(row.cells) for row in rows).replace("\r\n", "\n")


def read(text: str) -> Read:
    """The lines of a spreadsheet: SKU, length, breadth, height, weight; a head, if there is one, is let pass. Pure."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    first = text.split("\n", 1)[0]
    delimiter = next((one for one in ("\t", ";") if one in first), ",")
    sizes: dict[str, Dimensions] = {}
    wrong: list[str] = []
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for number, cells in enumerate(rows, start=1):
            if number > MOST_LINES:
                return Read(wrong=[_("more than {most} lines: send them in parts").format(most=MOST_LINES)])
            cells = [cell.strip() for cell in cells]
            if not any(cells) or (number == 1 and cells[0].casefold() in ("sku", "sku id")):
                continue
            found, trouble = _size_of(cells)
            if found is None:
                wrong.append(_("line {number}: {trouble}").format(number=number, trouble=trouble))
            elif found[0] in sizes:
                wrong.append(_("line {number}: {sku} stands there twice").format(number=number, sku=found[0]))
            else:
                sizes[found[0]] = found[1]
    except csv.Error as error:
        return Read(wrong=[_("these are no lines of a spreadsheet ({error})").format(error=error)])
    return Read(wrong=wrong) if wrong else Read(sizes=sizes)


def _size_of(cells: Sequence[str]) -> tuple[tuple[str, Dimensions] | None, str]:
    if len(cells) != len(HEAD):
        return None, _("wants {wanted} columns ({names}), has {found}").format(
            wanted=len(HEAD), names=", ".join(HEAD), found=len(cells)
        )
    sku = _undefused(cells[0])
    if not sku or len(sku) > LONGEST_SKU:
        return None, _("sku: must be 1 to {most} characters").format(most=LONGEST_SKU)
    values = {}
    for column, name, text in zip(HEAD[1:], NAMES, cells[1:], strict=True):
        value = _number(text, places=PLACES[name])
        if value is None or not 0 < value <= MOST[name]:
            return None, _("{column}: must be more than 0 and at most {most}, with at most {places} decimals").format(
                column=column, most=MOST[name], places=PLACES[name]
            )
        values[name] = value
    return (sku, Dimensions(**values)), ""


def _number(text: str, *, places: int) -> Decimal | None:
    try:
        value = Decimal(text)
        return value if value.is_finite() and value == round(value, places) else None
    except InvalidOperation:  # no number, or far too large a one
        return None


def _undefused(cell: str) -> str:
    """As it was before the file was made safe for a spreadsheet."""
    return cell[1:] if cell.startswith("'") and defused(cell[1:]) == cell else cell


def _as_line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
