"""Serial numbers of the pieces of a shipment (IMEI …), which some categories are not packed without.

Flipkart does not say which categories: a person enters them where they know, or where it has refused to pack. Kept by
Flipkart's own id of the item, since our row of it goes and comes as Flipkart tells it. Source: wire.md 3.4.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fulfillment import queries
from fulfillment.models import LabelRequest, SerialNumbers
from orders import queries as orders
from orders import timeline
from orders.models import Shipment
from orders.states import BEFORE_PACK
from sellers import gateway
from sellers.models import Seller, User
from shipcrowd import audit, work
from shipcrowd.flipkart.types import Abilities, State
from shipcrowd.tenancy import require_scope

KIND = "serials"
LONGEST = 64
MOST_OF_A_PIECE = 5
_NUMBER = re.compile(rf"[A-Za-z0-9][A-Za-z0-9./:_+#-]{{0,{LONGEST - 1}}}\Z")

Pieces = tuple[tuple[str, ...], ...]


class MayNotEnter(Exception):
    """Why no serial numbers are taken for this shipment just now; in words."""


class Wrong(ValueError):
    """What is wrong with what was entered, in words, by Flipkart's id of the item."""

    def __init__(self, by_item: Mapping[str, str]) -> None:
        super().__init__("; ".join(by_item.values()))
        self.by_item = dict(by_item)


def read(text: str) -> Pieces:
    """A line is a piece, commas part its numbers; empty lines say nothing. Pure."""
    lines = ([number.strip() for number in line.split(",")] for line in text.splitlines())
    return tuple(piece for piece in (tuple(filter(None, line)) for line in lines) if piece)


def whats_wrong(pieces: Pieces, *, quantity: int) -> str:
    """Why these are not the numbers of so many pieces, or "". None at all are right: they are not told then. Pure."""
    if not pieces:
        return ""
    if len(pieces) != quantity:
        words = ngettext(
            "{lines} given, and there is {count} piece: one line for each, several numbers of it with commas between",
            "{lines} given, and there are {count} pieces: one line for each, several numbers of it with commas between",
            quantity,
        )
        lines = ngettext("{count} line", "{count} lines", len(pieces)).format(count=len(pieces))
        return words.format(lines=lines, count=quantity)
    for at, piece in enumerate(pieces, start=1):
        if len(piece) > MOST_OF_A_PIECE:
            return _("line {line}: more than {most} numbers of one piece").format(line=at, most=MOST_OF_A_PIECE)
        if not all(map(_NUMBER.match, piece)):
            words = _("line {line}: letters, digits and . / : _ + # - only, at most {longest} of them in a number")
            return words.format(line=at, longest=LONGEST)
    return ""


def said_twice(by_item: Mapping[str, Pieces]) -> set[str]:
    """Numbers that are there more than once, whatever their capitals; in capitals. Pure."""
    counts = Counter(number.upper() for pieces in by_item.values() for piece in pieces for number in piece)
    return {number for number, count in counts.items() if count > 1}


def why_not(shipment: Shipment, request: LabelRequest | None, abilities: Abilities | None) -> str | None:
    """Why no numbers are taken for it, or None. Pure."""
    if abilities is None or not abilities.pack_wants_parcels:
        return _("this connection's format of Flipkart's takes no serial numbers")
    if State(shipment.state) not in BEFORE_PACK:
        return _("Flipkart has packed it already, or it is cancelled")
    if request is not None and (request.in_doubt or request.state in (work.State.CLAIMED, work.State.CALLING)):
        return _("it is being packed just now")
    return None


def enter(*, seller: Seller, shipment_id: int, texts: Mapping[str, str], by: User, now: datetime) -> int | None:
    """Keeps what was entered for its items, by Flipkart's id of each. Raises MayNotEnter, Wrong.

    Gives for how many pieces there are numbers now, None where nothing has changed. What is left empty is forgotten; of
    items that are not named nothing changes.
    """
    require_scope(seller)
    with transaction.atomic():
        found = queries.lock_shipments(seller.pk, [shipment_id])
        if not found:
            raise MayNotEnter(_("there is no such shipment"))
        shipment = found[0]
        request = queries.label_requests(seller, [shipment.pk]).get(shipment.pk)
        if reason := why_not(shipment, request, gateway.abilities_of(seller.pk)):
            raise MayNotEnter(reason)
        kept = of_shipments(seller.pk, [shipment.pk]).get(shipment.pk, {})
        entered = _checked(seller, shipment, texts, kept)
        if all(kept.get(item, ()) == pieces for item, pieces in entered.items()):
            return None
        _write(shipment, entered, by=by, now=now)
        pieces = sum(map(len, (kept | entered).values()))
        words = ngettext("serial numbers of {count} piece", "serial numbers of {count} pieces", pieces)
        timeline.note(seller.pk, [shipment.pk], KIND, words.format(count=pieces), by=by)
        audit.record(by, "entered serial numbers", seller=seller, rows=[shipment.pk])
    return pieces


def of_shipments(seller_id: int, shipment_ids: Collection[int]) -> dict[int, dict[str, Pieces]]:
    """What was entered, by shipment (our keys) and Flipkart's id of the item; in the caller's scope."""
    found: dict[int, dict[str, Pieces]] = {}
    for row in SerialNumbers.objects.filter(seller_id=seller_id, shipment_id__in=shipment_ids).order_by("pk"):
        found.setdefault(row.shipment_id, {})[row.flipkart_order_item_id] = row.pieces
    return found


def _checked(
    seller: Seller, shipment: Shipment, texts: Mapping[str, str], kept: Mapping[str, Pieces]
) -> dict[str, Pieces]:
    """What was entered, checked as a whole: a number is of one piece of the shipment."""
    quantities = {
        item.flipkart_order_item_id: item.quantity
        for item in orders.items(seller, [shipment.pk])
        if not item.is_cancelled
    }
    entered = {item: read(text) for item, text in texts.items()}
    if not entered or not entered.keys() <= quantities.keys():
        raise MayNotEnter(_("its items have changed meanwhile: look again"))
    wrong = {item: whats_wrong(pieces, quantity=quantities[item]) for item, pieces in entered.items()}
    twice = said_twice({item: pieces for item, pieces in (dict(kept) | entered).items() if item in quantities})
    for item, pieces in entered.items():
        here = [number for piece in pieces for number in piece if number.upper() in twice]
        if here and not wrong[item]:
            wrong[item] = _("{number} is there twice: each is of one piece").format(number=here[0])
    if wrong := {item: says for item, says in wrong.items() if says}:
        raise Wrong(wrong)
    return entered


def _write(shipment: Shipment, entered: Mapping[str, Pieces], *, by: User, now: datetime) -> None:
    of_it = SerialNumbers.objects.filter(seller_id=shipment.seller_id, shipment=shipment)
    empty: Sequence[str] = [item for item, pieces in entered.items() if not pieces]
    of_it.filter(flipkart_order_item_id__in=empty).delete()
    for item, pieces in entered.items():
        if pieces:
            SerialNumbers.objects.update_or_create(
                seller_id=shipment.seller_id,
                shipment=shipment,
                flipkart_order_item_id=item,
                defaults={"numbers": pieces, "entered_at": now, "entered_by": by},
            )
