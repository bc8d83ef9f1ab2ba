"""Planted secrets and persons, looked for in every log line, error and repr (trust.md 66)."""

import dataclasses
import inspect
import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shipcrowd import transport
from shipcrowd.flipkart import types
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.tokens import grant_by_client_credentials, grant_by_code, grant_by_refresh
from shipcrowd.flipkart.types import Page, Papers, RowOutcome, SearchAnswer, Span, State, Token, Window
from shipcrowd.flipkart.wire import wire_named
from shipcrowd.simulator import Simulator, mounted
from shipcrowd.transport import Answer, Request, Transport, errors
from shipcrowd.transport.errors import CallFailed, NotAuthorized, Refused, RowError
from tests.flipkart.rows import answer, page, parcels, row
from tests.flipkart.scripted import Tokens, flipkart_saying
from tests.transport.servers import serving

SECRET = "eyJhbGciOiJIUzI1NiJ9.planted-Secret-7Qx.9f8e7d"
CLIENT_SECRET = "5f3c9a71e0planted-client-secret"
NAME = "Lakshmi Planted-Name"
PHONE = "+919812345670"
STREET = "77 Planted Street"
PLANTED = (SECRET, CLIENT_SECRET, NAME, PHONE, STREET)


def walked(client: FlipkartClient, state: State) -> list[Page]:
    window = Window(
        of=Span.ORDERED, begins_at=datetime(2020, 1, 1, tzinfo=UTC), ends_at=datetime(2100, 1, 1, tzinfo=UTC)
    )
    return [page for part in client.searches([state]) for page in client.shipment_pages(part=part, window=window)]


def nothing_planted_in(text: str) -> None:
    assert [planted for planted in PLANTED if planted in text] == []


def every_word_of(error: BaseException) -> str:
    """Text, repr, attributes and the whole traceback of `error` and of all that hangs on it."""
    seen: list[str] = []
    link: BaseException | None = error
    while link is not None:
        seen += [str(link), repr(link), repr(vars(link)), repr(link.args)]
        link = link.__cause__ or link.__context__
    return "\n".join(seen + traceback.format_exception(error))


def error_classes() -> list[type[CallFailed]]:
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CallFailed)]


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_no_error_shows_a_code_that_is_a_secret(kind):
    takes = inspect.signature(kind.__init__).parameters
    given = {"code": SECRET, "rows": [RowError(code=PHONE, path=NAME)]}

    error = kind("dispatch", **{name: value for name, value in given.items() if name in takes})

    assert str(error).startswith("dispatch")
    nothing_planted_in(every_word_of(error))


@pytest.mark.parametrize(
    "word", [SECRET, CLIENT_SECRET, NAME, PHONE, "919812345670", "a9812345670", "deadBEEF", "A" * 65, "", None, 7]
)
def test_what_does_not_look_like_a_code_is_none(word):
    assert errors.safe_code(word) == ""


@pytest.mark.parametrize("word", ["INVALID_STATE", "invalid_token", "ORDER_ITEM_NOT_PACKED", "E1001", "not-found"])
def test_what_looks_like_a_code_is_kept(word):
    assert errors.safe_code(word) == word


def test_the_values_that_hold_secrets_and_persons_do_not_show_them():
    ask = Request(
        "POST", "/x", operation="token", form={"client_secret": CLIENT_SECRET}, basic_auth=("a", CLIENT_SECRET),
        query={"refresh_token": SECRET}, json={"name": NAME},
    )  # fmt: skip
    found = wire_named("guide").decode_shipments(
        answer(page(row(buyerDetails={"name": NAME, "phone": PHONE}, shippingAddress={"name": NAME, "phone": PHONE})))
    )
    shown = [
        ask,
        Answer(200, {"Set-Cookie": SECRET}, NAME.encode()),
        Token(access_token=SECRET, refresh_token=SECRET, expires_in=timedelta(days=60)),
        Papers(flipkart_shipment_id="SHIP1", label=NAME.encode()),
        RowOutcome(id="SHIP1", ok=False, message=f"call {NAME} at {PHONE}"),
        SearchAnswer(shipments=(), unreadable=(), next_marker=SECRET),
        found,
        found.shipments[0].shipping_address,
        *found.shipments,
    ]

    assert found.shipments[0].buyer_name == NAME
    nothing_planted_in("\n".join(f"{value} {value!r}" for value in shown))


