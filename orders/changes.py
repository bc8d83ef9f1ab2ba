"""What a new copy of a shipment changes, in words for its timeline, and whether it needs a person. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from orders.rules import in_indian_words
from orders.states import HANDED_OVER, is_dispatched_or_later, is_odd_move
from shipcrowd.flipkart.types import Address, Shipment, ShipmentItem, ShipmentType, State
from shipcrowd.work import Attention


class KnownItem(NamedTuple):
    sku: str
    quantity: int
    total_price: Decimal | None
    state_word: str
    title: str
    fsn: str
    hsn: str
    mrp: Decimal | None
    selling_price: Decimal | None
    listing_id: str
    group_id: str
    is_replacement: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A shipment as it is stored, before a new copy is written over it.

    `items` by Flipkart's order item id, `forms` their status by their name, `parcels` as their column holds them.
    """

    id: int
    flipkart_shipment_id: str
    flipkart_order_id: str
    ordered_at: datetime
    state: State
    state_word: str
    is_on_hold: bool
    dispatch_after_at: datetime | None
    dispatch_by_at: datetime | None
    dispatched_at: datetime | None
    was_dispatched_late: bool | None
    deliver_by_at: datetime | None
    flipkart_location_id: str
    payment_type: str
    cod_amount: Decimal | None
    tracking_id: str
    courier: str
    invoice_number: str
    items: Mapping[str, KnownItem]
    buyer_name: str
    buyer_phone: str
    shipping_address: Mapping[str, str] | None
    flipkart_updated_at: datetime | None
    read_began_at: datetime
    read_at: datetime
    label_requested_at: datetime | None
    label_stored_at: datetime | None
    labelled_outside: bool
    packed_at_bench_at: datetime | None
    attention: str
    attention_says: str
    shipment_type: str
    service_tier: str
    packaging_policy: str
    is_multi_parcel: bool
    forms: Mapping[str, str]
    parcels: Sequence[Mapping[str, Any]]


LONGEST_TITLE = 500  # of the column


class Line(NamedTuple):
    """One line of a timeline."""

    kind: str
    says: str


def is_older(known: Known, copy: Shipment, read_began_at: datetime) -> bool:
    """Whether `copy` is an older one than what is stored, which it must not overwrite.

    Flipkart's own time of change decides where both copies carry it and it differs; else when the read began, by the
    database's clock, also against later reads that found nothing changed (guide-gaps 20).
    """
    theirs, ours = copy.updated_at, known.flipkart_updated_at
    if theirs and ours and theirs != ours:
        return theirs < ours
    return read_began_at < max(known.read_began_at, known.read_at)


def lines(known: Known | None, copy: Shipment) -> list[Line]:
    """What the timeline says of the step from `known` to `copy`: nothing of a buyer, amounts and ids only."""
    if known is None:
        says = [_("first seen, %(state)s") % {"state": copy.state_word}]
        if copy.is_on_hold:
            says.append(_("on hold at Flipkart"))
        if any(item.is_replacement for item in copy.items):
            says.append(_("a replacement"))
        return [Line("seen", ", ".join(says))]
    return list(_lines(known, copy))


def _lines(known: Known, copy: Shipment) -> Iterator[Line]:
    if known.state_word != copy.state_word:
        says = f"{known.state_word} → {copy.state_word}"
        if is_odd_move(known.state, copy.state):
            says = _("%(move)s, which should not happen") % {"move": says}
        yield Line("state", says)
    if known.is_on_hold != copy.is_on_hold:
        yield Line("hold", _("held by Flipkart") if copy.is_on_hold else _("released by Flipkart"))
    # Names are translated where a line is written, not at each look.
    for words, before, after in (
        (gettext_noop("ordered"), known.ordered_at, copy.ordered_at or known.ordered_at),
        (gettext_noop("dispatch after"), known.dispatch_after_at, copy.dispatch_after_at),
        (gettext_noop("dispatch by"), known.dispatch_by_at, copy.dispatch_by_at),
        (gettext_noop("deliver by"), known.deliver_by_at, copy.deliver_by_at),
    ):
        if before != after:
            step = {"what": _(words), "now": _time(after), "was": _time(before)}
            yield Line("dates", _("%(what)s %(now)s (was %(was)s)") % step)
    yield from _item_lines(known.items, copy)
    for kind, words, was, now in (
        ("order", gettext_noop("order id"), known.flipkart_order_id, copy.flipkart_order_id),
        ("place", gettext_noop("location"), known.flipkart_location_id, copy.flipkart_location_id),
        ("payment", gettext_noop("payment"), known.payment_type, copy.payment_type.value),
        ("payment", gettext_noop("cash to collect"), known.cod_amount, rupees(copy.cod_amount)),
        ("tracking", gettext_noop("tracking id"), known.tracking_id, copy.tracking_id or known.tracking_id),
        ("tracking", gettext_noop("courier"), known.courier, copy.courier or known.courier),
        ("invoice", gettext_noop("invoice number"), known.invoice_number, copy.invoice_number or known.invoice_number),
        ("type", gettext_noop("shipment type"), known.shipment_type, shipment_type(copy)),
        ("type", gettext_noop("service tier"), known.service_tier, copy.service_tier or known.service_tier),
        ("type", gettext_noop("packaging policy"), known.packaging_policy, copy.packaging_policy),
    ):
        if was != now:
            step = {"what": _(words), "now": _text(now), "was": _text(was)}
            yield Line(kind, (_("%(what)s %(now)s (was %(was)s)") if was else _("%(what)s %(now)s")) % step)
    yield from _form_lines(known.forms, copy)
    yield from _parcel_lines(known, copy)
    if _is_other_buyer(known, copy):
        yield Line("address", _("the buyer's name, phone or address changed"))


