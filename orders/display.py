"""A shipment in the words and tones that lists and its page show. Values in, values out: nothing is read here.

A tone is a colour's name (`good`, `note`, `warn`, `bad`, or empty); its words always say the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders import rules
from orders.models import PaymentType, Shipment, ShipmentItem
from orders.rules import Act
from orders.states import HANDED_OVER, READY
from shipcrowd.flipkart.types import ShipmentType, State
from shipcrowd.work import WorkRow

SOON = timedelta(hours=3)
ITEMS_SHOWN = 2
# Flipkart's own words.
EXPRESS, REGULAR = "EXPRESS", "REGULAR"
ORDINARY_PACKAGING = ("", "NA", "DEFAULT")

_TONES = {
    **dict.fromkeys(READY, "note"),
    **dict.fromkeys(HANDED_OVER, "good"),
    State.PACKED: "note",
    State.CANCELLED: "bad",
    State.FORM_FAILED: "bad",
    State.UNKNOWN: "warn",
    State.RETURN_REQUESTED: "warn",
    State.RETURNED: "warn",
}


@dataclass(frozen=True, slots=True)
class Words:
    says: str
    tone: str = ""
    more: str = ""  # in full, for who points at it


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list. `items` are the first of those to be packed, `more_items` how many are not shown.

    `marks` are what sets it apart from most.
    """

    shipment: Shipment
    deadline: Words
    state: Words
    label: Words
    payment: str
    items: list[ShipmentItem]
    more_items: int
    marks: list[Words]
    troubles: list[Words]


@dataclass(frozen=True, slots=True)
class WantedForm:
    """A paper that a state wants; `link` is where it is to be had, "" where Flipkart did not say."""

    name: str
    link: str


def row(shipment: Shipment, now: datetime) -> Row:
    """`shipment` with its items, its facility and what was asked for it already read."""
    items = list(shipment.items.all())
    wanted = to_pack(items)
    return Row(
        shipment=shipment,
        deadline=deadline(shipment, now),
        state=state(shipment),
        label=label(shipment),
        payment=payment(shipment),
        items=wanted[:ITEMS_SHOWN],
        more_items=max(0, len(wanted) - ITEMS_SHOWN),
        marks=marks(shipment, items),
        troubles=troubles(shipment),
    )


def to_pack(items: Iterable[ShipmentItem]) -> list[ShipmentItem]:
    """Of a shipment that is cancelled in part those that are not; else all."""
    items = list(items)
    return [item for item in items if not item.is_cancelled] or items


def marks(shipment: Shipment, items: Sequence[ShipmentItem]) -> list[Words]:
    """What sets it apart from most shipments, in a word each; most have none."""
    found = []
    if EXPRESS in (shipment.service_tier, shipment.shipment_type):
        found.append(Words(_("Express"), "note", _("Flipkart wants it dispatched sooner than others")))
    elif shipment.service_tier not in ("", REGULAR):
        found.append(Words(_in_words(shipment.service_tier), "note"))
    if shipment.shipment_type == ShipmentType.SELF:
        found.append(Words(_("Own courier"), "note", _("Ships with the seller's own courier")))
    if any(item.is_replacement for item in items):
        found.append(Words(_("Replacement"), "note", _("Sent in place of one that came back")))
    if 0 < (gone := sum(item.is_cancelled for item in items)) < len(items):
        words = ngettext("%(count)d of its items is cancelled", "%(count)d of its items are cancelled", gone)
        found.append(Words(_("Partly cancelled"), "warn", words % {"count": gone}))
    if (parcels := len(shipment.parcels)) > 1:
        found.append(
            Words(_("%(count)d parcels") % {"count": parcels}, "note", _("A label and a tracking id for each"))
        )
    return found


def item_state(item: ShipmentItem, shipment: Shipment) -> Words:
    """Empty where it is what the shipment's own state says."""
    if item.is_cancelled and shipment.state != State.CANCELLED:
        return Words(_("Cancelled"), "bad", _("Not to be packed"))
    return Words("" if item.state_word == shipment.state_word else item.state_word)