def test_every_type_that_can_hold_a_person_hides_that_field():
    shown = {
        f"{kind.__name__}.{field.name}"
        for _, kind in inspect.getmembers(types, dataclasses.is_dataclass)
        for field in dataclasses.fields(kind)
        if field.repr and any(word in field.name for word in ("name", "phone", "line", "token", "message", "landmark"))
    }

    assert shown == {"Shipment.location_name", "SearchPart.name", "Form.name"}


HOSTILE_ANSWERS = [
    (401, {"error": SECRET, "error_description": NAME}),
    (403, {"errors": [{"code": SECRET, "message": NAME, "path": PHONE}]}),
    (400, {"error": NAME, "errors": [{"code": PHONE}]}),
    (422, {"errors": [{"code": NAME, "message": PHONE, "path": STREET}]}),
    (429, {"errors": [{"code": SECRET}]}),
    (500, {"message": f"{NAME} {SECRET}"}),
    (302, {"location": SECRET}),
    (200, f"{NAME} {PHONE} {SECRET}"),
    (200, {"shipments": NAME, "shippingDetails": PHONE, "labelResponses": STREET, "status": {NAME: PHONE}}),
    (200, {"successful": NAME, "failed": PHONE}),
    (200, {"access_token": f"{SECRET} {NAME}", "token_type": NAME}),
]


@pytest.mark.parametrize("said", HOSTILE_ANSWERS)
def test_no_error_of_any_operation_repeats_what_the_other_side_wrote_or_what_we_sent(said, caplog):
    caplog.set_level(logging.DEBUG)
    guide = wire_named("guide")
    keys = {"client_id": "app_1", "client_secret": CLIENT_SECRET}

    def failing(call: Callable[[FlipkartClient, Transport], object]) -> None:
        with flipkart_saying(said, said, tokens=Tokens(SECRET, SECRET + "2")) as (client, _, _):
            try:
                found = call(client, client._transport)
            except CallFailed as error:
                words.append(every_word_of(error))
            else:
                words.append(repr(found))

    words: list[str] = []
    failing(lambda client, _: walked(client, State.APPROVED))
    failing(lambda client, _: client.fetch_shipments(["A"]))
    failing(lambda client, _: client.fetch_shipping_details(["A"]))
    failing(lambda client, _: client.generate_labels(parcels(["A"])))
    failing(lambda client, _: client.download_papers(["A"]))
    failing(lambda client, _: client.dispatch(["A"]))
    failing(lambda _, line: grant_by_client_credentials(line, guide, **keys))
    failing(lambda _, line: grant_by_client_credentials(line, guide, **keys, basic=True))
    failing(
        lambda _, line: grant_by_code(
            line, guide, **keys, code=SECRET, redirect_uri="https://portal.test/cb", state=SECRET
        )
    )
    failing(lambda _, line: grant_by_refresh(line, guide, **keys, refresh_token=SECRET))

    assert len(words) == 10
    nothing_planted_in("\n".join(words))
    nothing_planted_in(caplog.text)
    assert "shipcrowd.transport" in caplog.text


