"""The smoke walk: every read-only operation once, what is new named by its path, and nobody's data in it."""

import io
import re

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from sellers.models import Connection, Standing, WireName
from shipcrowd.simulator.official import rows
from tests import factories

OFFICIAL = [
    "search before dispatch",
    "search before dispatch, next page",
    "search before dispatch, express",
    "search before dispatch, held",
    "search after dispatch",
    "search cancelled by the seller",
    "search cancelled by the buyer",
    "search cancelled by the marketplace",
    "shipments by id",
    "shipping details",
    "papers",
    "labels only",
    "invoices",
    "forms",
    "hand-over counts of location 1",
    "hand-over counts of location 2",
]


@pytest.fixture
def connected(db, flipkart):
    found = factories.connected_seller(flipkart, facilities=2, wire=WireName.OFFICIAL)
    a_day(flipkart, found.account)
    return found


def a_day(flipkart, account) -> None:
    world = flipkart.world
    world.add_shipments(account, 25)
    world.add_shipments(account, 2, states=["PACKED", "READY_TO_DISPATCH"])
    world.add_shipments(account, 1, states="CANCELLED")


def smoke(connection_id) -> tuple[int, str]:
    """The exit code and what was printed."""
    out, code = io.StringIO(), 0
    try:
        call_command("flipkart_smoke", connection=str(connection_id), stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, out.getvalue()


def operations(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\S[^:\n]*): (answered|FAILED|not asked)", text, re.MULTILINE))


def test_every_operation_that_changes_nothing_is_asked_once(connected, flipkart):
    effects = len(flipkart.ledger.effects)

    code, text = smoke(connected.connection.pk)

    assert (code, operations(text)) == (0, dict.fromkeys(OFFICIAL, "answered"))
    first = next(line for line in text.splitlines() if line.startswith("search before dispatch: "))
    assert first.startswith("search before dispatch: answered: 20 shipments (20 APPROVED; 20 PREPAID; 20 NORMAL), more")
    assert "shipments: list of 20" in first
    assert "UNKNOWN" not in text
    assert flipkart.ledger.attempts == []
    assert len(flipkart.ledger.effects) == effects


def test_the_guides_format_is_walked_as_well(flipkart, db):
    connected = factories.connected_seller(flipkart)
    a_day(flipkart, connected.account)

    code, text = smoke(connected.connection.pk)

    assert code == 0
    assert set(operations(text).values()) == {"answered"}
    assert {"shipments by id", "shipping details", "papers"} < operations(text).keys()


def test_nobody_and_no_id_is_told(connected, flipkart):
    _code, text = smoke(connected.connection.pk)

    told = {
        word
        for one in connected.account.shipments.values()
        for word in (one.official_id, one.order_id, one.buyer_name, one.phone, one.address_line1, one.tracking_id)
        if word and word in text
    }
    assert told == set()
    assert connected.account.client_secret not in text


def test_what_this_version_does_not_read_is_named_by_its_path(connected, monkeypatch):
    plain = rows._row
    monkeypatch.setattr(rows, "_row", lambda *args: {**plain(*args), "giftNote": "for Asha", "route": {"hub": "BLR"}})

    code, text = smoke(connected.connection.pk)

    assert code == 0
    assert "shipments[].giftNote (text), " in text
    assert "shipments[].route (object)" in text
    assert "Asha" not in text


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"operation": "search", "kind": "unknown_state", "word": "TELEPORTED"}, "  UNKNOWN state 'TELEPORTED'"),
        (
            {"operation": "shipments", "kind": "missing_field", "field": "shipmentId"},
            "  UNKNOWN shipments[0].shipmentId: missing",
        ),
        ({"operation": "forms", "kind": "server_error"}, "forms: FAILED: forms: "),
        ({"operation": "download_labels", "kind": "not_a_pdf"}, "papers: FAILED: download_labels: "),
    ],
)
def test_what_cannot_be_read_is_said_and_the_walk_goes_on(connected, flipkart, fault, says):
    flipkart.faults.set(fault.pop("operation"), fault.pop("kind"), **fault)

    code, text = smoke(connected.connection.pk)

    assert says in text
    assert (code, list(operations(text))) == (1, OFFICIAL)


def test_a_way_to_the_next_page_that_leads_nowhere_is_said(connected, flipkart):
    flipkart.faults.set("search", "has_more_without_marker")

    code, text = smoke(connected.connection.pk)

    assert "search before dispatch, its end: FAILED: search: nextPageUrl: missing" in text
    assert code == 1


def test_where_access_is_refused_the_walk_ends(connected, flipkart):
    flipkart.faults.set("search", "forbidden", times=None)

    code, text = smoke(connected.connection.pk)

    assert (code, list(operations(text))) == (1, ["search"])
    assert "nothing more is asked" in text


def test_an_empty_account_is_no_failure(flipkart, db):
    connected = factories.connected_seller(flipkart, wire=WireName.OFFICIAL)

    code, text = smoke(connected.connection.pk)

    assert code == 0
    assert operations(text)["papers"] == "not asked"
    assert "papers: not asked: no shipment to ask for" in text


def test_a_connection_that_is_not_there_or_ended_is_said_to_be_so(connected):
    for wrong in ("7", "5c6d1c3a-0f6e-4e0e-9a51-0a7d5f6f0a11"):
        with pytest.raises(CommandError, match=f"There is no such connection(?s:.*){connected.connection.pk}"):
            smoke(wrong)

    with factories.ops():
        Connection.objects.update(standing=Standing.RECONNECT)
    with pytest.raises(CommandError, match="connect"):
        smoke(connected.connection.pk)
