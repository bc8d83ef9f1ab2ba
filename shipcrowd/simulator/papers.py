"""What stands on a shipment's papers, worked out and copied, so that it can be drawn without the world's lock."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from shipcrowd.simulator.accounts import IST, Account, Facility, Item, Shipment
from shipcrowd.simulator.places import Goods, Place

PAISE = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the invoice; amounts in rupees, the taxable value and the taxes add up to the total."""

    goods: Goods
    quantity: int
    total: Decimal
    taxable: Decimal
    igst: Decimal
    cgst: Decimal
    sgst: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What stands on the papers of one shipment, copied so that it can be drawn without the world's lock."""

    shipment_id: str
    order_id: str
    tracking_id: str
    invoice_number: str
    is_cod: bool
    ordered_at: datetime
    invoiced_at: datetime
    printed_at: datetime
    dispatch_by_at: datetime
    deliver_by_at: datetime
    seller_name: str
    gstin: str
    facility: Facility
    buyer_name: str
    address: tuple[str, ...]
    place: Place
    lines: tuple[Line, ...]

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def is_within_state(self) -> bool:
        return self.facility.place.gst_code == self.place.gst_code


def papers_for(account: Account, shipment: Shipment) -> list[Paper]:
    """One for each parcel that the shipment travels in, each with its own tracking id."""
    paper = paper_for(account, shipment)
    return [replace(paper, tracking_id=tracking_id) for tracking_id in shipment.tracking_ids or [paper.tracking_id]]


def paper_for(account: Account, shipment: Shipment) -> Paper:
    """A copy of a packed shipment. "Printed at" is when its label became ready: a second copy is the same file."""
    within = shipment.facility.place.gst_code == shipment.place.gst_code
    packed_at = shipment.packed_at or shipment.ordered_at
    return Paper(
        shipment_id=shipment.shipment_id,
        order_id=shipment.order_id,
        tracking_id=shipment.tracking_id,
        invoice_number=shipment.invoice_number,
        is_cod=shipment.is_cod,
        ordered_at=shipment.ordered_at.astimezone(IST),
        invoiced_at=packed_at.astimezone(IST),
        printed_at=(shipment.label_ready_at or packed_at).astimezone(IST),
        dispatch_by_at=shipment.dispatch_by_at.astimezone(IST),
        deliver_by_at=shipment.deliver_by_at.astimezone(IST),
        seller_name=account.name,
        gstin=shipment.facility.place.gst_code + account.gstin[2:],
        facility=shipment.facility,
        buyer_name=shipment.buyer_name,
        address=tuple(text for text in (shipment.address_line1, shipment.address_line2, shipment.landmark) if text),
        place=shipment.place,
        lines=tuple(_line(item, within=within) for item in shipment.live_items or shipment.items),
    )


def _line(item: Item, *, within: bool) -> Line:
    """Prices include GST: the taxable value is what is left, and the parts add up to the paisa."""
    total = Decimal(item.total_price)
    taxable = (total * 100 / (100 + item.goods.gst_rate)).quantize(PAISE, ROUND_HALF_UP)
    tax = total - taxable
    cgst = (tax / 2).quantize(PAISE, ROUND_HALF_UP) if within else Decimal(0)
    return Line(
        goods=item.goods,
        quantity=item.shown,
        total=total,
        taxable=taxable,
        igst=Decimal(0) if within else tax,
        cgst=cgst,
        sgst=tax - cgst if within else Decimal(0),
    )
