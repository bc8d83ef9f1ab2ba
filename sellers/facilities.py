"""Places that ship: what only the seller knows of them, and what they tell about the Flipkart account."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, time

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from sellers.access_tokens import stop
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
MOST_LOCATIONS = 100


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


def facilities_taken(seller: Seller | int, location_ids: Collection[str]) -> bool:
    """Whether another seller, connected earlier, ships from one of these places: then it is the same Flipkart account.

    No answer of Flipkart's names the account (guide-gaps 16). The door shows which sellers have such a place, no more.
    Outside of any scope.
    """
    seller_id = seller if isinstance(seller, int) else seller.pk
    others: set[int] = set()
    for location_id in sorted(set(location_ids))[:MOST_LOCATIONS]:
        others |= through_door("location", location_id, lambda: _sellers_with(location_id))  # noqa: B023 - run at once
    others.discard(seller_id)
    with seller_scope(seller_id):
        mine = Connection.objects.filter(seller_id=seller_id).first()
    return any(_is_connected_before(other, mine) for other in sorted(others))


def check_account(seller_id: int) -> bool:
    """Whether this seller's Flipkart account is its own; if another had it first, this connection ends with a sentence.

    To be asked after a page was ingested; outside of any scope.
    """
    with seller_scope(seller_id):
        places = Facility.objects.filter(seller_id=seller_id).order_by("-first_seen_at", "pk")
        location_ids = list(places.values_list("flipkart_location_id", flat=True)[:MOST_LOCATIONS])
    if not facilities_taken(seller_id, location_ids):
        return True
    with seller_scope(seller_id):
        row = Connection.objects.select_for_update().filter(seller_id=seller_id).first()
        if row is not None and row.is_connected:
            stop(
                row,
                _("This Flipkart account is already connected to another seller here. Ask the platform's operators."),
            )
            audit.record(None, "stopped: its Flipkart account is another seller's", seller=row.seller, rows=[row])
    return False


def _sellers_with(location_id: str) -> set[int]:
    return set(Facility.objects.filter(flipkart_location_id=location_id).values_list("seller_id", flat=True))


def _is_connected_before(seller_id: int, mine: Connection | None) -> bool:
    with seller_scope(seller_id):
        theirs = Connection.objects.filter(seller_id=seller_id).exclude(standing=Standing.DISCONNECTED).first()
    if theirs is None or theirs.connected_at is None or mine is None or theirs.environment != mine.environment:
        return False
    return mine.connected_at is None or (theirs.connected_at, seller_id) < (mine.connected_at, mine.seller_id)
