"""What the world holds: seller accounts, their facilities and shipments, and the moves that are legal.

Times are aware UTC, money is whole rupees with GST.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shipcrowd.simulator.places import Goods, Place

IST = ZoneInfo("Asia/Kolkata")
COURIER = "EKART"


class State(StrEnum):
    """States of guide 2.1, and the two of a return."""

    APPROVED = "APPROVED"
    READY_TO_PACK = "READY_TO_PACK"
    PACKED = "PACKED"
    READY_TO_DISPATCH = "READY_TO_DISPATCH"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"
    RETURN_REQUESTED = "RETURN_REQUESTED"
    RETURNED = "RETURNED"


BEFORE_PACK = (State.APPROVED, State.READY_TO_PACK)

#: Every legal move. A buyer may cancel until the courier has the parcel.
MOVES: dict[State, frozenset[State]] = {
    State.APPROVED: frozenset({State.READY_TO_PACK, State.PACKED, State.CANCELLED}),
    State.READY_TO_PACK: frozenset({State.PACKED, State.CANCELLED}),
    State.PACKED: frozenset({State.READY_TO_DISPATCH, State.CANCELLED}),
    State.READY_TO_DISPATCH: frozenset({State.SHIPPED, State.CANCELLED}),
    State.SHIPPED: frozenset({State.DELIVERED, State.RETURN_REQUESTED}),
    State.DELIVERED: frozenset({State.RETURN_REQUESTED}),
    State.RETURN_REQUESTED: frozenset({State.RETURNED}),
    State.CANCELLED: frozenset(),
    State.RETURNED: frozenset(),
}


class Refusal(Exception):
    """The world does not do that; `code` is what the API answers for the row."""

    def __init__(self, code: str, says: str) -> None:
        super().__init__(says)
        self.code = code


class Key(NamedTuple):
    """Where a shipment stands in a search: by order date, then by the order of arrival."""

    ordered_at: float
    number: int


@dataclass(slots=True, kw_only=True)
class Item:
    """One line of a shipment; its state on the wire is the shipment's."""

    order_item_id: str
    goods: Goods
    quantity: int

    @property
    def total_price(self) -> int:
        return self.goods.selling_price * self.quantity


@dataclass(slots=True, kw_only=True)
class Facility:
    facility_id: str
    name: str
    place: Place
    street: str


@dataclass(slots=True, kw_only=True)
class Shipment:
    """One shipment. `approved_at` in the future: not yet to be seen by the seller."""

    shipment_id: str
    order_id: str
    number: int
    facility: Facility
    state: State
    is_cod: bool
    items: list[Item]
    ordered_at: datetime
    approved_at: datetime
    dispatch_after_at: datetime
    dispatch_by_at: datetime
    deliver_by_at: datetime
    serial_number: str
    buyer_name: str
    phone: str
    address_line1: str
    address_line2: str
    landmark: str
    place: Place
    is_on_hold: bool = False
    tracking_id: str = ""
    invoice_number: str = ""
    packed_at: datetime | None = None
    label_ready_at: datetime | None = None

    @property
    def key(self) -> Key:
        return Key(self.ordered_at.timestamp(), self.number)

    @property
    def total_price(self) -> int:
        return sum(item.total_price for item in self.items)


@dataclass(slots=True, kw_only=True, repr=False)
class Account:
    """One seller account at Flipkart, with the credentials of its own self-access application."""

    account_id: str
    name: str
    client_id: str
    client_secret: str
    gstin: str
    place: Place
    street: str
    facilities: list[Facility] = field(default_factory=list)
    goods: list[Goods] = field(default_factory=list)
    shipments: dict[str, Shipment] = field(default_factory=dict)
    by_number: dict[int, Shipment] = field(default_factory=dict)
    index: dict[State, list[Key]] = field(default_factory=lambda: {state: [] for state in State})

    def __repr__(self) -> str:
        return f"<Account {self.account_id} {self.name}>"

    @property
    def facility_ids(self) -> list[str]:
        return [facility.facility_id for facility in self.facilities]

    def counts(self) -> dict[State, int]:
        return {state: len(keys) for state, keys in self.index.items() if keys}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The filter of guide 2.1; `is_cod` None is either, no states or no skus is any."""

    states: Sequence[State] = ()
    ordered_from: datetime | None = None
    ordered_until: datetime | None = None
    is_cod: bool | None = None
    skus: Collection[str] = ()
