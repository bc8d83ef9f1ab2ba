"""Every route that the resolver knows: how its rows are made, who gets which answer; and two sellers to ask about.

A route has exactly one entry in ROUTES. It is asked as each of ROLES, for each of `whose()`: rows of the first seller,
of the second, of none, and the second's rows in addresses and forms of the first. What the entry does not say follows
from where the route stands: below `/s/<slug>/` from the least role, in the admin from being platform ops.
"""

import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar
from uuid import uuid4

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth.tokens import default_token_generator
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.test import Client
from django.test.client import ClientHandler
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django_q.models import Failure, OrmQ, Schedule, Success
from reportlab.pdfgen.canvas import Canvas

from fulfillment.models import (
    Dispatch,
    Document,
    FormAcknowledgement,
    GoLiveCheck,
    HandOver,
    LabelRequest,
    PackageSize,
    Prefetch,
    PrintHabit,
    PrintJob,
    PrintJobLine,
    PrintStack,
    SellerCancellation,
    SerialNumbers,
    Ways,
)
from orders.models import Buyer, LookUp, PaymentType, Reading, SetAside, Shipment, TimelineEntry, Unreadable
from orders.states import State
from sellers import connecting, members
from sellers.access import memberships
from sellers.models import Alert, ConnectAttempt, Facility, Member, MemberFacility, Role, Seller, User, Watch
from shipcrowd import audit, files, queue, work
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, Turn
from tests import factories
from tests.browsing import logged_in

# --- Who asks, and about whose rows ----------------------------------------------------------------------------------

ANONYMOUS = "anonymous"
VIEWER, STAFF, OWNER = "viewer", "staff", "owner"  # of the first seller
NEWCOMER = "newcomer"  # an owner of it who has not yet replaced a one-time password
REMOVED = "removed"  # was its owner, and is still logged in
STRANGER = "stranger"  # an owner of the other seller
OPS, OPS_WITH_REASON = "ops", "ops with reason"  # with and without a reason for either seller
ROLES = (ANONYMOUS, VIEWER, STAFF, OWNER, NEWCOMER, REMOVED, STRANGER, OPS, OPS_WITH_REASON)

OWN = "own"
OTHER = "other"
NO_SELLER = "no such seller"
CROSSED = "own seller, other's row"
NO_ROW = "own seller, no such row"
SMUGGLED = "own, other's rows in the form"
SMUGGLED_NONE = "own, no such rows in the form"
# What looks the same to whoever may not see the first of the two.
SAME_AS = {OTHER: NO_SELLER, CROSSED: NO_ROW, SMUGGLED: SMUGGLED_NONE}

FIRST, SECOND, NOBODY = "first", "second", "nobody"
WORKS_FOR = {VIEWER: FIRST, STAFF: FIRST, OWNER: FIRST, STRANGER: SECOND}
_RANK = {Role.VIEWER: 0, Role.STAFF: 1, Role.OWNER: 2}
_ROLE_OF = {VIEWER: Role.VIEWER, STAFF: Role.STAFF, OWNER: Role.OWNER, STRANGER: Role.OWNER}
_ROLE_OF |= {OPS: Role.VIEWER, OPS_WITH_REASON: Role.OWNER}
# Whose slug, whose rows in the address, whose rows in form or query.
ASKED = {
    OWN: (FIRST, FIRST, FIRST),
    OTHER: (SECOND, SECOND, SECOND),
    NO_SELLER: (NOBODY, NOBODY, NOBODY),
    CROSSED: (FIRST, SECOND, FIRST),
    NO_ROW: (FIRST, NOBODY, FIRST),
    SMUGGLED: (FIRST, FIRST, SECOND),
    SMUGGLED_NONE: (FIRST, FIRST, NOBODY),
}


def may_see(role: str, seller: str) -> bool:
    return role in (OPS, OPS_WITH_REASON) or WORKS_FOR.get(role) == seller


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a seller's rows are called in addresses and forms."""

    slug: str
    facility: str
    username: str
    email: str
    uid: str
    token: str
    invitation: str
    link: str
    connect_state: str
    client_id: str
    client_secret: str
    shipment: str
    shipments: tuple[str, ...]
    tracking_id: str
    last_key: str
    document: str
    print_job: str
    waiting_job: str
    left_out: str
    hand_over: str
    work_rows: tuple[str, ...]
    unreadable: str
    look_up: str
    keys: Mapping[str, str]  # primary key by the admin's name of the model


# --- Entries ---------------------------------------------------------------------------------------------------------

Sent = dict[str, Any]
Answers = tuple[int, int]  # to GET and to POST


def _nothing(_rows: Rows) -> Sent:
    return {}