def packaging(shipment: Shipment) -> str:
    """What Flipkart asks for, in its own words; "" where it is nothing in particular."""
    policy = shipment.packaging_policy
    return "" if policy in ORDINARY_PACKAGING else _in_words(policy)


def _in_words(word: str) -> str:
    return word.replace("_", " ").capitalize()


def deadline(shipment: Shipment, now: datetime) -> Words:
    """By when it must stand ready: its dispatch-by, or its facility's next pickup where that comes earlier."""
    if not shipment.is_open:
        return Words("")
    at = shipment.dispatch_by_at
    full = date_format(timezone.localtime(at), "D j M Y H:i") if at else ""
    if missed := _missed_pickup(shipment, now):
        return Words(_("not collected at %(time)s") % {"time": _clock(missed, now)}, "bad", full)
    if at is None:
        return Words(_("no deadline given"))
    if State(shipment.state) in READY:
        return Words(when(at, now), "", full)
    if at < now:
        return Words(_("late by %(span)s") % {"span": span(now - at)}, "bad", full)
    facility = shipment.facility
    before = (
        rules.deadline(at, facility.pickup_times if facility else [], facility.holidays if facility else [], now) or at
    )
    return Words(when(before, now), "warn" if before - now < SOON else "", full)


def _missed_pickup(shipment: Shipment, now: datetime) -> datetime | None:
    """The pickup at which a parcel that stood ready was left behind; one that is kept back waits for none."""
    facility = shipment.facility
    is_waiting = shipment.state == State.READY_TO_DISPATCH and not shipment.is_on_hold
    if facility is None or not is_waiting or rules.why_kept_back(shipment):
        return None
    return rules.missed_pickup(shipment.state_changed_at, facility.pickup_times, facility.holidays, now)


def _clock(at: datetime, now: datetime) -> str:
    """ "14:00" of today, with the day else."""
    local = timezone.localtime(at)
    return f"{local:%H:%M}" if local.date() == timezone.localtime(now).date() else rules.in_indian_words(at)


def when(at: datetime, now: datetime) -> str:
    """ "today 18:30", "tomorrow 10:00", "26 Nov 10:00", Indian time."""
    local, today = timezone.localtime(at), timezone.localtime(now).date()
    if local.date() == today:
        return _("today %(time)s") % {"time": f"{local:%H:%M}"}
    if local.date() == today + timedelta(days=1):
        return _("tomorrow %(time)s") % {"time": f"{local:%H:%M}"}
    if local.date() == today - timedelta(days=1):
        return _("yesterday %(time)s") % {"time": f"{local:%H:%M}"}
    return rules.in_indian_words(at)


