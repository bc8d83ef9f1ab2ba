"""The ear that listens to every other test works (trust 66)."""

import logging
from urllib.parse import parse_qs, urlsplit

import pytest

from sellers import connecting, members
from sellers.models import Role
from shipcrowd.simulator import Simulator
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.overheard import OVERHEARD, Overheard


def test_what_is_planted_and_logged_is_noticed():
    ear = Overheard()
    ear.begin()
    ear.emit(logging.makeLogRecord({"name": "shipcrowd", "msg": "token %s", "args": ("planted-portal-secret-3f9a",)}))

    assert ear.spoken() == {"planted-portal-secret-3f9a"}


def test_what_is_logged_without_harm_is_let_pass():
    ear = Overheard()
    ear.begin()
    ear.emit(logging.makeLogRecord({"name": "shipcrowd", "msg": "search answered %s", "args": (200,)}))

    assert ear.spoken() == set()


def test_what_another_process_logged_is_heard_too():
    ear = Overheard()
    ear.begin()
    ear.plant_words({"buyer zebracorn"})
    ear.hear("INFO one line\nERROR no label for buyer zebracorn\n")

    assert ear.spoken() == {"buyer zebracorn"}


# --- Secrets that are spent ------------------------------------------------------------------------------------------


def grant(simulator: Simulator, **asked: str) -> dict[str, str]:
    client = {"client_id": "shipcrowd-portal", "client_secret": simulator.oauth.portal_secret}
    return simulator.oauth.grant(asked | client, None)


def spent(simulator: Simulator) -> dict[str, str]:
    """A code that was used, the tokens it gave, and what took their place."""
    account, back = simulator.world.add_seller("Asha Textiles"), simulator.oauth.redirect_uris[0]
    code = simulator.oauth.allow(account.account_id, back)
    first = grant(simulator, grant_type="authorization_code", code=code, redirect_uri=back)
    grant(simulator, grant_type="refresh_token", refresh_token=first["refresh_token"])
    simulator.oauth.kill_tokens()
    return {"code": code, "refresh token": first["refresh_token"], "access token": first["access_token"]}


@pytest.mark.parametrize("kind", ["code", "refresh token", "access token"])
def test_a_secret_that_is_spent_is_noticed_too(kind):
    simulator, ear = Simulator(), Overheard()
    secret = spent(simulator)[kind]

    ear.plant(simulator)
    ear.hear(f"GET /auth/flipkart/callback?code={secret}&state=any")

    assert ear.spoken() == {secret}


def test_the_link_of_an_invitation_is_noticed(seller):
    owner = factories.member(seller, Role.OWNER)
    with seller_scope(seller):
        _invitation, link = members.invite(seller=seller, by=owner, role=Role.STAFF)

    assert link.split("/")[-2] in OVERHEARD.planted


def test_the_state_of_a_consent_is_noticed(seller):
    owner = factories.member(seller, Role.OWNER)
    with seller_scope(seller):
        address = connecting.begin(seller=seller, user=owner, session_key="any")

    assert parse_qs(urlsplit(address).query)["state"][0] in OVERHEARD.planted