@dataclass(frozen=True, kw_only=True)
class Route:
    """`row` gives what stands in the address beside the slug, `sent` what goes with it: as query and as form.

    `names_rows`: what is sent names rows. `takes`: fields that its form has beside those that are sent.
    """

    name: str
    row: Callable[[Rows], dict[str, str]] | None = None
    sent: Callable[[Rows], Sent] = _nothing
    names_rows: bool = False
    takes: frozenset[str] = frozenset()
    path: str = ""  # of a route without a name
    settings: Mapping[str, Any] = field(default_factory=dict)
    # Who knows the secret in the address is let in by it, and may tell it from a wrong one.
    is_secret: bool = False
    has_slug: ClassVar[bool] = False
    actor: ClassVar[str] = OWNER  # who may post

    def whose(self, role: str) -> Iterator[str]:
        """Which questions tell something new of this route to this role."""
        yield OWN
        if self.has_slug or self.row:
            yield OTHER
        if self.has_slug:
            yield NO_SELLER
        if self.has_slug and self.row:
            yield CROSSED
        if self.row:
            yield NO_ROW
        if self.names_rows:
            yield from (SMUGGLED, SMUGGLED_NONE)

    def methods(self, role: str, whose: str) -> tuple[str, ...]:
        """Those that tell something: one that a route lacks is refused before any row is looked for."""
        return ("GET", "POST")

    def address(self, rows: Mapping[str, Rows], whose: str) -> str:
        of_slug, of_row, _of_sent = ASKED[whose]
        named = self.row(rows[of_row]) if self.row else {}
        if self.has_slug:
            named["slug"] = rows[of_slug].slug
        return self.path.format(**named) if self.path else reverse(self.name, kwargs=named)

    def same_as(self, role: str, whose: str) -> str | None:
        """Which question must get the same answer; None where whoever asks may see the difference."""
        if self.is_secret or (whose == OTHER and may_see(role, SECOND)):
            return None
        twin = SAME_AS.get(whose)
        return NO_ROW if twin == NO_SELLER and not self.has_slug else twin

    def expected(self, role: str, whose: str, method: str) -> int:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SellersPage(Route):
    """Below `/s/<slug>/`; `get` and `post` are the answers to whoever may, 405 where there is no such method."""

    least: Role
    get: int = 405
    post: int = 405
    has_slug: ClassVar[bool] = True

    def methods(self, role: str, whose: str) -> tuple[str, ...]:
        if whose in (OWN, OTHER):
            return ("GET", "POST")
        return tuple(method for method, answer in (("GET", self.get), ("POST", self.post)) if answer != 405)

    def expected(self, role: str, whose: str, method: str) -> int:
        of_slug, of_row, _of_sent = ASKED[whose]
        to_whom_may = self.get if method == "GET" else self.post
        if role in (ANONYMOUS, NEWCOMER):
            return 302
        if of_slug == NOBODY or not may_see(role, of_slug):
            return 404
        if role == OPS and method == "POST":
            return 302  # to the page that asks why
        if to_whom_may == 405:
            return 405
        if _RANK[_ROLE_OF[role]] < _RANK[self.least]:
            return 403
        return 404 if self.row and of_row != of_slug else to_whom_may


@dataclass(frozen=True, kw_only=True)
class Outside(Route):
    """Belongs to no seller: answers by role, ELSE for the others; what differs for other's and missing rows."""

    answers: Mapping[str, Answers]
    other: Mapping[str, Answers] = field(default_factory=dict)
    missing: Mapping[str, Answers] = field(default_factory=dict)
    post_as: str = OWNER

    def expected(self, role: str, whose: str, method: str) -> int:
        differing = {OTHER: self.other, NO_ROW: self.missing}.get(whose, {})
        found = differing.get(role) or differing.get(ELSE) or self.answers.get(role) or self.answers[ELSE]
        return found[method == "POST"]


@dataclass(frozen=True, kw_only=True)
class AdminPage(Route):
    """Platform ops only; anybody else is sent to the log-in. `missing` is the answer for a row that is not there."""

    get: int = 200
    post: int = 200
    missing: Answers | None = None
    actor: ClassVar[str] = OPS

    def whose(self, role: str) -> Iterator[str]:
        if role == OPS_WITH_REASON:
            return iter((OWN,))  # the admin knows of no reasons
        return super().whose(role)

    def methods(self, role: str, whose: str) -> tuple[str, ...]:
        # Who is no ops is sent away before any row is looked for.
        return ("GET", "POST") if role == OPS or whose == OWN else ("GET",)

    def expected(self, role: str, whose: str, method: str) -> int:
        if role not in (OPS, OPS_WITH_REASON):
            return 302
        found = self.missing if whose == NO_ROW and self.missing else (self.get, self.post)
        return found[method == "POST"]


ELSE = "else"
_TO_LOGIN: Mapping[str, Answers] = {ANONYMOUS: (302, 302)}


def _shipments(**more: str) -> Callable[[Rows], Sent]:
    return lambda rows: {"shipment": rows.shipments, **more}


_PLACE = {
    "name": "Godown",
    "address_line1": "1, MG Road",
    "address_line2": "",
    "city": "Bengaluru",
    "pincode": "560001",
    "state": "Karnataka",
    "gstin": "",
    "phone": "",
    "holidays": "",
    "prefetch_at": "06:30",
}

_PASSWORD = "quite another one 7"