def _form_lines(known: Mapping[str, str], copy: Shipment) -> Iterator[Line]:
    wanted = {form.name: form.status for form in copy.forms}
    if list(known) != list(wanted):
        yield Line("forms", _("forms wanted: %(names)s") % {"names": ", ".join(wanted) or _("none")})
    for name, status in wanted.items():
        if name in known and known[name] != status:
            yield Line("forms", f"{name}: {_text(known[name])} → {_text(status)}")


def _parcel_lines(known: Known, copy: Shipment) -> Iterator[Line]:
    if known.is_multi_parcel != copy.is_multi_parcel:
        yield Line(
            "parcels", _("may travel in several parcels") if copy.is_multi_parcel else _("travels as one parcel")
        )
    parcels = parcels_of(copy)
    if known.parcels and len(known.parcels) != len(parcels):
        says = _("travels in %(now)d parcels (was %(was)d)")
        yield Line("parcels", says % {"now": len(parcels), "was": len(known.parcels)})
    before = {parcel["id"]: _sizes(parcel) for parcel in known.parcels}
    for parcel in parcels:
        was, now = before.get(parcel["id"]), _sizes(parcel)
        if was is not None and was != now:
            says = _("parcel {id}: {size} (was {before})")
            yield Line("parcels", says.format(id=parcel["id"], size=_in_words(now), before=_in_words(was)))


def parcels_of(copy: Shipment) -> list[dict[str, Any]]:
    """The parcels of a copy as their column holds them."""
    return [
        {
            "id": part.flipkart_sub_shipment_id,
            "packages": [
                {
                    "sku": package.sku,
                    "title": package.title,
                    "dimensions": {name: str(value) for name, value in asdict(package.dimensions).items()}
                    if package.dimensions
                    else None,
                }
                for package in part.packages
            ],
        }
        for part in copy.sub_shipments
    ]


def _sizes(parcel: Mapping[str, Any]) -> list[dict[str, Decimal] | None]:
    """Of each package of a stored parcel; equal where only the digits after the point differ ("3", "3.0")."""
    return [
        {name: Decimal(value) for name, value in size.items()} if (size := package["dimensions"]) else None
        for package in parcel["packages"]
    ]


def _in_words(sizes: Sequence[Mapping[str, Decimal] | None]) -> str:
    return ", ".join(
        f"{size['length']} × {size['breadth']} × {size['height']} cm, {size['weight']} kg" if size else _("no size")
        for size in sizes
    ) or _("no size")


def shipment_type(copy: Shipment) -> str:
    """As its column holds it."""
    return "" if copy.shipment_type is ShipmentType.UNKNOWN else copy.shipment_type.value


def _item_lines(known: Mapping[str, KnownItem], copy: Shipment) -> Iterator[Line]:
    for item in copy.items:
        before = known.get(item.flipkart_order_item_id)
        if before is None:
            yield Line("items", _("%(sku)s: added, %(count)d of it") % {"sku": item.sku, "count": item.quantity})
            continue
        if before.sku != item.sku:
            yield Line("items", _("%(was)s became %(now)s") % {"was": before.sku, "now": item.sku})
        if before.quantity != item.quantity:
            says = _("%(sku)s: quantity %(was)d → %(now)d")
            yield Line("items", says % {"sku": item.sku, "was": before.quantity, "now": item.quantity})
        for words, was, now in (
            (gettext_noop("price"), before.total_price, rupees(item.total_price)),
            (gettext_noop("selling price"), before.selling_price, rupees(item.selling_price)),
            (gettext_noop("MRP"), before.mrp, rupees(item.mrp)),
            ("FSN", before.fsn, item.fsn),
            ("HSN", before.hsn, item.hsn),
            (gettext_noop("listing id"), before.listing_id, item.flipkart_listing_id),
            (gettext_noop("cancellation group"), before.group_id, item.cancellation_group_id),
        ):
            if was != now:
                yield Line("items", f"{item.sku}: {_(words)} {_text(was)} → {_text(now)}")
        if before.is_replacement != item.is_replacement:
            words = _("{sku}: is a replacement") if item.is_replacement else _("{sku}: is no replacement any more")
            yield Line("items", words.format(sku=item.sku))
        if before.title != item.title[:LONGEST_TITLE]:
            says = _("%(sku)s: its title changed, now “%(title)s”")
            yield Line("items", says % {"sku": item.sku, "title": item.title[:200]})
        # The state of the only item is the shipment's, which has its own line.
        if len(copy.items) > 1 and before.state_word != item.state_word:
            yield Line("items", f"{item.sku}: {before.state_word} → {item.state_word}")
    still_there = {item.flipkart_order_item_id for item in copy.items}
    for item_id in sorted(known.keys() - still_there):
        gone = known[item_id]
        yield Line("items", _("%(sku)s: taken out, %(count)d of it") % {"sku": gone.sku, "count": gone.quantity})


