"""Places that ship: what only the seller knows of them, and what they tell about the Flipkart account."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from sellers.access_tokens import NotConnected, stop
from sellers.models import Connection, Facility, MemberFacility, Seller, Standing, User
from shipcrowd import audit
from shipcrowd.tenancy import require_scope, seller_scope, through_door

# The first two digits of a GSTIN (GST state codes).
STATES = {
    "01": "Jammu and Kashmir",
    "02": "Himachal Pradesh",
    "03": "Punjab",
    "04": "Chandigarh",
    "05": "Uttarakhand",
    "06": "Haryana",
    "07": "Delhi",
    "08": "Rajasthan",
    "09": "Uttar Pradesh",
    "10": "Bihar",
    "11": "Sikkim",
    "12": "Arunachal Pradesh",
    "13": "Nagaland",
    "14": "Manipur",
    "15": "Mizoram",
    "16": "Tripura",
    "17": "Meghalaya",
    "18": "Assam",
    "19": "West Bengal",
    "20": "Jharkhand",
    "21": "Odisha",
    "22": "Chhattisgarh",
    "23": "Madhya Pradesh",
    "24": "Gujarat",
    "26": "Dadra and Nagar Haveli and Daman and Diu",
    "27": "Maharashtra",
    "29": "Karnataka",
    "30": "Goa",
    "31": "Lakshadweep",
    "32": "Kerala",
    "33": "Tamil Nadu",
    "34": "Puducherry",
    "35": "Andaman and Nicobar Islands",
    "36": "Telangana",
    "37": "Andhra Pradesh",
    "38": "Ladakh",
}
_GSTIN = re.compile(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]\Z")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def why_not_gstin(gstin: str, state: str) -> str:
    """What is wrong with a GSTIN for a place in `state`, in a sentence; "" when nothing is."""
    if not _GSTIN.match(gstin):
        return _("A GSTIN has 15 characters, like 29ABCDE1234F1Z5.")
    if gstin_check_digit(gstin[:14]) != gstin[14]:
        return _("The last character does not fit the others: one of them is mistyped.")
    if state and STATES.get(gstin[:2]) != state:
        return _("This GSTIN belongs to {state}.").format(state=STATES.get(gstin[:2], _("no state that we know")))
    return ""


def gstin_check_digit(first_14: str) -> str:
    """The 15th character: base 36, factors 1 and 2 in turn, digits of each product summed (GSTN's rule)."""
    total = 0
    for place, character in enumerate(first_14):
        quotient, remainder = divmod(_DIGITS.index(character) * (1 + place % 2), 36)
        total += quotient + remainder
    return _DIGITS[-total % 36]


def parse_times(text: str) -> list[str]:
    """ "14:00, 18.30" as ["14:00", "18:30"], in order of the day. Raises ValueError with what is not a time."""
    found = set()
    for word in filter(None, re.split(r"[\s,;]+", text.strip())):
        match = re.match(r"([0-9]{1,2})[:.]([0-9]{2})\Z", word)
        try:
            found.add(time(int(match[1]), int(match[2])))  # type: ignore[index]  # None is caught
        except (ValueError, TypeError):
            raise ValueError(word[:20]) from None
    return [moment.strftime("%H:%M") for moment in sorted(found)]


def parse_dates(text: str) -> list[str]:
    """ "2026-11-08 26/01/2027" as ISO dates in order. Raises ValueError with what is not a date."""
    found = set()
    for word in filter(None, re.split(r"[\s,;]+", text.strip())):
        match = re.match(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})\Z", word)
        try:
            found.add(date(int(match[3]), int(match[2]), int(match[1])) if match else date.fromisoformat(word))
        except ValueError:
            raise ValueError(word[:20]) from None
    return [day.isoformat() for day in sorted(found)]


def save(facility: Facility, *, by: User, values: dict[str, object]) -> None:
    """`values` are the checked fields of the form."""
    require_scope(facility.seller_id)
    for name, value in values.items():
        setattr(facility, name, value)
    facility.save(update_fields=list(values))
    for name in settings.ON_FACILITY_SAVED:
        import_string(name)(facility)
    audit.record(by, "changed a facility", seller=facility.seller, rows=[facility], why=", ".join(sorted(values)))


# --- Which places a page is about ------------------------------------------------------------------------------------

ALL, MINE = "all", "mine"


@dataclass(frozen=True, slots=True)
class Places:
    """The facilities that a page shows, `only` those or all there are; `here` and `choices` are for its select box."""

    shown: list[Facility]
    only: bool
    here: str
    choices: list[tuple[str, str]]

    @property
    def said(self) -> str:
        """What the address of a list says to show the same places: nothing is all of them, whoever looks."""
        return "" if self.here == ALL else self.here