PORTAL = (
    Outside(name="portal:root", answers={NEWCOMER: (302, 302), ELSE: (302, 405)}),
    Outside(name="portal:healthz", answers={ELSE: (503, 405)}),  # no worker runs while this is tested
    Outside(name="portal:sellers", answers={NEWCOMER: (302, 302), ANONYMOUS: (302, 405), ELSE: (200, 405)}),
    Outside(
        name="portal:ops_reason",
        row=lambda rows: {"slug": rows.slug},
        sent=lambda rows: {"reason": "a call about late labels", "next": f"/s/{rows.slug}/members/"},
        names_rows=True,
        answers=_TO_LOGIN | {NEWCOMER: (302, 302), OPS: (200, 302), OPS_WITH_REASON: (200, 302), ELSE: (404, 404)},
        missing={OPS: (404, 404), OPS_WITH_REASON: (404, 404)},
        post_as=OPS,
    ),
    Outside(
        name="portal:switches",
        row=lambda rows: {"slug": rows.slug},
        sent=lambda _rows: {"switch": "SENDING", "reason": "labels of another seller", "is_on": ""},
        answers=_TO_LOGIN | {NEWCOMER: (302, 302), OPS: (200, 302), OPS_WITH_REASON: (200, 302), ELSE: (404, 404)},
        missing={OPS: (404, 404), OPS_WITH_REASON: (404, 404)},
        post_as=OPS,
    ),
    Outside(
        name="portal:print_rounds",
        sent=lambda rows: {
            "place": [rows.facility],
            "round": rows.print_job,
            "reason": "paper for everybody",
            "layout": "thermal",
            "sorting": "sku",
        },
        answers=_TO_LOGIN | {NEWCOMER: (302, 302), OPS: (200, 302), OPS_WITH_REASON: (200, 302), ELSE: (404, 404)},
        post_as=OPS,
    ),
    Outside(
        name="portal:print_round",
        row=lambda rows: {"round_id": rows.print_job},
        sent=lambda _rows: {"reason": "paper for everybody"},
        answers=_TO_LOGIN | {NEWCOMER: (302, 302), OPS: (200, 302), OPS_WITH_REASON: (200, 302), ELSE: (404, 404)},
        missing={OPS: (404, 404), OPS_WITH_REASON: (404, 404)},
        post_as=OPS,
    ),
    Outside(
        name="portal:print_round_pdf",
        row=lambda rows: {"round_id": rows.print_job},
        answers=_TO_LOGIN | {NEWCOMER: (302, 302), OPS: (302, 405), OPS_WITH_REASON: (200, 405), ELSE: (404, 404)},
        missing={OPS: (404, 405), OPS_WITH_REASON: (404, 405)},
        post_as=OPS,
    ),
    Outside(name="portal:everyones_attention", answers={NEWCOMER: (302, 302), ANONYMOUS: (302, 405), ELSE: (200, 405)}),
    SellersPage(name="portal:home", least=Role.VIEWER, get=200),
    SellersPage(name="portal:history", least=Role.OWNER, get=200),
    SellersPage(name="portal:fetch_now", least=Role.STAFF, post=302),
    SellersPage(name="portal:attention", least=Role.VIEWER, get=200),
)

PEOPLE = (
    Outside(
        name="login",
        sent=lambda rows: {"username": rows.username, "password": "not the right one"},
        names_rows=True,
        answers={ANONYMOUS: (200, 200), ELSE: (302, 302)},
        post_as=ANONYMOUS,
    ),
    Outside(name="logout", answers={ELSE: (405, 302)}),
    Outside(
        name="password_change",
        sent=lambda _rows: {
            "old_password": "a long enough password",
            "new_password1": _PASSWORD,
            "new_password2": _PASSWORD,
        },
        answers=_TO_LOGIN | {ELSE: (200, 302)},
    ),
    Outside(
        name="password_reset",
        sent=lambda rows: {"email": rows.email},
        names_rows=True,
        settings={"EMAIL_IS_SET": True},
        answers={ELSE: (200, 302)},
        post_as=ANONYMOUS,
    ),
    Outside(name="password_reset_done", answers={ELSE: (200, 405)}),
    Outside(
        name="password_reset_confirm",
        row=lambda rows: {"uidb64": rows.uid, "token": rows.token},
        sent=lambda _rows: {"new_password1": _PASSWORD, "new_password2": _PASSWORD},
        is_secret=True,
        # A right link puts its token into the session first; a wrong one is the page that says so.
        answers={ELSE: (302, 302)},
        missing={ELSE: (200, 200)},
        post_as=ANONYMOUS,
    ),
    Outside(
        name="invitation",
        row=lambda rows: {"secret": rows.link},
        is_secret=True,
        takes=frozenset({"username"}),
        # Who works for that seller already is told so.
        answers={
            ANONYMOUS: (200, 200),
            **dict.fromkeys((VIEWER, STAFF, OWNER, NEWCOMER), (200, 200)),
            ELSE: (200, 302),
        },
        other={ANONYMOUS: (200, 200), STRANGER: (200, 200), ELSE: (200, 302)},
        missing={ELSE: (404, 404)},
        post_as=STRANGER,
    ),
    Outside(
        name="flipkart_callback",
        sent=lambda rows: {"state": rows.connect_state, "code": "a code of somebody's"},
        names_rows=True,
        is_secret=True,
        answers={ELSE: (400, 405)},  # its `state` belongs to one person's session: every other is refused
    ),
    SellersPage(name="sellers:connection", least=Role.VIEWER, get=200),
    SellersPage(
        name="sellers:keys",
        least=Role.OWNER,
        get=200,
        post=302,
        sent=lambda rows: {"client_id": rows.client_id, "client_secret": rows.client_secret},
        settings={"FLIPKART_CLIENT_ID": ""},
    ),
    SellersPage(name="sellers:disconnect", least=Role.OWNER, get=200, post=302),
    SellersPage(name="sellers:connect", least=Role.OWNER, post=302),
    SellersPage(name="sellers:facilities", least=Role.VIEWER, get=200),
    SellersPage(
        name="sellers:facility",
        least=Role.OWNER,
        get=200,
        post=302,
        row=lambda rows: {"public_id": rows.facility},
        sent=lambda _rows: _PLACE | {f"pickup_{day}": "14:00" for day in range(7)},
    ),
    SellersPage(name="sellers:members", least=Role.OWNER, get=200),
    SellersPage(
        name="sellers:invite",
        least=Role.OWNER,
        post=200,
        sent=lambda rows: {"role": "staff", "email": rows.email},
        names_rows=True,
    ),
    SellersPage(
        name="sellers:add_person",
        least=Role.OWNER,
        post=200,
        sent=lambda _rows: {"username": "somebody-new", "role": "viewer"},
    ),
    *(
        SellersPage(
            name=f"sellers:{name}", least=Role.OWNER, post=post, row=lambda rows: {"username": rows.username}, **more
        )
        for name, post, more in (
            ("change_role", 302, {"sent": lambda _rows: {"role": "viewer"}}),
            ("remove_member", 302, {}),
            ("new_password", 200, {}),
            ("member_facilities", 302, {"sent": lambda rows: {"facilities": [rows.facility]}, "names_rows": True}),
        )
    ),
    SellersPage(
        name="sellers:withdraw_invitation",
        least=Role.OWNER,
        post=302,
        row=lambda rows: {"public_id": rows.invitation},
    ),
)

