"""Every route × every role × own, other and missing rows: who is answered what, and that nothing leaks (trust 53).

`tests/matrix.py` says how each is made. One world is made for all questions, and each question is rolled back.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from html import unescape
from typing import Any
from urllib.parse import quote, unquote_plus

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import override_settings

from shipcrowd import transport
from shipcrowd.simulator import Simulator, mounted
from shipcrowd.tenancy import OPS_ROLE
from tests import matrix
from tests.conftest import SIMULATOR
from tests.matrix import (
    ANONYMOUS,
    ASKED,
    FIRST,
    NEWCOMER,
    OPS,
    OPS_WITH_REASON,
    OWN,
    OWNER,
    ROLES,
    ROUTES,
    SECOND,
    SMUGGLED,
    SMUGGLED_NONE,
    STRANGER,
    AdminPage,
    Outside,
    Route,
    SellersPage,
    World,
)
from tests.overheard import OVERHEARD

pytestmark = pytest.mark.django_db  # within the world's transaction
EVERY_TIME = (STRANGER,)  # the other roles are asked with the slow tests
CASES = [
    pytest.param(
        *(route, role, whose),
        id=f"{route.name} - {role} - {whose}",
        marks=() if role in EVERY_TIME else pytest.mark.slow,
    )
    for route in ROUTES
    for role in ROLES
    for whose in route.whose(role)
]
POSTS = [
    pytest.param(route, id=route.name)
    for route in ROUTES
    if route.expected(matrix.actor(route), OWN, "POST") not in (400, 403, 404, 405)
]
EVERYONES_AUDIT = ("shipcrowd_auditentry", None)  # that ops looked at all sellers is written down
_DRAWN_ANEW = re.compile(  # a form's token, a link's secret, and the key of a row that the question made
    r"""(?<=value=")[A-Za-z0-9]{64}(?=")|(?<=/invitation/)[\w-]{43}(?=/)|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"""
)


@dataclass(frozen=True)
class Answer:
    """What came back, and which rows of which seller were changed: (table, seller's key or None)."""

    status: int
    shown: str  # body, headers, cookies, and the messages that wait for the next page; without what was asked
    changed: frozenset[tuple[str, int | None]]
    error: str = ""


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(calls_per_minute=None)
    transport.mount(SIMULATOR, mounted(simulator))
    yield simulator
    transport.mount(SIMULATOR, None)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, simulator: Simulator) -> Iterator[World]:
    with django_db_blocker.unblock():
        with _rolled_back():
            made = matrix.make_world(simulator)
            made.before = _fingerprint()
            yield made
        connection.close()


@pytest.fixture(autouse=True)
def what_the_world_hides_is_not_logged(request: pytest.FixtureRequest) -> Iterator[None]:
    """trust 66: the world is older than each test, which must hear of it anew."""
    if "world" not in request.fixturenames:
        yield
        return
    world, simulator = request.getfixturevalue("world"), request.getfixturevalue("simulator")
    yield
    OVERHEARD.plant_words(world.never_logged)
    OVERHEARD.plant(simulator)


# --- The table is whole ----------------------------------------------------------------------------------------------


def test_every_route_of_the_resolver_has_an_entry_and_every_entry_a_route():
    """trust 53: a new route without a line in tests/matrix.py fails here, by name."""
    known = Counter(matrix.resolver_routes())
    entries = Counter(route.name for route in ROUTES)

    assert {"without an entry": known - entries, "without a route": entries - known} == {
        "without an entry": Counter(),
        "without a route": Counter(),
    }


def test_every_table_of_a_seller_has_rows_of_both_sellers_to_be_found(world):
    """A new table fails here until `matrix.plant` fills it."""
    planted = set(world.before)
    tables = {model._meta.db_table for model in apps.get_models() if _is_a_sellers(model)}
    both = [world.sellers[FIRST].pk, world.sellers[SECOND].pk]

    assert len(tables) > 20
    assert {(table, pk) for table in tables for pk in both} - planted == set()


