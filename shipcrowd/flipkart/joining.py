"""Several copies of one shipment into one: rows of the same shipment with different items, on one page or on two."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from shipcrowd.flipkart.types import Shipment, ShipmentItem, State

# How far along a state is; PICKUP_COMPLETE and beyond are out of the house.
_ORDER = {state: place for place, state in enumerate(State)}


class Contradiction(ValueError):
    """Two rows of one shipment that cannot both be true; `field_name` is ours."""

    def __init__(self, field_name: str) -> None:
        super().__init__(field_name)
        self.field_name = field_name


def join(earlier: Shipment, later: Shipment) -> Shipment:
    """One shipment of two copies with the same id: all items of both; of the same item, the later copy (guide-gaps 22).

    What belongs to the shipment is taken from the later copy, and where both speak and differ, what makes us more
    careful: held if any row is held, due at the earliest time, not before the latest. Raises Contradiction when the
    rows name different orders or locations.
    """
    for name in ("flipkart_order_id", "flipkart_location_id"):
        if getattr(earlier, name) != getattr(later, name):
            raise Contradiction(name)
    is_repetition = {item.flipkart_order_item_id for item in later.items} >= {
        item.flipkart_order_item_id for item in earlier.items
    }
    if is_repetition:
        return later
    items = tuple({item.flipkart_order_item_id: item for item in (*earlier.items, *later.items)}.values())
    state, state_word = state_of(items)
    by = [at for at in (earlier.dispatch_by_at, later.dispatch_by_at) if at]
    after = [at for at in (earlier.dispatch_after_at, later.dispatch_after_at) if at]
    return replace(
        later,
        items=items,
        state=state,
        state_word=state_word,
        is_on_hold=earlier.is_on_hold or later.is_on_hold,
        dispatch_by_at=min(by, default=None),
        dispatch_after_at=max(after, default=None),
        cod_amount=_cod_amount(earlier, later, items),
        tracking_id=later.tracking_id or earlier.tracking_id,
        courier=later.courier or earlier.courier,
        invoice_number=later.invoice_number or earlier.invoice_number,
    )


def merge(earlier: Shipment, later: Shipment) -> Shipment:
    """One shipment of two whole copies in one answer, of which one may hold only what was cancelled of it.

    All items of both; the rest from the copy that lives, else from the later one. Raises Contradiction as `join` does.
    """
    for name in ("flipkart_order_id", "flipkart_location_id"):
        if getattr(earlier, name) != getattr(later, name):
            raise Contradiction(name)
    items = live_first((*earlier.items, *later.items))
    state, state_word = state_of(items)
    is_gone = later.state is State.CANCELLED and earlier.state is not State.CANCELLED
    return replace(earlier if is_gone else later, items=items, state=state, state_word=state_word)


def live_first(items: Sequence[ShipmentItem]) -> tuple[ShipmentItem, ...]:
    """Each item once, in order: of two copies the one that is not cancelled, else the later.

    A buyer may cancel one of three pieces: the two stand beside the one under the same id (wire.md 3.7).
    """
    found: dict[str, ShipmentItem] = {}
    for item in items:
        earlier = found.get(item.flipkart_order_item_id, item)
        lives_on = item.state is State.CANCELLED and earlier.state is not State.CANCELLED
        found[item.flipkart_order_item_id] = earlier if lives_on else item
    return tuple(found.values())


def state_of(items: Sequence[ShipmentItem]) -> tuple[State, str]:
    """State and word of a shipment with these items: what holds for all of them.

    An unknown word on any item is the shipment's. Cancelled items do not count while others live. Else the item that
    is least far: a shipment is packed when all of it is.
    """
    unknown = [item for item in items if item.state is State.UNKNOWN]
    alive = [item for item in items if item.state is not State.CANCELLED]
    speaks = unknown[0] if unknown else min(alive or items, key=lambda item: _ORDER[item.state])
    return speaks.state, speaks.state_word


def _cod_amount(earlier: Shipment, later: Shipment, items: Sequence[ShipmentItem]) -> Decimal | None:
    """Cash to collect for the joined items: amounts of rows with different items add up (guide-gaps 13 and 22).

    Where the copies overlap, only amounts that are the sum of their lines can be put together; else nobody knows.
    """
    if earlier.cod_amount is None or later.cod_amount is None:
        return later.cod_amount if earlier.cod_amount is None else earlier.cod_amount
    if len(items) == len(earlier.items) + len(later.items):
        return earlier.cod_amount + later.cod_amount
    if earlier.cod_amount == _total(earlier.items) and later.cod_amount == _total(later.items):
        return _total(items)
    return None


def _total(items: Sequence[ShipmentItem]) -> Decimal | None:
    prices = [item.total_price for item in items if item.total_price is not None]
    return sum(prices, Decimal(0)) if len(prices) == len(items) else None