WORK = (
    SellersPage(
        name="orders:shipments",
        least=Role.VIEWER,
        get=200,
        sent=lambda rows: {"stage": "all", "facility": rows.facility, "after": rows.last_key},
        names_rows=True,
    ),
    SellersPage(name="orders:act", least=Role.STAFF, post=307, sent=_shipments(act="labels"), names_rows=True),
    SellersPage(
        name="orders:export",
        least=Role.STAFF,
        get=200,
        sent=lambda rows: {"stage": "all", "facility": rows.facility},
        names_rows=True,
    ),
    SellersPage(name="orders:look_up", least=Role.STAFF, post=302, sent=lambda _rows: {"q": "SHIP1234567890"}),
    SellersPage(name="orders:looked_up", least=Role.VIEWER, get=200, row=lambda rows: {"public_id": rows.look_up}),
    SellersPage(
        name="orders:looked_at",
        least=Role.STAFF,
        post=302,
        sent=lambda rows: {"shipment": rows.shipments, "unreadable": [rows.unreadable]},
        names_rows=True,
    ),
    SellersPage(
        name="orders:set_aside",
        least=Role.STAFF,
        get=200,  # what would happen
        post=302,
        sent=_shipments(confirmed="1", reason="damaged"),
        names_rows=True,
        takes=frozenset({"note", "query"}),
    ),
    SellersPage(
        name="orders:put_back",
        least=Role.STAFF,
        get=200,
        post=302,
        sent=_shipments(confirmed="1"),
        names_rows=True,
        takes=frozenset({"query"}),
    ),
    SellersPage(name="orders:shipment", least=Role.VIEWER, get=200, row=lambda rows: {"public_id": rows.shipment}),
    SellersPage(name="orders:show_buyer", least=Role.OWNER, post=200, row=lambda rows: {"public_id": rows.shipment}),
    *(
        SellersPage(
            name=f"fulfillment:{name}",
            least=Role.STAFF,
            get=200,  # what would happen
            post=302,
            sent=_shipments(confirmed="1"),
            names_rows=True,
            takes=frozenset({"once", "query"}),
        )
        for name in ("request_labels", "request_dispatch")
    ),
    SellersPage(
        name="fulfillment:request_cancellation",
        least=Role.STAFF,
        get=200,
        post=302,
        sent=_shipments(confirmed="1", reason="not_enough_inventory"),
        names_rows=True,
        takes=frozenset({"once", "query"}),
    ),
    SellersPage(
        name="fulfillment:acknowledge_forms",
        least=Role.STAFF,
        post=302,
        row=lambda rows: {"public_id": rows.shipment},
        sent=lambda _rows: {"form": ["e-Way Bill"], "number": ["EWB-1"]},
    ),
    SellersPage(
        name="fulfillment:enter_serials",
        least=Role.STAFF,
        post=302,
        row=lambda rows: {"public_id": rows.shipment},
        sent=lambda _rows: {"item": ["41"], "numbers": ["350000000000017"]},
    ),
    *(
        SellersPage(
            name=f"fulfillment:{name}",
            least=Role.STAFF,
            get=200,
            post=302,
            sent=_shipments(confirmed="1", layout="thermal", sorting="sku", stack_size="100"),
            names_rows=True,
            takes=frozenset(
                {"once", "query", "is_reversed", "has_separators", "packers", "is_split_by_packers", "reprint_reason"}
            ),
        )
        for name in ("request_print", "label_and_print")
    ),
    SellersPage(
        name="fulfillment:ways", least=Role.OWNER, get=200, post=302, sent=lambda _rows: {"is_full_chain": "on"}
    ),
    SellersPage(name="fulfillment:print_jobs", least=Role.VIEWER, get=200),
    SellersPage(
        name="fulfillment:print_job", least=Role.VIEWER, get=200, row=lambda rows: {"public_id": rows.print_job}
    ),
    SellersPage(
        name="fulfillment:print_unchecked",
        least=Role.STAFF,
        post=302,
        row=lambda rows: {"public_id": rows.waiting_job},
    ),
    SellersPage(
        name="fulfillment:print_again",
        least=Role.STAFF,
        post=302,
        row=lambda rows: {"public_id": rows.print_job},
        sent=lambda rows: {"left_out": rows.left_out, "reason": "the label is lost"},
    ),
    SellersPage(
        name="fulfillment:withdraw_print",
        least=Role.STAFF,
        post=302,
        row=lambda rows: {"public_id": rows.waiting_job},
    ),
    SellersPage(
        name="fulfillment:stack_pdf",
        least=Role.STAFF,
        get=200,
        row=lambda rows: {"public_id": rows.print_job, "letter": "A"},
    ),
    SellersPage(
        name="fulfillment:continue_after",
        least=Role.STAFF,
        post=302,
        row=lambda rows: {"public_id": rows.print_job, "letter": "A"},
        sent=lambda rows: {"scanned": rows.tracking_id},
        names_rows=True,
    ),
    SellersPage(name="fulfillment:document", least=Role.STAFF, get=200, row=lambda rows: {"public_id": rows.document}),
    SellersPage(
        name="fulfillment:preview",
        least=Role.STAFF,
        get=200,
        row=lambda rows: {"public_id": rows.document},
    ),
    SellersPage(
        name="fulfillment:pick_list",
        least=Role.VIEWER,
        get=200,
        post=302,
        sent=_shipments(),
        names_rows=True,
        takes=frozenset({"query"}),
    ),
    SellersPage(
        name="fulfillment:pick_list_pdf", least=Role.VIEWER, get=200, sent=_shipments(sheet="a4"), names_rows=True
    ),
    *(
        SellersPage(
            name=f"fulfillment:{name}",
            least=Role.VIEWER,
            get=200,
            row=lambda rows: {"public_id": rows.print_job, "letter": "A"},
        )
        for name in ("stack_pick_list", "stack_pick_list_pdf")
    ),
    SellersPage(name="fulfillment:printer_test_page", least=Role.VIEWER, get=200),
    SellersPage(name="fulfillment:hand_overs", least=Role.VIEWER, get=200),
    SellersPage(
        name="fulfillment:request_hand_over",
        least=Role.STAFF,
        post=302,
        sent=lambda rows: {"facility": rows.facility, "courier": "EKART"},
        names_rows=True,
        takes=frozenset({"once"}),
    ),
    SellersPage(
        name="fulfillment:hand_over_pdf", least=Role.STAFF, get=200, row=lambda rows: {"public_id": rows.hand_over}
    ),
    SellersPage(name="fulfillment:pulls", least=Role.VIEWER, get=200),
    SellersPage(name="fulfillment:sizes", least=Role.VIEWER, get=200),
    SellersPage(name="fulfillment:sizes_csv", least=Role.VIEWER, get=200),
    SellersPage(
        name="fulfillment:enter_size",
        least=Role.STAFF,
        post=302,
        sent=lambda _rows: {"sku": "TS-NEW", "length": "30", "breadth": "20", "height": "5", "weight": "0.4"},
    ),
    SellersPage(
        name="fulfillment:enter_sizes",
        least=Role.STAFF,
        post=302,
        sent=lambda _rows: {"lines": "TS-NEW,30,20,5,0.4"},
        takes=frozenset({"file"}),
    ),
    SellersPage(
        name="fulfillment:pull",
        least=Role.STAFF,
        post=200,
        sent=lambda rows: {"scanned": rows.tracking_id},
        names_rows=True,
    ),
    SellersPage(
        name="fulfillment:checklist",
        least=Role.OWNER,
        get=200,
        post=302,
        sent=lambda _rows: {"check": ["token", "labels", "self_ship"]},
    ),
    SellersPage(
        name="fulfillment:retry", least=Role.STAFF, post=302, sent=lambda rows: {"row": rows.work_rows}, names_rows=True
    ),
)


