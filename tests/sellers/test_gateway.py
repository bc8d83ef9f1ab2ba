"""The gateway: when a client is given out, when a call is refused, and what ends a connection."""

import pytest
from django.db import transaction

from sellers import gateway
from sellers.gateway import LeavesTheSimulator, NotConnected, SendingIsOff, TransactionIsOpen
from sellers.models import Connection, Standing
from shipcrowd.tenancy import everyone_scope, seller_scope
from shipcrowd.transport.errors import Broken, NotAuthorized, Refused, Unreachable
from tests import factories
from tests.factories import reload
from tests.flipkart.rows import parcels

FORBIDDEN = NotAuthorized("search", status=403)


def change(connected, **values: object) -> None:
    with seller_scope(connected.seller):
        Connection.objects.filter(pk=connected.connection.pk).update(**values)


def test_a_connected_seller_reads_its_own_shipments(connected, flipkart):
    (shipment_id,) = flipkart.world.add_shipments(connected.account, 1)

    page = gateway.client_for(connected.seller.pk).fetch_shipments([shipment_id])

    assert [shipment.flipkart_shipment_id for shipment in page.shipments] == [shipment_id]


def test_another_sellers_shipments_are_not_there(connected, flipkart):
    other = factories.connected_seller(flipkart)
    (shipment_id,) = flipkart.world.add_shipments(other.account, 1)

    with pytest.raises(Refused):
        gateway.client_for(connected.seller.pk).fetch_shipments([shipment_id])


def test_a_seller_that_was_never_connected_gets_no_client(seller):
    with pytest.raises(NotConnected) as refused:
        gateway.client_for(seller.pk)

    assert refused.value.says == "This seller is not connected to Flipkart."


@pytest.mark.parametrize("standing", [Standing.DISCONNECTED, Standing.RECONNECT])
def test_a_connection_that_ended_gives_no_client_and_stops_one_that_was_given(
    connected, flipkart, standing, shipment_id
):
    client = gateway.client_for(connected.seller.pk)
    change(connected, standing=standing, says="a reason")

    with pytest.raises(NotConnected):
        gateway.client_for(connected.seller.pk)
    with pytest.raises(NotConnected):
        client.fetch_shipments([shipment_id])
    assert flipkart.ledger.calls == []


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_a_demo_seller_never_leaves_the_simulator(db, flipkart, environment):
    connected = factories.connected_seller(flipkart, is_demo=True)
    assert gateway.client_for(connected.seller.pk)

    change(connected, environment=environment)

    with pytest.raises(LeavesTheSimulator):
        gateway.client_for(connected.seller.pk)


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ("simulator", "http://simulator.test"),
        ("sandbox", "https://sandbox-api.flipkart.net"),
        ("production", "https://api.flipkart.net"),
    ],
)
def test_each_environment_has_its_own_host(connected, environment, host):
    """trust.md 34: it comes from our own settings and the wire, never from an answer."""
    wire = gateway.wire_named("guide")

    assert gateway.base_url_of(connected.seller, environment, wire) == host


def test_no_call_is_made_while_a_transaction_of_ours_is_open(connected, flipkart, shipment_id):
    client = gateway.client_for(connected.seller.pk)
    flipkart_calls = len(flipkart.ledger.calls)

    with seller_scope(connected.seller), pytest.raises(TransactionIsOpen):
        client.fetch_shipments([shipment_id])
    with seller_scope(connected.seller), pytest.raises(TransactionIsOpen):
        gateway.client_for(connected.seller.pk)
    with transaction.atomic(), pytest.raises(TransactionIsOpen):
        gateway.client_for(connected.seller.pk)
    with everyone_scope("a test"), pytest.raises(TransactionIsOpen):
        gateway.client_for(connected.seller.pk)

    assert len(flipkart.ledger.calls) == flipkart_calls
    assert len(client.fetch_shipments([shipment_id]).shipments) == 1


def test_sending_off_stops_effects_and_leaves_reads(connected, flipkart, settings, shipment_id):
    settings.SENDING = False
    client = gateway.client_for(connected.seller.pk)

    with pytest.raises(SendingIsOff):
        client.generate_labels(parcels([shipment_id]))
    with pytest.raises(SendingIsOff):
        client.dispatch([shipment_id])

    client.fetch_shipments([shipment_id])
    assert {call.operation for call in flipkart.ledger.calls} == {"token", "shipments"}


def test_three_times_forbidden_ends_the_connection(connected):
    for _ in range(2):
        gateway.heard(connected.seller.pk, FORBIDDEN)
    assert reload(connected.connection).is_connected

    gateway.heard(connected.seller.pk, FORBIDDEN)

    row = reload(connected.connection)
    assert row.standing == Standing.RECONNECT
    assert row.says.startswith("Flipkart answers “forbidden” to everything")


def test_a_good_answer_between_forbids_nothing(connected):
    for error in (FORBIDDEN, FORBIDDEN, None, FORBIDDEN, FORBIDDEN):
        gateway.heard(connected.seller.pk, error)

    assert reload(connected.connection).is_connected


def test_other_failures_neither_end_the_connection_nor_count_as_good(connected):
    others = [Unreachable("search"), Broken("search", status=502), Refused("search", status=400)]
    for error in (FORBIDDEN, *others, FORBIDDEN, *others, FORBIDDEN):
        gateway.heard(connected.seller.pk, error)

    assert reload(connected.connection).standing == Standing.RECONNECT


def test_a_401_in_spite_of_a_fresh_token_ends_the_connection_with_one_renewal(connected, flipkart, shipment_id):
    """trust.md 29"""
    flipkart.faults.set("shipments", "unauthorized", times=99)
    for _task in range(3):
        try:
            gateway.client_for(connected.seller.pk).fetch_shipments([shipment_id])
        except NotAuthorized as error:
            gateway.heard(connected.seller.pk, error)
        except NotConnected:
            pass

    row = reload(connected.connection)
    assert (row.standing, row.says) == (Standing.RECONNECT, "Flipkart refuses even a fresh access token.")
    assert len(flipkart.ledger.tokens) == 2


def test_one_401_is_no_reason_to_reconnect(connected, flipkart, shipment_id):
    flipkart.faults.set("shipments", "unauthorized", times=1)

    gateway.client_for(connected.seller.pk).fetch_shipments([shipment_id])
    gateway.heard(connected.seller.pk, None)

    assert reload(connected.connection).is_connected