# --- Who is answered what --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("route", "role", "whose"), CASES)
def test_a_route_answers_each_role_as_the_table_says_and_tells_nothing_of_what_is_not_theirs(world, route, role, whose):
    """trust 53, 55, 56, 59, 76: status, no leak, the same answer as for what is not there, nothing changed."""
    for method in route.methods(role, whose):
        answer = ask(world, route, role, whose, method)

        assert answer.error == ""
        if whose not in (SMUGGLED, SMUGGLED_NONE):
            assert (method, answer.status) == (method, route.expected(role, whose, method))
        assert answer.status < 500 or route.name == "portal:healthz"
        assert _leaked(world, route, role, whose, answer) == []
        assert _touched_wrongly(world, route, role, whose, answer) == set()
        if (twin := route.same_as(role, whose)) is not None:
            missing = ask(world, route, role, twin, method)
            assert (answer.status, answer.shown) == (missing.status, missing.shown)


def test_what_is_kept_from_others_is_shown_to_the_sellers_own_people(world):
    """Else "nothing leaks" would hold for empty pages too."""
    word = "zebracorn"
    pages = "\n".join(
        ask(world, route, OWNER, OWN, method).shown for route in ROUTES for method in ("GET", "POST")
    ).lower()

    shown = (f"{word} traders", f"sku-{word}-1", f"{word} shirt", f"od-{word}-1", f"ship-{word}-3", f"fmpp-{word}-3")
    shown += (f"buyer {word}", "9876500001", f"{word} godown", f"{word} happened", f"packer-{word}", f"pull {word}")
    shown += (f"refused {word}", f"waits {word}", f"left out {word}", f"{word} hole", f"label of {word}")
    assert [text for text in shown if text not in pages] == []


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if isinstance(route, SellersPage) and route.post != 405], ids=lambda r: r.name
)
def test_what_changes_something_wants_the_forms_own_token(world, route):
    """No page of a seller's acts on a form that came from elsewhere."""
    answer = ask(world, route, OWNER, OWN, "POST", enforce_csrf_checks=True)

    assert answer.status == 403
    assert answer.changed == frozenset()


# --- Fields that no form has -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", POSTS)
def test_fields_that_a_form_does_not_have_change_nothing(world, route):
    """trust 57, 58: every column of every table of ours is sent along; what is written is the same as without."""
    role = matrix.actor(route)
    sent = matrix.sent(route, world.rows, OWN)
    crafted = {name: value for name, value in _every_column(world).items() if name not in {*sent, *route.takes}}

    plain = _written(world, route, role, sent)
    crafty = _written(world, route, role, crafted | sent)

    assert crafty == plain


def _every_column(world: World) -> dict[str, Any]:
    """A value for each field of each model of ours that would be a prize."""
    found: dict[str, Any] = {}
    for model in apps.get_models():
        if model._meta.app_label in ("sellers", "orders", "fulfillment", "shipcrowd", "returns"):
            for column in model._meta.local_fields:
                found |= dict.fromkeys({column.name, column.attname}, _prize(column.name, column.get_internal_type()))
    other = world.rows[SECOND]
    theirs = {
        "seller": world.sellers[SECOND].pk,
        "seller_id": world.sellers[SECOND].pk,
        "about": other.keys["sellers_seller"],
    }
    return found | theirs | {"user": other.keys["sellers_user"], "user_id": other.keys["sellers_user"], "slug": "taken"}


def _prize(name: str, kind: str) -> str:
    words = {"role": "owner", "state": "done", "standing": "disconnected", "standing_says": "crafted"}
    kinds = {"BooleanField": "on", "DateTimeField": "2000-01-01 00:00", "EmailField": "crafted@evil.example"}
    return words.get(name) or kinds.get(kind) or ("1" if "Integer" in kind or kind == "ForeignKey" else "crafted")


# --- Asking ----------------------------------------------------------------------------------------------------------