def _of_model(
    model: str,
    *,
    add: Callable[[Rows], Sent] | None = None,
    change: Callable[[Rows], Sent] | None = None,
    delete: bool = False,
    takes: frozenset[str] = frozenset(),
) -> list[Route]:
    """The admin's six addresses of a model: `add` and `change` are forms that are taken, None where ops may not."""
    at = f"admin:{model}"
    app, name = ("django_q", model[9:]) if model.startswith("django_q") else model.split("_", 1)

    def row(rows: Rows) -> dict[str, str]:
        return {"object_id": rows.keys[model]}

    added, changed, deleted = (302 if may else 403 for may in (add is not None, change is not None, delete))
    return [
        AdminPage(name=f"{at}_changelist"),
        AdminPage(name=f"{at}_add", get=200 if add is not None else 403, post=added, sent=add or _nothing),
        AdminPage(name=f"{at}_history", row=row, missing=(302, 302)),
        AdminPage(
            name=f"{at}_delete",
            row=row,
            get=200 if delete else 403,
            post=deleted,
            sent=lambda _rows: {"post": "yes"},
            missing=(302, 302) if delete else (403, 403),
        ),
        AdminPage(
            name=f"{at}_change",
            row=row,
            post=changed,
            sent=change or _nothing,
            takes=takes,
            missing=(302, 403 if change is None else 302),
        ),
        AdminPage(
            name=f"admin/{app}/{name}/<path:object_id>/",
            path=f"/admin/{app}/{name}/{{object_id}}/",
            row=row,
            get=302,
            post=302,
        ),
    ]


def _member(user: str) -> Callable[[Rows], Sent]:
    return lambda rows: {"seller": rows.keys["sellers_seller"], "user": rows.keys[user], "role": "viewer"}


def _schedule(_rows: Rows) -> Sent:
    return {
        "name": "new",
        "func": "shipcrowd.queue.work",
        "schedule_type": "O",
        "repeats": "1",
        "next_run_0": "2026-12-01",
        "next_run_1": "00:00",
    }


def _queued(_rows: Rows) -> Sent:
    return {"key": "default", "payload": "unreadable", "lock_0": "2026-01-01", "lock_1": "00:00"}


_PERSON = {"first_name": "Asha", "last_name": "", "email": "", "is_active": "on", "must_change_password": "on"}

