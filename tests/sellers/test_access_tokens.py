"""Tokens: how long one is believed, who renews it, and what ends a connection."""

import logging
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from sellers import gateway
from sellers.access_tokens import NotConnected, StoredTokens
from sellers.models import Connection, Standing
from shipcrowd.flipkart.wire import wire_named
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport import Transport
from shipcrowd.transport.errors import NotAuthorized, Throttled
from tests import factories
from tests.conftest import SIMULATOR
from tests.factories import ConnectedSeller, reload


def tokens_of(connected: ConnectedSeller) -> StoredTokens:
    return StoredTokens(
        seller_id=connected.seller.pk, transport=Transport(SIMULATOR, call_timeout=5), wire=wire_named("guide")
    )


def change(connected: ConnectedSeller, **values: object) -> None:
    with seller_scope(connected.seller):
        Connection.objects.filter(pk=connected.connection.pk).update(**values)


def by_consent(connected: ConnectedSeller, flipkart) -> str:
    """The connection as after consent on Flipkart's page; returns its refresh token."""
    code = flipkart.oauth.allow(connected.account.account_id, flipkart.oauth.redirect_uris[0])
    answer = flipkart.oauth.grant(
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flipkart.oauth.redirect_uris[0],
            "client_id": "shipcrowd-portal",
            "client_secret": flipkart.oauth.portal_secret,
        },
        None,
    )
    with seller_scope(connected.seller):
        row = Connection.objects.get(pk=connected.connection.pk)
        row.client_id, row.client_secret, row.refresh_token = "", "", answer["refresh_token"]
        row.save()
    return answer["refresh_token"]


def granted(flipkart) -> list[str]:
    return [grant.grant_type for grant in flipkart.ledger.tokens]


def test_the_first_call_fetches_a_token_and_later_ones_use_it(connected, flipkart):
    tokens = tokens_of(connected)

    first = tokens.current()

    assert tokens.current() == first == tokens_of(connected).current()
    assert granted(flipkart) == ["client_credentials"]


def test_a_token_is_believed_for_55_minutes_whatever_expires_in_claims(connected, flipkart):
    first = tokens_of(connected).current()
    believed = reload(connected.connection)
    assert believed.token_believed_until - believed.token_fetched_at == timedelta(minutes=55)

    change(connected, token_believed_until=Now() - timedelta(seconds=1))

    assert tokens_of(connected).current() != first
    assert len(flipkart.ledger.tokens) == 2


def test_a_refresh_token_that_changes_is_kept_at_once(connected, flipkart):
    old = by_consent(connected, flipkart)

    tokens_of(connected).current()
    kept = reload(connected.connection).refresh_token
    change(connected, token_believed_until=Now())
    tokens_of(connected).current()

    assert kept not in ("", old)
    assert granted(flipkart) == ["authorization_code", "refresh_token", "refresh_token"]
    assert reload(connected.connection).is_connected


def test_a_401_renews_only_the_token_that_failed(connected, flipkart):
    tokens = tokens_of(connected)
    first = tokens.current()

    second = tokens.renew(failed=first)

    assert second != first
    assert tokens.renew(failed=first) == second  # a straggler gets what is there
    assert len(flipkart.ledger.tokens) == 2


def test_a_dead_token_is_renewed_within_the_call(connected, flipkart, shipment_id):
    client = gateway.client_for(connected.seller.pk)
    client.fetch_shipments([shipment_id])
    flipkart.oauth.kill_tokens()

    client.fetch_shipments([shipment_id])

    assert granted(flipkart) == ["client_credentials", "client_credentials"]


def test_who_finds_the_renewal_taken_is_put_off_for_a_second(connected, flipkart):
    change(connected, refresh_leased_until=Now() + timedelta(seconds=10))

    with pytest.raises(Throttled) as put_off:
        tokens_of(connected).current()

    assert put_off.value.retry_after == timedelta(seconds=1)
    assert granted(flipkart) == []


def test_the_lease_of_a_worker_that_died_ends_by_itself(connected, flipkart):
    """trust.md 31"""
    change(connected, refresh_leased_until=Now() + timedelta(seconds=20))
    change(connected, refresh_leased_until=F("refresh_leased_until") - timedelta(seconds=21))

    tokens_of(connected).current()

    row = reload(connected.connection)
    assert (row.refresh_token_lease, row.refresh_leased_until) == (None, None)


def test_a_rotated_refresh_token_that_was_never_stored_asks_for_a_person(connected, flipkart):
    """trust.md 31: killed between the answer and its storing, the old one is tried once."""
    old = by_consent(connected, flipkart)
    flipkart.oauth.grant(
        {
            "grant_type": "refresh_token",
            "refresh_token": old,
            "client_id": "shipcrowd-portal",
            "client_secret": flipkart.oauth.portal_secret,
        },
        None,
    )

    with pytest.raises(NotAuthorized):
        tokens_of(connected).current()
    with pytest.raises(NotConnected) as ended:
        tokens_of(connected).current()

    row = reload(connected.connection)
    assert (row.standing, row.says) == (
        Standing.RECONNECT,
        "Flipkart no longer accepts this connection (invalid_grant).",
    )
    assert ended.value.says == row.says
    assert len(flipkart.ledger.tokens) == 3