def ask(world: World, route: Route, role: str, whose: str, method: str, **options: Any) -> Answer:
    """One question, rolled back; the same one is asked once."""
    question = (route.name, role, whose, method, *options)
    if question not in world.heard:
        world.heard[question] = _ask(world, route, role, whose, method, **options)
    return world.heard[question]


def _ask(world: World, route: Route, role: str, whose: str, method: str, **options: Any) -> Answer:
    sent = matrix.sent(route, world.rows, whose)
    address = route.address(world.rows, whose)
    wrote: list[str] = []
    with _rolled_back(), _noting_writes(wrote), override_settings(**route.settings):
        client = world.client(role, **options)
        response = client.get(address, sent) if method == "GET" else client.post(address, sent)
        shown = _shown(response)
        after = _fingerprint() if wrote else world.before
        error = repr(client.exc_info) if client.exc_info else ""
    changed = {key for key in after.keys() | world.before.keys() if after.get(key) != world.before.get(key)}
    asked = [*(matrix.values(route, world.rows, whose)), *_plain(sent)]
    told = _without(shown, address, response.wsgi_request.get_full_path(), asked)
    return Answer(response.status_code, told, frozenset(changed), error)


def _plain(sent: dict[str, Any]) -> list[str]:
    return [one for value in sent.values() for one in ([value] if isinstance(value, str) else value)]


def _shown(response: HttpResponse) -> str:
    headers = "\n".join(
        f"{name}: {value}" for name, value in sorted(response.items()) if name not in ("Content-Length", "Expires")
    )
    cookies = " ".join(sorted(name for name in response.cookies))
    waiting = getattr(response.wsgi_request, "_messages", None)
    messages = [str(message) for message in getattr(waiting, "_queued_messages", ())]
    return "\n".join((headers, cookies, *messages, unescape(response.getvalue().decode(errors="replace"))))


def _without(shown: str, address: str, whole_address: str, asked: list[str]) -> str:
    """What is told beside the words of the question itself."""
    for words in (whole_address, address, *sorted((word for word in asked if len(word) > 3), key=len, reverse=True)):
        for form in (words, quote(words), quote(words, safe=""), unquote_plus(words)):
            shown = shown.replace(form, "<asked>")
    return _DRAWN_ANEW.sub("<new>", shown)


def _leaked(world: World, route: Route, role: str, whose: str, answer: Answer) -> list[str]:
    """Words of sellers that this role does not work for."""
    of_row = ASKED[whose][1]
    hidden_of = [
        name
        for name in (FIRST, SECOND)
        if not matrix.may_see(role, name) and not (route.name == "invitation" and of_row == name)
    ]
    shown = answer.shown.lower()
    return [word for name in hidden_of for word in world.words[name] if word.lower() in shown]


def _touched_wrongly(world: World, route: Route, role: str, whose: str, answer: Answer) -> set[tuple[str, int | None]]:
    """Changes of the seller that was not asked about or is not theirs; where the answer is a refusal, any change."""
    is_ops = role in (OPS, OPS_WITH_REASON)
    changed = {key for key in answer.changed if not (is_ops and key == EVERYONES_AUDIT)}
    is_sent_away = not isinstance(route, Outside) and (
        role in (ANONYMOUS, NEWCOMER) or (isinstance(route, AdminPage) and not is_ops)
    )
    if is_sent_away or answer.status in (400, 403, 404, 405):
        return changed
    if route.is_secret:
        return set()
    asked_about = ASKED[whose][0] if route.has_slug or route.row else FIRST
    foreign = {
        world.sellers[name].pk for name in (FIRST, SECOND) if name != asked_about or not matrix.may_see(role, name)
    }
    return {key for key in changed if key[1] in foreign}


# --- What was written ------------------------------------------------------------------------------------------------


def _is_a_sellers(model: Any) -> bool:
    return any(column.name == "seller" for column in model._meta.local_fields)