@pytest.mark.parametrize("broken", [b"", b"no http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_a_broken_connection_shows_neither_header_nor_form(broken, caplog):
    caplog.set_level(logging.DEBUG)
    ask = Request("POST", "/oauth-service/oauth/token", operation="token", form={"client_secret": CLIENT_SECRET})
    with serving(broken) as server:
        line = Transport(server.url)
        with pytest.raises(CallFailed) as failure:
            line.send(ask, bearer=SECRET)
        line.close()

    nothing_planted_in(every_word_of(failure.value))
    nothing_planted_in(caplog.text)


@pytest.mark.parametrize("answering", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"", b"no http\r\n\r\n"])
def test_a_secret_in_a_query_is_not_printed(answering, caplog):
    """wire.md 2: Flipkart's published grants are asked by GET."""
    caplog.set_level(logging.DEBUG)
    ask = wire_named("official").encode_refresh(client_id="app", client_secret=CLIENT_SECRET, refresh_token=SECRET)
    words = [repr(ask)]
    with serving(answering) as server:
        line = Transport(server.url)
        try:
            line.send(ask)
        except CallFailed as error:
            words.append(every_word_of(error))
        line.close()

    assert SECRET.encode() in server.requests[0]
    nothing_planted_in("\n".join(words))
    nothing_planted_in(caplog.text)


def test_headers_that_cannot_be_parsed_are_not_printed_with_what_follows_them(caplog):
    caplog.set_level(logging.DEBUG)
    with serving(f"HTTP/1.1 200 OK\r\nno header\r\nX-Name: {NAME}\r\n\r\n{PHONE}".encode()) as server:
        line = Transport(server.url)
        line.send(Request("GET", "/v3/shipments/A", operation="shipments"))
        line.close()

    assert "shipments answered 200" in caplog.text
    nothing_planted_in(caplog.text)


def test_a_whole_day_with_every_fault_logs_nothing_that_was_planted(caplog):
    caplog.set_level(logging.DEBUG)
    simulator = Simulator(seed=3, portal_secret=CLIENT_SECRET, calls_per_minute=None)
    account = simulator.world.add_seller("Planted")
    account.client_secret = CLIENT_SECRET
    added = simulator.world.add_shipments(
        account, 60, buyer_name=NAME, phone=PHONE, address_line1=STREET, states="PACKED"
    )
    transport.mount("http://planted.invalid", mounted(simulator))
    try:
        words = walk_through_every_fault(simulator, account.client_id, added)
    finally:
        transport.mount("http://planted.invalid", None)

    assert len(words) > 20
    nothing_planted_in("\n".join(words))
    nothing_planted_in(caplog.text)
    lines = [record for record in caplog.records if record.name == "shipcrowd.transport"]
    assert {record.args[0] for record in lines} == {
        "token", "search", "shipments", "shipping_details", "generate_labels", "download_labels", "dispatch"
    }  # fmt: skip
    assert len(lines) == len(simulator.ledger.calls)


def walk_through_every_fault(simulator: Simulator, client_id: str, added: list[str]) -> list[str]:
    """Each operation under each fault that can befall it; everything that errors and values show."""
    line = Transport("http://planted.invalid")
    guide = wire_named("guide")
    token = grant_by_client_credentials(line, guide, client_id=client_id, client_secret=CLIENT_SECRET)
    client = FlipkartClient(transport=line, wire=guide, tokens=Tokens(token.access_token))
    calls: dict[str, Callable[[], object]] = {
        "search": lambda: walked(client, State.PACKED),
        "shipments": lambda: client.fetch_shipments(added[:5]),
        "shipping_details": lambda: client.fetch_shipping_details(added[:5]),
        "generate_labels": lambda: client.generate_labels(parcels(added[:5])),
        "download_labels": lambda: client.download_papers(added[:2]),
        "dispatch": lambda: client.dispatch(added[:5]),
    }
    kinds = ("", "drop_after", "throttled", "server_error", "html", "truncated", "missing_field", "forbidden", "slow")
    words = [repr(token)]
    for operation, call in calls.items():
        for kind in kinds:
            if kind:
                simulator.faults.set(operation, kind)
            try:
                words.append(repr(call()))
            except CallFailed as error:
                words.append(every_word_of(error))
            simulator.faults.clear()
    assert not [word for word in words if token.access_token in word]
    return words


def test_the_search_for_planted_words_finds_them():
    """The canary is alive: an error that repeats a body would be caught by the tests above."""
    try:
        raise NotAuthorized("token", f"no client with secret {CLIENT_SECRET}")
    except NotAuthorized as error:
        with pytest.raises(AssertionError):
            nothing_planted_in(every_word_of(error))
    with pytest.raises(AssertionError):
        nothing_planted_in(every_word_of(Refused("dispatch", f"{NAME} refused")))