ADMIN = (
    AdminPage(name="admin:index"),
    AdminPage(name="admin:search"),
    Outside(
        name="admin:login",
        sent=lambda rows: {"username": rows.username, "password": "not the right one"},
        names_rows=True,
        answers={OPS: (302, 200), OPS_WITH_REASON: (302, 200), NEWCOMER: (302, 302), ELSE: (200, 200)},
        post_as=ANONYMOUS,
    ),
    AdminPage(name="admin:logout", get=405, post=302),
    AdminPage(name="admin:password_change"),
    AdminPage(name="admin:password_change_done", post=405),
    AdminPage(
        name="admin:autocomplete",
        post=405,
        sent=lambda _rows: {"app_label": "sellers", "model_name": "member", "field_name": "seller", "term": "a"},
    ),
    AdminPage(name="admin:jsi18n", post=405),
    AdminPage(
        name="admin:view_on_site",
        row=lambda rows: {"content_type_id": rows.keys["content_type"], "object_id": rows.keys["sellers_seller"]},
        get=404,
        post=404,
    ),
    AdminPage(
        name="admin:auth_user_password_change", row=lambda rows: {"id": rows.keys["sellers_user"]}, missing=(404, 404)
    ),
    *_of_model(
        "sellers_seller",
        add=lambda _rows: {"name": "New", "slug": "new"},
        change=lambda _rows: {"name": "Renamed"},
    ),
    *_of_model(
        "sellers_user",
        add=lambda _rows: {
            "username": "new",
            "usable_password": "true",
            "password1": _PASSWORD,
            "password2": _PASSWORD,
        },
        change=lambda _rows: {"username": "renamed", **_PERSON},
        takes=frozenset({"is_staff", "is_superuser"}),  # a superuser makes platform ops here
    ),
    *_of_model("sellers_member", add=_member("free_user"), change=_member("sellers_user"), delete=True),
    *_of_model("sellers_connection"),
    *_of_model("shipcrowd_auditentry"),
    *_of_model("orders_shipment"),
    *_of_model("axes_accessattempt", change=_nothing, delete=True),
    *_of_model("axes_accesslog", change=_nothing, delete=True),
    *_of_model("axes_accessfailurelog", change=_nothing, delete=True),
    *_of_model("django_q_schedule", add=_schedule, change=_schedule, delete=True),
    *_of_model("django_q_success", change=_nothing, delete=True),
    *_of_model("django_q_failure", change=_nothing, delete=True),
    *_of_model("django_q_ormq", change=_queued, delete=True),
    AdminPage(name="admin:app_list", row=lambda _rows: {"app_label": "sellers"}),
    AdminPage(name="admin/(?P<url>.*)$", path="/admin/no/such/page/", get=404, post=404),
)

ROUTES: tuple[Route, ...] = (*PORTAL, *PEOPLE, *WORK, *ADMIN)


def resolver_routes() -> list[str]:
    """Each route by its name, or by its pattern where it has none."""
    return list(_walk(get_resolver().url_patterns))


def _walk(patterns: Sequence[Any], before: str = "", namespaces: tuple[str, ...] = ()) -> Iterator[str]:
    for pattern in patterns:
        whole = f"{before}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from _walk(pattern.url_patterns, whole, inner)
        elif isinstance(pattern, URLPattern):
            yield ":".join((*namespaces, pattern.name)) if pattern.name else whole


def actor(route: Route) -> str:
    """Somebody who may post there."""
    return route.post_as if isinstance(route, Outside) else route.actor


def sent(route: Route, rows: Mapping[str, Rows], whose: str) -> Sent:
    return route.sent(rows[ASKED[whose][2]])


def values(route: Route, rows: Mapping[str, Rows], whose: str) -> list[str]:
    """What stands in the address."""
    of_slug, of_row, _of_sent = ASKED[whose]
    return [rows[of_slug].slug, *(route.row(rows[of_row]).values() if route.row else ())]


_handler = ClientHandler(enforce_csrf_checks=False)


# --- Two sellers with a row in every table ---------------------------------------------------------------------------


def _pdf(word: str) -> bytes:
    """One page that says it, uncompressed, so that the word can be found in what is served."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(288, 432), invariant=True, pageCompression=0)
    canvas.drawString(20, 200, f"label of {word}")
    canvas.save()
    return out.getvalue()


@dataclass
class World:
    """The two sellers' rows; the words that nobody but their own people may read; a session for each role."""

    rows: dict[str, Rows]
    words: dict[str, set[str]]
    sellers: dict[str, Seller]
    sessions: dict[str, str | None]
    never_logged: set[str]  # secrets, and what names a buyer
    before: Any = None  # what stood in the database before the first question
    heard: dict[tuple[str, ...], Any] = field(default_factory=dict)  # answers by question

    def client(self, role: str, **options: Any) -> Client:
        """A fresh browser with this role's session: what an earlier question left in it is not there."""
        client = Client(raise_request_exception=False, **options)
        if not options:
            client.handler = _handler  # its middleware is loaded once
        if key := self.sessions[role]:
            client.cookies["sessionid"] = key
        return client


def make_world(simulator: Any) -> World:
    """Two sellers alike in everything but their words, and one of everybody."""
    first = plant(simulator, "shop-aaa", "zebracorn", "9876500001")
    second = plant(simulator, "shop-bbb", "quokkaline", "9876500002")
    people = {role: factories.member(first[0], _ROLE_OF[role], username=f"a-{role}") for role in (VIEWER, STAFF, OWNER)}
    people[STRANGER] = factories.member(second[0], username="b-stranger")
    people[NEWCOMER] = factories.member(first[0], username="a-newcomer", must_change_password=True)
    people[REMOVED] = factories.member(first[0], username="a-removed")
    people[OPS] = factories.user(username="z-ops", is_staff=True, is_superuser=True)
    clients = {role: logged_in(person) for role, person in people.items()}
    clients[OPS_WITH_REASON] = logged_in(people[OPS])
    for seller in (first[0], second[0]):
        clients[OPS_WITH_REASON].post(f"/sellers/{seller.slug}/reason/", {"reason": "a call about late labels"})
    with seller_scope(first[0]):
        members.remove(Member.objects.get(user=people[REMOVED]), by=people[OWNER])
    sessions: dict[str, str | None] = {role: client.session.session_key for role, client in clients.items()}
    assert [m.seller.slug for m in memberships(people[STRANGER])] == ["shop-bbb"]
    return World(
        rows={FIRST: first[1], SECOND: second[1], NOBODY: nobody()},
        words={FIRST: first[2], SECOND: second[2]},
        sellers={FIRST: first[0], SECOND: second[0]},
        sessions=sessions | {ANONYMOUS: None},
        never_logged={"buyer zebracorn", "9876500001", "buyer quokkaline", "9876500002"}.union(
            *((rows.client_secret, rows.link, rows.token, rows.connect_state) for rows in (first[1], second[1]))
        ),
    )