def _owner_columns() -> dict[str, str]:
    """By table, the column that says whose a row is."""
    found = {model._meta.db_table: "seller_id" for model in apps.get_models() if _is_a_sellers(model)}
    return found | {"sellers_seller": "id", "sellers_user": "null::bigint", "shipcrowd_auditentry": "about_id"}


def _fingerprint() -> dict[tuple[str, int | None], str]:
    """By table and seller, a digest of the rows; read as platform ops."""
    parts = " union all ".join(
        f"select '{table}', {column}, md5(string_agg(t::text, '|' order by t.id)) from \"{table}\" t group by 2"
        for table, column in _owner_columns().items()
    )
    return {(table, seller): digest for table, seller, digest in _as_ops(parts)}


def _as_ops(sql: str) -> list[tuple[Any, ...]]:
    with _rolled_back(), connection.cursor() as cursor:
        cursor.execute(f"set local role {OPS_ROLE}")
        cursor.execute(sql)
        return cursor.fetchall()


def _written(world: World, route: Route, role: str, sent: dict[str, Any]) -> tuple[int, dict[str, Any], list[str]]:
    """Status, changed columns by row, and new rows; of keys and times made anew only that they are."""
    with _rolled_back(), override_settings(**route.settings):
        before = _rows()
        response = world.client(role).post(route.address(world.rows, OWN), sent)
        after = _rows()
    changed = {
        f"{table} {key} {column}": _likeness(table, column, value, before)
        for (table, key), row in after.items()
        for column, value in row.items()
        if (table, key) in before and before[table, key][column] != value
    }
    new = [
        f"{table} { {column: _likeness(table, column, value, before) for column, value in row.items()} }"
        for (table, key), row in after.items()
        if (table, key) not in before
    ]
    gone = [f"gone: {table} {key}" for table, key in before.keys() - after.keys()]
    return response.status_code, changed, sorted(new + gone)


def _rows() -> dict[tuple[str, str], dict[str, Any]]:
    tables = [*_owner_columns(), "sellers_user_groups", "sellers_user_user_permissions"]
    parts = " union all ".join(
        f"select '{table}', t.id::text, row_to_json(t)::text from \"{table}\" t" for table in tables
    )
    return {(table, key): json.loads(row) for table, key, row in _as_ops(parts)}


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_RANDOM = re.compile(r"[0-9a-f]{64}\Z|[0-9a-f-]{36}\Z|md5\$|\\x[0-9a-f]{40,}")


def _likeness(table: str, column: str, value: Any, before: dict[tuple[str, str], Any]) -> Any:
    """The value, but for what is drawn anew each time: keys of new rows, times, secrets."""
    if (_refers_to().get((table, column), ""), str(value)) in before or value is None:
        return value
    if (table, column) in _refers_to():
        return "a new key"
    if column == "rows":
        return len(value)  # of an audit entry: keys
    if isinstance(value, str) and (_RANDOM.match(value) or (_TIME.match(value) and not value.startswith("2000"))):
        return "drawn anew"
    return value


@cache
def _refers_to() -> dict[tuple[str, str], str]:
    """By table and column, the table whose key stands there."""
    found = {}
    for model in apps.get_models():
        for column in model._meta.local_fields:
            if column.is_relation or column.primary_key:
                target = column.related_model if column.is_relation else model
                found[model._meta.db_table, column.column] = target._meta.db_table
    return found


@contextmanager
def _rolled_back() -> Iterator[None]:
    """A transaction, or a savepoint in one, that leaves nothing; calls to Flipkart do not count it as ours."""
    block = transaction.atomic()
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)


@contextmanager
def _noting_writes(wrote: list[str]) -> Iterator[None]:
    def note(execute: Any, sql: str, *others: Any) -> Any:
        word = sql.lstrip().split(" ", 1)[0].lower()
        if word in ("insert", "update", "delete", "with") and "django_session" not in sql[:60]:
            wrote.append(sql[:60])
        return execute(sql, *others)

    with connection.execute_wrapper(note):
        yield