def places(seller: Seller, *, member_id: int | None, asked: str) -> Places:
    """`asked` is ALL, MINE or a public id; nothing is a member's own by default, and a name of none is all."""
    require_scope(seller)
    rows = list(Facility.objects.filter(seller=seller).order_by("name", "pk"))
    owned = MemberFacility.objects.filter(seller=seller, member_id=member_id) if member_id else None
    mine = set(owned.values_list("facility_id", flat=True)) if owned is not None else set()
    named = {str(row.public_id): [row] for row in rows}
    if mine:
        named[MINE] = [row for row in rows if row.pk in mine]
    here = (asked or MINE) if (asked or MINE) in named else ALL
    choices = [(ALL, _("all facilities")), *([(MINE, _("my facilities"))] if mine else [])]
    return Places(
        shown=named.get(here, rows),
        only=here != ALL,
        here=here,
        choices=choices + [(str(row.public_id), row.name) for row in rows],
    )


# --- Which Flipkart account this is ----------------------------------------------------------------------------------


class AccountTaken(NotConnected):
    """What was read ships from another seller's place: nothing of it is kept. gateway.heard ends the connection."""

    def __init__(self) -> None:
        super().__init__("connection", _("this Flipkart account is another seller's"))


def facilities_taken(seller: Seller | int, location_ids: Collection[str]) -> bool:
    """Whether another connected seller had one of these places before: then it is the same Flipkart account.

    No answer of Flipkart's names the account (guide-gaps 16). A seller has a place since it was connected or first saw
    it there, whichever came later: so neither an old connection that is renewed with another seller's account has it,
    nor who comes back after somebody took the account. In the seller's scope; the doors show ids and times, no more.
    """
    seller_id = seller if isinstance(seller, int) else seller.pk
    require_scope(seller_id)
    rows = through_door("location", "\n".join(sorted(set(location_ids))), lambda: _seen(location_ids))
    others = {row.seller_id for row in rows} - {seller_id}
    if not others:
        return False
    lines = through_door("account", ",".join(map(str, sorted(others))), lambda: _lines({*others, seller_id}))
    mine = {row.flipkart_location_id: _has_since(row, lines) for row in rows if row.seller_id == seller_id}
    for row in rows:
        if row.seller_id != seller_id and _is_same_flipkart(row.seller_id, seller_id, lines):
            theirs, ours = _has_since(row, lines), mine.get(row.flipkart_location_id)
            if theirs and (ours is None or (theirs, row.seller_id) < (ours, seller_id)):
                return True
    return False


class _Seen(NamedTuple):
    seller_id: int
    flipkart_location_id: str
    first_seen_at: datetime


class _Line(NamedTuple):
    seller_id: int
    environment: str
    connected_at: datetime | None


def _seen(location_ids: Collection[str]) -> list[_Seen]:
    return [
        _Seen(*row)
        for row in Facility.objects.filter(flipkart_location_id__in=location_ids).values_list(*_Seen._fields)
    ]


def _lines(seller_ids: Collection[int]) -> dict[int, _Line]:
    rows = Connection.objects.filter(seller_id__in=seller_ids).exclude(standing=Standing.DISCONNECTED)
    return {row[0]: _Line(*row) for row in rows.values_list(*_Line._fields)}


def _has_since(row: _Seen, lines: Mapping[int, _Line]) -> datetime | None:
    line = lines.get(row.seller_id)
    return max(line.connected_at, row.first_seen_at) if line is not None and line.connected_at else None


def _is_same_flipkart(seller_id: int, other_id: int, lines: Mapping[int, _Line]) -> bool:
    """The simulator's places are not the real Flipkart's."""
    line, other = lines.get(seller_id), lines.get(other_id)
    return line is not None and other is not None and line.environment == other.environment


def check_account(seller_id: int) -> bool:
    """Whether this seller's Flipkart account is its own; if another had it first, this connection ends with a sentence.

    To be asked after a walk: of two that came to the same places at once, neither saw the other's. Outside of any
    scope.
    """
    with seller_scope(seller_id):
        places = Facility.objects.filter(seller_id=seller_id)
        is_taken = facilities_taken(seller_id, list(places.values_list("flipkart_location_id", flat=True)))
    if is_taken:
        stop_as_taken(seller_id)
    return not is_taken


def stop_as_taken(seller_id: int) -> None:
    """The connection ends with a sentence for its owner; outside of any scope."""
    with seller_scope(seller_id):
        row = Connection.objects.select_for_update().filter(seller_id=seller_id).first()
        if row is not None and row.is_connected:
            stop(
                row,
                _("This Flipkart account is already connected to another seller here. Ask the platform's operators."),
            )
            audit.record(None, "stopped: its Flipkart account is another seller's", seller=row.seller, rows=[row])
