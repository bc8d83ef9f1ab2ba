"""What the world holds: seller accounts, their facilities and shipments, and the moves that are legal.

Times are aware UTC, money is whole rupees with GST.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import md5
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from shipcrowd.simulator.places import Goods, Place

IST = ZoneInfo("Asia/Kolkata")
COURIER = "EKART"


class State(StrEnum):
    """States of guide 2.1, those that only Flipkart's published format has (wire.md 3.1), and the two of a return."""

    APPROVED = "APPROVED"
    READY_TO_PACK = "READY_TO_PACK"
    PACKING_IN_PROGRESS = "PACKING_IN_PROGRESS"
    FORM_FAILED = "FORM_FAILED"
    PACKED = "PACKED"
    READY_TO_DISPATCH = "READY_TO_DISPATCH"
    PICKUP_COMPLETE = "PICKUP_COMPLETE"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"
    RETURN_REQUESTED = "RETURN_REQUESTED"
    RETURNED = "RETURNED"


BEFORE_PACK = (State.APPROVED, State.READY_TO_PACK)

#: Every legal move. A buyer may cancel until the courier has the parcel.
MOVES: dict[State, frozenset[State]] = {
    State.APPROVED: frozenset({State.READY_TO_PACK, State.PACKING_IN_PROGRESS, State.PACKED, State.CANCELLED}),
    State.READY_TO_PACK: frozenset({State.PACKING_IN_PROGRESS, State.PACKED, State.CANCELLED}),
    State.PACKING_IN_PROGRESS: frozenset({State.FORM_FAILED, State.PACKED, State.CANCELLED}),
    State.FORM_FAILED: frozenset({State.PACKING_IN_PROGRESS, State.CANCELLED}),
    State.PACKED: frozenset({State.READY_TO_DISPATCH, State.CANCELLED}),
    State.READY_TO_DISPATCH: frozenset({State.PICKUP_COMPLETE, State.SHIPPED, State.CANCELLED}),
    State.PICKUP_COMPLETE: frozenset({State.SHIPPED}),
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
    """One line of a shipment; its state on the wire is the shipment's, unless all its pieces are cancelled."""

    order_item_id: str
    goods: Goods
    quantity: int  # as ordered
    cancelled: int = 0
    cancelled_by: str = ""  # seller, buyer or marketplace
    cancelled_at: datetime | None = None
    wants_serials: bool = False  # its category is packed only with the serial numbers of each piece (wire.md 3.4)
    serial_numbers: list[list[str]] = field(default_factory=list)

    @property
    def is_cancelled(self) -> bool:
        return self.cancelled >= self.quantity

    @property
    def shown(self) -> int:
        """The pieces that are left; of an item that is cancelled whole, those that were."""
        return self.quantity if self.is_cancelled else self.quantity - self.cancelled

    @property
    def total_price(self) -> int:
        return self.goods.selling_price * self.shown


@dataclass(slots=True, kw_only=True)
class Facility:
    facility_id: str
    name: str
    place: Place
    street: str

    @property
    def official_id(self) -> str:
        """The locationId of Flipkart's published format."""
        return f"LOC{md5(self.facility_id.encode(), usedforsecurity=False).hexdigest()}"


@dataclass(slots=True, kw_only=True)
class Form:
    """A paper that a state wants before the parcel may travel; acknowledged by its number."""

    name: str
    link: str
    is_automated: bool = False
    ack_number: str = ""


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
    # What only Flipkart's published format tells (wire.md 3.1).
    parcels: int = 1
    shipment_type: str = "NORMAL"
    service_tier: str = "REGULAR"
    packaging_policy: str = "DEFAULT"
    is_replacement: bool = False
    forms: list[Form] = field(default_factory=list)
    packing_until: datetime | None = None
    sizes: list[dict[str, float]] = field(default_factory=list)  # of each parcel, as told when it was packed
    papers_fetched: bool = False
    changed_at: datetime | None = None

    @property
    def official_id(self) -> str:
        """The shipmentId of Flipkart's published format."""
        return str(uuid5(NAMESPACE_URL, self.shipment_id))

    @property
    def tracking_ids(self) -> list[str]:
        """One a parcel, none before it is packed."""
        if not self.tracking_id:
            return []
        others = (f"FMPP{2_700_000_000 + self.number * 10 + at}" for at in range(1, self.parcels))
        return [self.tracking_id, *others]

    @property
    def live_items(self) -> list[Item]:
        return [item for item in self.items if not item.is_cancelled]

    @property
    def wants_forms(self) -> bool:
        """Whether a form is left that somebody must acknowledge."""
        return any(not form.is_automated and not form.ack_number for form in self.forms)

    def cancellation_group(self, item: Item) -> str:
        return f"grp{self.official_item_id(item)}"

    def official_item_id(self, item: Item) -> str:
        """Seventeen digits that tell the shipment and the line."""
        return f"4{self.number:013d}{int(item.order_item_id):03d}"

    @property
    def key(self) -> Key:
        return Key(self.ordered_at.timestamp(), self.number)

    @property
    def total_price(self) -> int:
        return sum(item.total_price for item in self.live_items or self.items)


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
    by_official_id: dict[str, Shipment] = field(default_factory=dict)
    index: dict[State, list[Key]] = field(default_factory=lambda: {state: [] for state in State})

    def __repr__(self) -> str:
        return f"<Account {self.account_id} {self.name}>"

    def add(self, shipment: Shipment) -> None:
        """Make it known by all its ids; who adds puts its key into the index."""
        self.shipments[shipment.shipment_id] = shipment
        self.by_number[shipment.number] = shipment
        self.by_official_id[shipment.official_id] = shipment

    def shipment_of_item(self, official_item_id: str) -> tuple[Shipment, Item]:
        """By an order item's id in the published format. Raises Refusal."""
        number = official_item_id[1:14]
        shipment = self.by_number.get(int(number)) if number.isdigit() else None
        for item in shipment.items if shipment else ():
            if shipment and shipment.official_item_id(item) == official_item_id:
                return shipment, item
        raise Refusal("INVALID_ITEM_ID", "no such order item")

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