def nobody() -> Rows:
    """Names of rows that are not there, of the same form."""
    ids = (str(uuid4()) for _ in itertools.count())
    models_of_admin = {route.name for route in ADMIN}
    keys = {
        name.removeprefix("admin:").removesuffix("_changelist"): "987654321"
        for name in models_of_admin
        if name.endswith("_changelist")
    }
    return Rows(
        slug="shop-zzz",
        facility=next(ids),
        username="packer-nobody",
        email="packer@nobody.example",
        uid=urlsafe_base64_encode(force_bytes(987654321)),
        token="c0ffee-00000000000000000000000000000000",
        invitation=next(ids),
        link="no-such-link",
        connect_state="no-such-state",
        client_id="no-such-application",
        client_secret="no-such-secret",
        shipment=next(ids),
        shipments=tuple(itertools.islice(ids, 4)),
        tracking_id="FMPP-nobody-3",
        last_key="~987654321",
        document=next(ids),
        print_job=next(ids),
        waiting_job=next(ids),
        left_out="left out nobody",
        hand_over=next(ids),
        work_rows=tuple(itertools.islice(ids, 5)),
        unreadable=next(ids),
        look_up=next(ids),
        keys=keys
        | dict.fromkeys(("sellers_connection", "shipcrowd_auditentry"), next(ids))
        | {"content_type": "987654321"},
    )


def plant(simulator: Any, slug: str, word: str, phone: str) -> tuple[Seller, Rows, set[str]]:
    """A connected seller with a row in every table, in which every free text holds `word`."""
    connected = factories.connected_seller(simulator, name=f"{word} traders", slug=slug)
    seller = connected.seller
    packer = factories.member(seller, Role.STAFF, username=f"packer-{word}", email=f"packer@{word}.example")
    place = factories.facility(seller, name=f"{word} godown", address_line1=f"1 {word} road", city=f"{word}pur")
    with seller_scope(seller):
        invitation, link = members.invite(seller=seller, by=packer, role=Role.STAFF)
        state = f"state-of-{word}"
        ConnectAttempt.objects.create(
            seller=seller,
            user=packer,
            digest=connecting.digest_of(state),
            session_digest=connecting.digest_of("a session of the packer's"),
            environment="simulator",
            wire="guide",
            expires_at=timezone.now() + timedelta(minutes=10),
        )
        member = Member.objects.get(user=packer)
        MemberFacility.objects.create(seller=seller, member=member, facility=place)
        hole = Unreadable.objects.create(
            seller=seller, flipkart_shipment_id=f"UNREAD-{word}", path="x", says=f"{word} hole"
        )
        hole.refresh_from_db()
        look_up = LookUp.objects.create(seller=seller, flipkart_shipment_id=f"LOOK-{word}", says=f"{word} is not known")
        Turn.objects.get_or_create(seller=seller, kind="poll")
        Watch.objects.create(seller=seller)
        Alert.objects.create(seller=seller, kind="digest", subject=f"{word} subject", text=f"{word} text", link="x")
    shipments = _shipments_of(seller, place, word, phone, packer)
    labelled = shipments[2]
    document, job, waiting, sheet, work_rows = _work_on(seller, shipments[1:3], packer, word)
    with seller_scope(seller):
        entry = audit.models.AuditEntry(by=packer, did=f"did {word}", about=seller)
        audit.models.AuditEntry.objects.bulk_create([entry])
    rows = Rows(
        slug=slug,
        facility=str(place.public_id),
        username=packer.username,
        email=packer.email,
        uid=urlsafe_base64_encode(force_bytes(packer.pk)),
        token=default_token_generator.make_token(packer),
        invitation=str(invitation.public_id),
        link=link.rstrip("/").rsplit("/", 1)[-1],
        connect_state=state,
        client_id=connected.account.client_id,
        client_secret=connected.account.client_secret,
        shipment=str(labelled.public_id),
        shipments=tuple(str(row.public_id) for row in shipments),
        tracking_id=labelled.tracking_id,
        last_key=f"~{labelled.pk}",
        document=str(document.public_id),
        print_job=str(job.public_id),
        waiting_job=str(waiting.public_id),
        left_out=f"left out {word}",
        hand_over=str(sheet.public_id),
        work_rows=tuple(str(row.public_id) for row in work_rows),
        unreadable=str(hole.public_id),
        look_up=str(look_up.public_id),
        keys=_keys(seller, packer, member, connected.connection, entry, labelled) | _nobodys_rows(seller, word),
    )
    hidden = {word, phone, str(seller.public_id), rows.facility, rows.invitation, *rows.shipments, rows.document}
    hidden |= {rows.print_job, rows.waiting_job, *rows.work_rows, rows.client_id, rows.client_secret}
    return seller, rows, hidden


def _shipments_of(seller: Seller, place: Facility, word: str, phone: str, by: User) -> list[Shipment]:
    """One to label, one to dispatch, one that stands in every table, and one that is set aside."""
    now = timezone.now()
    found = [
        factories.shipment(
            seller,
            facility=place,
            flipkart_order_id=f"OD-{word}-{number}",
            flipkart_shipment_id=f"SHIP-{word}-{number}",
            tracking_id=f"FMPP-{word}-{number}",
            courier=f"{word} express",
            invoice_number=f"INV-{word}-{number}",
            sku=f"SKU-{word}-{number}",
            payment_type=PaymentType.PREPAID,
            state=state,
            state_word=state,
            **more,
        )
        for number, state, more in (
            (1, State.APPROVED, {}),
            (2, State.PACKED, {"label_stored_at": now, "printed_at": now}),
            (3, State.PACKED, {"label_stored_at": now, "attention": Attention.PULL, "attention_says": f"pull {word}"}),
            (4, State.APPROVED, {"set_aside_at": now, "set_aside_reason": "damaged"}),
        )
    ]
    address = {"name": f"buyer {word}", "line1": f"2 {word} lane", "city": f"{word}abad", "pincode": "560001"}
    with seller_scope(seller):
        for row in found:
            row.refresh_from_db()
            row.items.update(title=f"{word} shirt", fsn=f"FSN-{word}")
            Reading.objects.create(seller=seller, shipment=row, read_at=now)
            Buyer.objects.create(
                seller=seller,
                shipment=row,
                name=f"buyer {word}",
                phone=phone,
                shipping_address=address,
                delivery_address=address,
                details_read_at=now,
            )
            TimelineEntry.objects.create(seller=seller, shipment=row, kind="note", says=f"{word} happened", by=by)
        SetAside.objects.create(
            seller=seller,
            shipment=found[3],
            reason="damaged",
            note=f"{word} note",
            set_aside_at=now,
            set_aside_by=by,
        )
    return found


