"""What Flipkart's seller API speaks of, in no wire's words: frozen values, Decimal rupees, aware times.

The shape is that of Flipkart's published API (a shipment has items, a state per item); flat rows are lifted into it.
A text that was absent is "", a time or an amount that was absent is None. `repr` shows ids and no person.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum


class State(StrEnum):
    """Where a shipment or an item stands, in order of its life. UNKNOWN is ours: the word beside it is theirs."""

    APPROVED = "APPROVED"
    READY_TO_PACK = "READY_TO_PACK"
    PACKING_IN_PROGRESS = "PACKING_IN_PROGRESS"
    FORM_FAILED = "FORM_FAILED"
    PACKED = "PACKED"
    READY_TO_DISPATCH = "READY_TO_DISPATCH"
    PICKUP_COMPLETE = "PICKUP_COMPLETE"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    RETURN_REQUESTED = "RETURN_REQUESTED"
    RETURNED = "RETURNED"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def of_word(cls, word: str) -> "State":
        """The state that `word` names exactly, else UNKNOWN: nothing is guessed from a likeness."""
        return cls(word) if word in cls.__members__ else cls.UNKNOWN


class PaymentType(StrEnum):
    PREPAID = "PREPAID"
    COD = "COD"
    UNKNOWN = "UNKNOWN"


class ShipmentType(StrEnum):
    """Who brings it: Flipkart's courier, the same within hours, or the seller's own."""

    NORMAL = "NORMAL"
    EXPRESS = "EXPRESS"
    SELF = "SELF"
    UNKNOWN = "UNKNOWN"


class CancelReason(StrEnum):
    """Why a seller may cancel. Source: wire.md 3.7."""

    CANNOT_PROCURE_ITEM = "cannot_procure_item"
    NOT_ENOUGH_INVENTORY = "not_enough_inventory"
    B2B_ORDER = "b2b_order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a parcel or a bill goes. `repr` shows pincode and state only."""

    name: str = field(default="", repr=False)
    line1: str = field(default="", repr=False)
    line2: str = field(default="", repr=False)
    landmark: str = field(default="", repr=False)
    city: str = field(default="", repr=False)
    state: str = ""
    state_code: str = ""
    pincode: str = ""
    phone: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentItem:
    """One line of a shipment. Rupees: `total_price` of the whole line, `mrp` and `selling_price` of one piece.

    Items that share a `cancellation_group_id` can only be cancelled together. Of a shipment that is cancelled in part
    each item keeps its own state. `service_profile` and `cancellation_reason` are Flipkart's own words.
    """

    flipkart_order_item_id: str
    sku: str
    fsn: str = ""
    hsn: str = ""
    title: str = ""
    quantity: int
    mrp: Decimal | None = None
    selling_price: Decimal | None = None
    total_price: Decimal | None = None
    state: State
    state_word: str
    flipkart_listing_id: str = ""
    payment_type: PaymentType = PaymentType.UNKNOWN
    cancellation_group_id: str = ""
    cancellation_reason: str = ""
    is_replacement: bool = False
    service_profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimensions:
    """Of something packed: centimetres and kilograms."""

    length: Decimal
    breadth: Decimal
    height: Decimal
    weight: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What a listing is packed as, and the size its listing names."""

    flipkart_package_id: str = ""
    sku: str = ""
    title: str = ""
    dimensions: Dimensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubShipment:
    """One parcel of a shipment; most have one, multi-parcel ones several. `dimensions` are those it was packed with."""

    flipkart_sub_shipment_id: str
    tracking_id: str = ""
    courier: str = ""
    dimensions: Dimensions | None = None
    packages: tuple[Package, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A paper that a state wants before a parcel may travel; `status` is Flipkart's own word, "" where not said."""

    name: str
    link: str = field(default="", repr=False)  # may open without a log-in
    is_automated: bool = False
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """The unit of work. `state` and `state_word` are those of its items together (joining.state_of).

    `dispatch_by_at` is always there in the guide's format; None only where a wire does not say it.
    `updated_at` is Flipkart's own time of change, None where the wire has none (guide-gaps 20). `packaging_policy` and
    `service_tier` are Flipkart's own words; the tier is known only to a search that asked for one.
    """

    flipkart_shipment_id: str
    flipkart_order_id: str
    ordered_at: datetime | None
    state: State
    state_word: str
    is_on_hold: bool = False
    dispatch_after_at: datetime | None = None
    dispatch_by_at: datetime | None = None
    deliver_by_at: datetime | None = None
    flipkart_location_id: str = ""
    location_name: str = ""
    payment_type: PaymentType = PaymentType.UNKNOWN
    cod_amount: Decimal | None = None
    tracking_id: str = ""
    courier: str = ""
    invoice_number: str = ""
    items: tuple[ShipmentItem, ...]
    sub_shipments: tuple[SubShipment, ...] = ()
    shipment_type: ShipmentType = ShipmentType.UNKNOWN
    is_multi_parcel: bool = False
    packaging_policy: str = ""
    service_tier: str = ""
    forms: tuple[Form, ...] = ()
    buyer_name: str = field(default="", repr=False)
    buyer_phone: str = field(default="", repr=False)
    shipping_address: Address | None = field(default=None, repr=False)
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingDetails:
    """Tracking and addresses of one shipment; `tracking_id` is "" until it is packed, and the first of several."""

    flipkart_shipment_id: str
    tracking_id: str = ""
    courier: str = ""
    sub_shipments: tuple[SubShipment, ...] = ()
    delivery_address: Address | None = field(default=None, repr=False)
    billing_address: Address | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """The papers of one shipment as they were sent, unchecked; None where there is none (yet).

    `notes` says why a paper that was sent is None ("label: not base64"): in our words, safe to show. `invoice_below`:
    the invoice stands below the label, on its page. `unsplit` is a whole PDF whose pages nobody could tell apart.
    """

    flipkart_shipment_id: str
    label: bytes | None = field(default=None, repr=False)
    invoice: bytes | None = field(default=None, repr=False)
    manifest: bytes | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    invoice_below: bool = False
    unsplit: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Papers of several shipments: `apart`, in the order asked; or `merged`, one PDF with the pages of all of them."""

    apart: tuple[Papers, ...] = ()
    merged: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelItem:
    """A line of a parcel. `tax_rate` in percent; `serial_numbers` are those of each piece (one piece may have two)."""

    flipkart_order_item_id: str
    quantity: int
    tax_rate: Decimal = Decimal(0)
    purchase_price: Decimal | None = None  # of refurbished goods only
    serial_numbers: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelInvoice:
    """Which order a parcel's invoice is for, and its day in India; "" lets Flipkart number it."""

    flipkart_order_id: str
    invoice_date: date
    invoice_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What a request to pack says of a shipment. A wire takes of it what its format wants (Abilities)."""

    flipkart_shipment_id: str
    flipkart_location_id: str = ""
    items: tuple[ParcelItem, ...] = ()
    invoices: tuple[ParcelInvoice, ...] = ()
    sub_shipments: tuple[SubShipment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What a seller cancels of a shipment: whole groups of items."""

    flipkart_shipment_id: str
    flipkart_location_id: str
    cancellation_group_ids: tuple[str, ...]
    reason: CancelReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentForms:
    """The forms of one shipment, each with its status."""

    flipkart_shipment_id: str
    forms: tuple[Form, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgedForm:
    """A form's name and the number under which it was acknowledged."""

    form: str
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The forms of one shipment that a person has acknowledged."""

    flipkart_shipment_id: str
    numbers: tuple[AcknowledgedForm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceItem:
    """A line of a tax invoice; rupees, and rates in percent, None where not said."""

    flipkart_order_item_id: str
    amount: Decimal | None = None
    tax_rate: Decimal | None = None
    cgst_rate: Decimal | None = None
    sgst_rate: Decimal | None = None
    igst_rate: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFacts:
    """What stands on the tax invoice that Flipkart made."""

    flipkart_shipment_id: str
    flipkart_order_id: str
    invoice_number: str
    invoice_date: date | None
    items: tuple[InvoiceItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverCount:
    """How many shipments stand ready for a courier at a location, and when they are picked up."""

    vendor_group: str
    count: int
    is_multi_parcel: bool = False
    pick_up_after: datetime | None = None
    pick_up_before: datetime | None = None
    one_time_code: str = field(default="", repr=False)  # what the courier shows to get them


class SandboxMove(StrEnum):
    """What Flipkart's sandbox lets happen to an order item."""

    HOLD = "hold"
    RELEASE = "release"
    PICK_UP = "pick_up"
    SHIP = "ship"
    DELIVER = "deliver"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOrder:
    """An order that was made for a test."""

    flipkart_order_id: str
    flipkart_order_item_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """The answer for one row of a bulk call; `ok` None: the answer does not say, or says both.

    `code` and `message` are Flipkart's own; no decision reads `message`, and it may name anything: show it to the
    seller's own people only.
    """

    id: str
    ok: bool | None
    code: str = ""
    message: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a grant gave. `expires_in` is their claim; how long to believe it is the wire's word (`token_life`).

    `answered_at` is their clock when they gave it, None where the answer does not say.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: timedelta
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A row that could not be read: its shipment's id where that was readable, else "", and where and what is wrong."""

    flipkart_shipment_id: str
    path: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Shipments of one answer, in Flipkart's order, and the rows that could not be read.

    `marker` is the one this page was asked with (None: the first): a walk resumed from it reads this page again.
    """

    shipments: tuple[Shipment, ...]
    unreadable: tuple[Unreadable, ...] = ()
    marker: str | None = None
    has_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingDetailsPage:
    """Shipping details of one answer, and the rows that could not be read."""

    details: tuple[ShippingDetails, ...]
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormsPage:
    """Forms of one answer, and the rows that could not be read."""

    shipments: tuple[ShipmentForms, ...]
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicesPage:
    """Invoices of one answer, and the rows that could not be read."""

    invoices: tuple[InvoiceFacts, ...]
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many rows one call of each kind carries at most; 0 where there is no such call (Abilities.offers).

    `labels` are asked for, `papers` downloaded.
    """

    page: int
    ids: int
    details: int
    labels: int
    papers: int
    dispatch: int
    cancel: int = 0
    forms: int = 0
    acknowledge: int = 0
    invoices: int = 0
    label_only: int = 0


class Offer(StrEnum):
    """Operations that not every wire has."""

    CANCEL = "cancel"
    FORMS = "forms"
    INVOICES = "invoices"
    LABEL_ONLY = "label_only"
    HANDOVER = "handover"  # counts and manifest
    SANDBOX = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a wire can do, for those who plan the calls.

    `search_by_change`: a search can ask for what changed in a span of time (else: for what was ordered in it).
    `whole_rows`: a row holds all items of its shipment (else: one, and the others may come on the next page).
    `says_change_time`: rows carry Flipkart's own time of change (`Shipment.updated_at`).
    `buyer_in_search`: the search already carries buyer and address (else: shipping details).
    `tracking_in_search`: the search, and a shipment by id, carry tracking id and courier (else: shipping details).
    `papers_apart`: label, invoice and manifest come as papers of their own (else: one merged PDF).
    `pack_wants_parcels`: a request to pack carries items, invoices and sizes (else: ids).
    `packs_later`: a shipment accepted for packing is in progress for a while, and may fail for want of a form.
    `dispatch_by_location`: one dispatch call is for shipments of one location.
    `searchable`: the states that a search can ask for.
    `offers`: operations beyond those that every wire has.
    """

    search_by_change: bool
    whole_rows: bool
    says_change_time: bool
    buyer_in_search: bool
    tracking_in_search: bool
    papers_apart: bool
    pack_wants_parcels: bool
    packs_later: bool
    dispatch_by_location: bool
    searchable: frozenset[State]
    offers: frozenset[Offer] = frozenset()


class Span(StrEnum):
    """Which time of a shipment a search's window is about."""

    ORDERED = "ordered"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A span of time, both ends included."""

    of: Span
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPart:
    """One of the searches that together find shipments in some states; `name` is the wire's own, to be handed back.

    `is_rumour`: a shipment may stand otherwise in another part, so what this one says is read by id before it is
    believed.
    """

    name: str
    states: tuple[State, ...]
    is_rumour: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """A page as decoded, before pages are put together: what follows it, and what is wrong with what follows.

    `next_marker` None and `trouble` "" is the end. `trouble` says why the walk cannot go on although more is claimed.
    """

    shipments: tuple[Shipment, ...]
    unreadable: tuple[Unreadable, ...]
    next_marker: str | None = field(default=None, repr=False)
    trouble: str = ""
    trouble_path: str = ""