def dispatch_seen(known: Known | None, copy: Shipment, read_began_at: datetime) -> tuple[datetime | None, bool | None]:
    """When the shipment was first seen ready to dispatch, and whether that was after its dispatch-by.

    It happened between the read before and this one: late if the read before was late already, in time if this one
    still is; where the dispatch-by lies between them, nobody can tell (None). A shipment that has left when we meet it
    first tells nothing at all.
    """
    if known is not None and known.dispatched_at is not None:
        return known.dispatched_at, known.was_dispatched_late
    if known is None or not is_dispatched_or_later(copy.state) or is_dispatched_or_later(known.state):
        return None, None
    by = known.dispatch_by_at
    if by is None:
        return read_began_at, None
    if known.read_at > by:
        return read_began_at, True
    return read_began_at, False if read_began_at <= by else None


# Kinds of attention that what Flipkart says raises and takes back; the others belong to fulfillment.
_OURS = frozenset({Attention.PULL, Attention.UNKNOWN_STATE, Attention.ODD_MOVE, Attention.FORM})


def attention_after(known: Known | None, copy: Shipment) -> tuple[str, str]:
    """Kind of attention and its words once `copy` is stored; ("", "") when no person is needed."""
    if known is not None and (pull := _why_pull(known, copy)):
        return Attention.PULL, pull
    if known is not None and known.attention == Attention.PULL and not _is_pull_over(known, copy):
        return known.attention, known.attention_says
    if copy.state is State.UNKNOWN:
        says = _("Flipkart says “%(state)s”, a state that this version does not know")
        return Attention.UNKNOWN_STATE, says % {"state": copy.state_word}
    if copy.state is State.FORM_FAILED:
        names = ", ".join(form.name for form in copy.forms if not form.is_automated) or _("a form")
        return Attention.FORM, _("Flipkart packs it only once %(names)s is acknowledged") % {"names": names}
    if known is None:
        return Attention.NONE, ""
    if is_odd_move(known.state, copy.state):
        says = _("moved from %(was)s to %(now)s, which should not happen")
        return Attention.ODD_MOVE, says % {"was": known.state_word, "now": copy.state_word}
    is_same_odd_one = known.attention == Attention.ODD_MOVE and known.state == copy.state
    if known.attention in _OURS and not is_same_odd_one:
        return Attention.NONE, ""
    return known.attention, known.attention_says


def _why_pull(known: Known, copy: Shipment) -> str:
    """Why a parcel that may stand packed must be taken out. Said at the change only: nobody is asked twice."""
    if known.state in HANDED_OVER or not (known.label_stored_at or known.labelled_outside or known.packed_at_bench_at):
        return ""
    if copy.state is State.CANCELLED:
        return "" if known.state is State.CANCELLED else _("cancelled after its label")
    before = {
        item_id: (item.sku, item.quantity)
        for item_id, item in known.items.items()
        if item.state_word != State.CANCELLED
    }
    after = {item.flipkart_order_item_id: (item.sku, item.quantity) for item in live_items(copy)}
    return _("its items changed since its label") if before != after else ""


def live_items(copy: Shipment) -> Sequence[ShipmentItem]:
    """The items that are to be packed: of a shipment that is cancelled in part, those that are not; else all."""
    return [item for item in copy.items if item.state is not State.CANCELLED] or copy.items


def _is_pull_over(known: Known, copy: Shipment) -> bool:
    """It has left the house, or the cancelling was taken back."""
    return copy.state in HANDED_OVER or (known.state is State.CANCELLED and copy.state is not State.CANCELLED)


def _is_other_buyer(known: Known, copy: Shipment) -> bool:
    """What a copy leaves out is not a change."""
    address = address_fields(copy.shipping_address) if copy.shipping_address else known.shipping_address
    return (copy.buyer_name or known.buyer_name, copy.buyer_phone or known.buyer_phone, address) != (
        known.buyer_name,
        known.buyer_phone,
        known.shipping_address,
    )


def address_fields(address: Address) -> dict[str, str]:
    """An address as it is stored."""
    return asdict(address)


def rupees(amount: Decimal | None) -> Decimal | None:
    """An amount as its column holds it: a server that sums with floats sends 0.30000000000000004."""
    return None if amount is None else amount.quantize(Decimal("0.01"))


def _time(at: datetime | None) -> str:
    return in_indian_words(at) if at else _("not said")


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return f"₹{value:.2f}"
    return str(value) if value not in (None, "") else _("none")