def _work_on(
    seller: Seller, shipments: Sequence[Shipment], by: User, word: str
) -> tuple[Document, PrintJob, PrintJob, HandOver, list[models.Model]]:
    """A stored label, a finished and a waiting print job, a hand-over sheet, and work rows that want a person."""
    printed, shipment = shipments
    stored = files.store(seller, kind="labels", content=_pdf(word))
    asked = {"seller": seller, "asked_by": by}
    kept = {"storage_key": stored.key, "sha256": stored.sha256, "size": stored.size}
    ended = {"state": work.State.REFUSED, "attention": Attention.REFUSED, "says": f"refused {word}"}
    now = timezone.now()
    with seller_scope(seller):
        document = Document.objects.create(seller=seller, shipment=shipment, paper="label", **kept)
        label = LabelRequest.objects.create(shipment=shipment, **asked, **ended)
        dispatch = Dispatch.objects.create(shipment=shipment, **asked, **ended)
        cancellation = SellerCancellation.objects.create(
            shipment=shipment, reason="not_enough_inventory", **asked, **ended
        )
        told = FormAcknowledgement.objects.create(shipment=shipment, numbers={word: word}, **asked, **ended)
        SerialNumbers.objects.create(
            seller=seller, shipment=shipment, flipkart_order_item_id="41", numbers=[[f"serial {word}"]]
        )
        made = uuid4()
        job = PrintJob.objects.create(
            public_id=made,
            round_id=made,
            asked_for=2,
            state=work.State.DONE,
            says=f"done {word}",
            planned_at=now,
            packers=[f"packer {word}"],
            **asked,
        )
        stack = PrintStack.objects.create(
            seller=seller, job=job, number=1, letter="A", packer=f"packer {word}", laid_out_at=now, pages=2, **kept
        )
        PrintJobLine.objects.create(seller=seller, job=job, shipment=printed, stack=stack, place=1, page=2)
        PrintJobLine.objects.create(
            seller=seller, job=job, shipment=shipment, left_out=f"left out {word}", may_reprint=True
        )
        PrintHabit.objects.create(
            seller=seller, member=Member.objects.get(seller=seller, user=by), packers=[f"packer {word}"]
        )
        sheet = HandOver.objects.create(
            state=work.State.DONE,
            says=f"sheet {word}",
            courier=f"{word} express",
            facility=printed.facility,
            pages=1,
            **asked,
            **kept,
        )
        Ways.objects.create(seller=seller, changed_by=by)
        Prefetch.objects.create(seller=seller, facility=printed.facility, last_asked=1)
        waiting = PrintJob.objects.create(
            asked_for=1, says=f"waits {word}", wake_at=timezone.now() + timedelta(hours=1), **asked
        )
        PrintJobLine.objects.create(seller=seller, job=waiting, shipment=shipment, document=document, is_claim=True)
        GoLiveCheck.objects.create(name="payments", passed=False, **asked, **ended)
        PackageSize.objects.create(seller=seller, sku=f"SKU-{word}", length=30, breadth=20, height=5, weight="0.4")
    return document, job, waiting, sheet, [label, dispatch, waiting, cancellation, told]


def _keys(
    seller: Seller, packer: User, member: Member, connection: models.Model, entry: models.Model, shipment: Shipment
) -> dict[str, str]:
    """Of the rows that the admin shows."""
    own = {
        "sellers_seller": seller,
        "sellers_user": packer,
        "free_user": factories.user(),
        "sellers_member": member,
        "sellers_connection": connection,
        "shipcrowd_auditentry": entry,
        "orders_shipment": shipment,
    }
    keys = dict(nobody().keys) | {name: str(row.pk) for name, row in own.items()}
    return keys | {"content_type": str(ContentType.objects.get_for_model(Seller).pk)}


def _nobodys_rows(seller: Seller, word: str) -> dict[str, str]:
    """Of tables that belong to no seller: failed log-ins, and what is and was in the queue."""
    tried = {"username": f"packer-{word}", "ip_address": "192.0.2.1", "user_agent": word, "path_info": "/login/"}
    queue.ring(seller.pk, "poll")
    now = timezone.now()
    task = {"func": "shipcrowd.queue.work", "kwargs": {"seller_id": seller.pk}, "started": now, "stopped": now}
    rows = {
        "axes_accessattempt": AccessAttempt.objects.create(failures_since_start=1, **tried),
        "axes_accesslog": AccessLog.objects.create(**tried),
        "axes_accessfailurelog": AccessFailureLog.objects.create(**tried),
        "django_q_schedule": Schedule.objects.create(name=word, func="shipcrowd.queue.work"),
        "django_q_success": Success.objects.create(id=uuid4().hex, name=word, success=True, **task),
        "django_q_failure": Failure.objects.create(id=uuid4().hex, name=word, success=False, result=word, **task),
        "django_q_ormq": OrmQ.objects.latest("pk"),
    }
    return {name: str(row.pk) for name, row in rows.items()}
