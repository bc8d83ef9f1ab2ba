"""The authorize page and the token endpoint against guide 1.4 and 1.5, RFC 6749 and guide-gaps 10, 14, 15 and 16."""

from urllib.parse import parse_qs, urlsplit

import pytest

from shipcrowd.simulator import PORTAL_CLIENT_ID
from shipcrowd.simulator.app import REDIRECT_URIS

CALLBACK = REDIRECT_URIS[0]
PORTAL = {"client_id": PORTAL_CLIENT_ID, "client_secret": "simulator-portal-secret"}
ASKED = {
    "client_id": PORTAL_CLIENT_ID,
    "redirect_uri": CALLBACK,
    "scope": "Seller_Api",
    "state": "opaque & odd",
    "response_type": "code",
}


def authorize(caller, decision="", **changed):
    url = f"{caller.base}/oauth-service/oauth/authorize"
    asked = {**ASKED, **changed}
    if not decision:
        return caller.session.get(url, params=asked, allow_redirects=False)
    form = {**asked, "account": caller.account.account_id, "decision": decision}
    return caller.session.post(url, data=form, allow_redirects=False)


def returned(answer):
    """Where the browser is sent, and with what."""
    url = urlsplit(answer.headers["Location"])
    return f"{url.scheme}://{url.netloc}{url.path}", {name: v[0] for name, v in parse_qs(url.query).items()}


def code_for(caller):
    return returned(authorize(caller, "allow"))[1]["code"]


def exchange(caller, code, **changed):
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **PORTAL, **changed}
    return caller.token(**form)


def works(caller, access_token):
    caller.session.headers["Authorization"] = f"Bearer {access_token}"
    return caller.search().status_code == 200


def test_client_credentials_by_form_and_by_basic_answer_as_the_guide_prints(caller):
    form = {"grant_type": "client_credentials", "scope": "Seller_Api"}
    by_form = caller.token(**form, **caller.credentials()).json()
    by_basic = caller.token(auth=(caller.account.client_id, caller.account.client_secret), **form).json()

    for answer in (by_form, by_basic):
        assert {name: type(value) for name, value in answer.items()} == {
            "access_token": str,
            "token_type": str,
            "expires_in": int,
            "scope": str,
            "jti": str,
        }
        assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 5184000, "Seller_Api")
        assert works(caller, answer["access_token"])


def test_a_code_is_exchanged_for_a_pair_that_names_no_account(caller):
    answer = exchange(caller, code_for(caller)).json()

    assert list(answer) == ["access_token", "refresh_token", "token_type", "expires_in", "scope"]
    assert caller.account.account_id not in str(answer)
    assert works(caller, answer["access_token"])


def test_the_page_asks_who_the_person_is_and_shows_both_buttons(simulator, caller):
    simulator.world.add_seller('<b>"Malabar" & Sons</b>')

    page = authorize(caller)

    assert page.status_code == 200
    assert 'value="allow"' in page.text
    assert 'value="deny"' in page.text
    assert "&lt;b&gt;&#34;Malabar&#34; &amp; Sons&lt;/b&gt;" in page.text
    assert 'value="opaque &amp; odd"' in page.text


def test_allow_comes_back_with_a_code_and_the_state(caller):
    answer = authorize(caller, "allow")

    where, values = returned(answer)
    assert (answer.status_code, where) == (302, CALLBACK)
    assert set(values) == {"code", "state"}
    assert values["state"] == "opaque & odd"


def test_deny_comes_back_with_access_denied_and_the_state(caller):
    assert returned(authorize(caller, "deny")) == (CALLBACK, {"error": "access_denied", "state": "opaque & odd"})


@pytest.mark.parametrize(
    ("changed", "error"),
    [({"response_type": "token"}, "unsupported_response_type"), ({"scope": "Everything"}, "invalid_scope")],
)
def test_a_wrong_question_goes_back_as_an_error(caller, changed, error):
    assert returned(authorize(caller, **changed))[1] == {"error": error, "state": "opaque & odd"}


@pytest.mark.parametrize("changed", [{"redirect_uri": "https://attacker.invalid/"}, {"client_id": "somebody"}])
@pytest.mark.parametrize("decision", ["", "allow", "deny"])
def test_an_unregistered_address_or_client_is_never_redirected_to(caller, changed, decision):
    answer = authorize(caller, decision, **changed)

    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_form_from_another_site_is_refused(caller):
    caller.session.headers["Origin"] = "https://attacker.invalid"

    assert authorize(caller, "allow").status_code == 400
    assert caller.session.post(f"{caller.base}/", data={"do": "clear"}).status_code == 403
    assert caller.session.post(f"{caller.base}/control/day", json={}).status_code == 403


def test_a_code_works_once(caller):
    code = code_for(caller)

    assert exchange(caller, code).status_code == 200
    second = exchange(caller, code)
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")


def test_a_code_expires(caller, clock):
    code = code_for(caller)
    clock.moves(minutes=5)

    assert exchange(caller, code).json()["error"] == "invalid_grant"


def test_a_code_is_bound_to_its_address_and_its_client(caller):
    assert exchange(caller, code_for(caller), redirect_uri=REDIRECT_URIS[1]).json()["error"] == "invalid_grant"
    assert exchange(caller, code_for(caller), **caller.credentials()).json()["error"] == "invalid_grant"


def test_tokens_die_after_one_hour_whatever_they_claim(caller, clock):
    clock.moves(minutes=59, seconds=59)
    assert caller.search().status_code == 200

    clock.moves(seconds=1)
    answer = caller.search()

    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_token"})


def test_a_refresh_token_rotates(caller, clock):
    first = exchange(caller, code_for(caller)).json()
    clock.moves(hours=1)
    form = {"grant_type": "refresh_token", **PORTAL}

    second = caller.token(refresh_token=first["refresh_token"], **form).json()
    replayed = caller.token(refresh_token=first["refresh_token"], **form)

    assert not works(caller, first["access_token"])
    assert works(caller, second["access_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "client_credentials", "client_secret": "wrong"}, 401, "unauthorized"),
        ({"grant_type": "client_credentials", "client_id": "nobody"}, 401, "unauthorized"),
        ({"grant_type": "client_credentials", "scope": "Default"}, 400, "invalid_scope"),
        ({"grant_type": "client_credentials", **PORTAL}, 400, "unauthorized_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "made up", **PORTAL}, 400, "invalid_grant"),
    ],
)
def test_refusals_of_the_token_endpoint_are_rfc_6749s(simulator, caller, form, status, error):
    answer = caller.token(**{**caller.credentials(), "scope": "Seller_Api", **form})

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert simulator.ledger.tokens[-1].error == error


def test_a_withdrawn_grant_ends_tokens_and_refresh_tokens_of_that_account_only(simulator, caller):
    other = simulator.world.add_seller("Malabar Home")
    pair = exchange(caller, code_for(caller)).json()

    simulator.oauth.revoke(other)
    assert works(caller, pair["access_token"])
    simulator.oauth.revoke(caller.account)

    assert not works(caller, pair["access_token"])
    refreshed = caller.token(grant_type="refresh_token", refresh_token=pair["refresh_token"], **PORTAL)
    assert refreshed.json()["error"] == "invalid_grant"


def test_a_regenerated_secret_replaces_the_old_one(simulator, caller):
    form = {"grant_type": "client_credentials", "scope": "Seller_Api"}
    old = caller.credentials()

    simulator.world.regenerate_secret(caller.account)

    assert caller.token(**form, **old).status_code == 401
    assert caller.token(**form, **caller.credentials()).status_code == 200