def span(length: timedelta) -> str:
    """ "20 min", "3 h", "2 days"."""
    minutes = int(length.total_seconds() // 60)
    if minutes < 60:
        return _("%(count)d min") % {"count": minutes}
    if minutes < 48 * 60:
        return _("%(count)d h") % {"count": minutes // 60}
    return ngettext("%(count)d day", "%(count)d days", minutes // 1440) % {"count": minutes // 1440}


def state(shipment: Shipment) -> Words:
    """Flipkart's state; before it stands what keeps the parcel back, because nothing may be done meanwhile."""
    known = State(shipment.state)
    if known is State.UNKNOWN:
        return Words(_("unknown: %(word)s") % {"word": shipment.state_word}, "warn")
    if shipment.set_aside_at and shipment.is_open:
        return Words(
            _("Set aside: %(reason)s") % {"reason": shipment.set_aside_reason}, "warn", shipment.get_state_display()
        )
    if shipment.is_on_hold and shipment.is_open:
        return Words(_("On hold"), "warn", shipment.get_state_display())
    return Words(shipment.get_state_display(), _TONES.get(known, ""))


def label(shipment: Shipment) -> Words:
    if shipment.printed_at:
        return Words(_("printed"), "good", date_format(timezone.localtime(shipment.printed_at), "D j M H:i"))
    if shipment.label_stored_at:
        return Words(_("ready"), "note")
    if shipment.labelled_outside:
        return Words(_("made outside"), "", _("Packed in Flipkart's own panel; print its label there"))
    if shipment.label_requested_at and any(row.is_open for row in shipment.label_requests.all()):
        return Words(_("fetching"), "warn")
    return Words(_("none"))


def troubles(shipment: Shipment) -> list[Words]:
    """Why a person is needed: for the shipment itself, for its label, for its dispatch."""
    found = [Words(shipment.get_attention_display(), "bad", shipment.attention_says)] if shipment.attention else []
    asked = [
        *shipment.label_requests.all(),
        *shipment.dispatches.all(),
        *shipment.cancellations.all(),
        *shipment.form_acks.all(),
    ]
    return found + [Words(row.get_attention_display(), "bad", row.says) for row in asked if row.attention]


def place_in_print(letter: str, page: int, asked_at: datetime) -> str:
    """ "stack B, page 31, job of 24 Nov 12:40": where a person finds the label that was printed."""
    words = {"letter": letter, "page": page, "at": rules.in_indian_words(asked_at)}
    return _("stack %(letter)s, page %(page)d, job of %(at)s") % words


def payment(shipment: Shipment) -> str:
    if shipment.payment_type == PaymentType.COD and shipment.cod_amount is not None:
        return f"COD {rupees(shipment.cod_amount)}"
    return str(shipment.get_payment_type_display())


def rupees(amount: Decimal | None) -> str:
    """ "₹1,23,456.50": lakhs and crores as India writes them; paise only where there are any."""
    if amount is None:
        return ""
    whole, paise = f"{abs(amount):.2f}".split(".")
    head, tail = whole[:-3], whole[-3:]
    while len(head) > 2:
        head, tail = head[:-2], f"{head[-2:]},{tail}"
    grouped = f"{head},{tail}" if head else tail
    return f"{'-' if amount < 0 else ''}₹{grouped}{'' if paise == '00' else '.' + paise}"


def acts_open(shipment: Shipment, now: datetime, *, label_row: WorkRow | None) -> list[tuple[Act, str, str]]:
    """(act, its name, why not or empty) for the three acts, in the order of the day; `label_row` asks for its label."""
    names = {Act.LABEL: _("Request label"), Act.PRINT: _("Print label"), Act.DISPATCH: _("Ready to dispatch")}
    against = {act: rules.why_not(shipment, act, now) for act in (Act.PRINT, Act.DISPATCH)}
    if label_row is not None and label_row.is_open:
        against[Act.LABEL] = _("its label is already asked for")
    else:
        against[Act.LABEL] = rules.why_not_label(shipment, now, is_asked=label_row is not None)
    return [(act, name, against[act] or "") for act, name in names.items()]


def forms(shipment: Shipment) -> list[WantedForm]:
    """The forms that a person must get and acknowledge before Flipkart packs on."""
    return [WantedForm(form["name"], _safe_link(form.get("link", ""))) for form in rules.forms_wanted(shipment.forms)]


def _safe_link(link: str) -> str:
    """What came from outside is a link only where it leads to a page; "" else."""
    return link if link.startswith(("https://", "http://")) else ""


def masked_name(name: str) -> str:
    """ "Asha Rao" is "A… R…"."""
    return " ".join(f"{word[0]}…" for word in name.split())


def masked_phone(phone: str) -> str:
    """The last two digits only."""
    return f"•••••••• {phone[-2:]}" if len(phone) > 4 else ""


def masked_address(address: Mapping[str, str] | None) -> dict[str, str]:
    """What is left for those whose work needs no more: city, state and pincode."""
    return {key: (address or {}).get(key, "") for key in ("city", "state", "pincode")}