def test_keys_that_are_no_longer_accepted_end_the_connection(connected, flipkart):
    with seller_scope(connected.seller):
        row = Connection.objects.get(pk=connected.connection.pk)
        row.client_secret = "regenerated in Flipkart's panel"
        row.save()

    with pytest.raises(NotAuthorized):
        tokens_of(connected).current()

    assert reload(row).says == "Flipkart no longer accepts this connection (unauthorized)."


def test_a_token_that_ended_with_nothing_to_renew_it_asks_for_a_person(connected, flipkart):
    change(connected, client_id="")

    with pytest.raises(NotAuthorized):
        tokens_of(connected).current()

    assert reload(connected.connection).standing == Standing.RECONNECT
    assert granted(flipkart) == []


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("server_error", {}),
        ("server_error", {"status": 404}),
        ("drop_before", {}),
        ("drop_after", {}),
        ("html", {}),
    ],
)
def test_a_failure_that_passes_leaves_the_connection_and_whoever_wanted_to_send_is_put_off(
    connected, flipkart, kind, options
):
    """Nothing else was sent: it is neither in doubt nor refused."""
    flipkart.faults.set("token", kind, times=1, **options)

    with pytest.raises(Throttled, match="no access token could be had") as put_off:
        tokens_of(connected).current()

    assert put_off.value.retry_after == timedelta(seconds=30)
    assert reload(connected.connection).is_connected
    assert tokens_of(connected).current()


def test_a_wrong_secret_of_the_platform_ends_nobodys_connection(connected, flipkart, settings):
    by_consent(connected, flipkart)
    right, settings.FLIPKART_CLIENT_SECRET = settings.FLIPKART_CLIENT_SECRET, "of last year"

    with pytest.raises(Throttled, match="whoever runs this platform must look at FLIPKART_CLIENT_ID"):
        tokens_of(connected).current()

    assert reload(connected.connection).is_connected
    settings.FLIPKART_CLIENT_SECRET = right
    assert tokens_of(connected).current()


def with_a_change_during_the_call(connected: ConnectedSeller, **values: object) -> StoredTokens:
    """Tokens whose renewal takes so long that somebody changes the connection meanwhile."""

    class Slow(Transport):
        def send(self, request, *, bearer=None):
            try:
                return super().send(request, bearer=bearer)
            finally:
                with seller_scope(connected.seller):
                    row = Connection.objects.get(pk=connected.connection.pk)
                    for name, value in values.items():
                        setattr(row, name, value)
                    row.save()

    return StoredTokens(seller_id=connected.seller.pk, transport=Slow(SIMULATOR), wire=wire_named("guide"))


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"standing": Standing.DISCONNECTED, "client_id": "", "client_secret": None}, NotConnected),
        ({"client_secret": "anew"}, Throttled),  # it is connected, and whoever asks again gets a token of the new one
    ],
)
def test_a_token_that_comes_after_a_disconnect_or_with_an_old_secret_is_not_kept(connected, flipkart, values, error):
    with pytest.raises(error):
        with_a_change_during_the_call(connected, **values).current()

    assert reload(connected.connection).access_token == ""


def test_a_refusal_of_an_old_secret_does_not_end_the_connection_with_the_new_one(connected, flipkart):
    good = connected.account.client_secret
    with seller_scope(connected.seller):
        row = Connection.objects.get(pk=connected.connection.pk)
        row.client_secret = "the old one"
        row.save()

    with pytest.raises(NotAuthorized):
        with_a_change_during_the_call(connected, client_secret=good).current()

    assert reload(connected.connection).is_connected
    assert tokens_of(connected).current()


def test_no_token_and_no_secret_reaches_a_log_or_an_error(connected, flipkart, caplog, shipment_id):
    """trust.md 66"""
    caplog.set_level(logging.DEBUG)
    client = gateway.client_for(connected.seller.pk)
    client.fetch_shipments([shipment_id])
    token = reload(connected.connection).access_token
    flipkart.faults.set("shipments", "unauthorized", times=5)
    with pytest.raises(NotAuthorized) as refused:
        client.fetch_shipments([shipment_id])
    newer = reload(connected.connection).access_token

    shown = f"{caplog.text} {refused.value!r} {client.__dict__!r} {tokens_of(connected)!r}"

    assert "" not in (token, newer)
    assert newer != token
    assert not [secret for secret in (token, newer, connected.account.client_secret) if secret in shown]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_died", [False, True])
def test_sixteen_workers_renew_once(flipkart, has_died):
    """trust.md 30"""
    connected = factories.connected_seller(flipkart)
    by_consent(connected, flipkart)
    failed = tokens_of(connected).current() if has_died else ""
    called = len(flipkart.ledger.tokens)
    start, outcomes = threading.Barrier(16), []

    def work() -> None:
        start.wait(timeout=20)
        try:
            tokens = tokens_of(connected)
            outcomes.append(tokens.renew(failed=failed) if has_died else tokens.current())
        except Throttled as error:
            outcomes.append(error.retry_after)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    kept = reload(connected.connection).access_token
    assert len(outcomes) == 16
    assert set(outcomes) <= {kept, timedelta(seconds=1)}
    assert kept in outcomes
    assert len(flipkart.ledger.tokens) == called + 1
    assert reload(connected.connection).is_connected
