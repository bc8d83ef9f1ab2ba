"""The connect button and the way back from Flipkart, own keys, one account at two sellers, and disconnecting."""

import html
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db.models.functions import Now
from django.test import Client

from sellers import gateway
from sellers.connecting import Trouble
from sellers.models import ConnectAttempt, Connection, Facility, Member, Quota, Role, Standing
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.factories import as_ops, connected_seller, reload

CALLBACK = "/auth/flipkart/callback"


@pytest.fixture
def owner(seller):
    return factories.member(seller, Role.OWNER)


@pytest.fixture
def browser(client: Client, owner) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def account(flipkart):
    return flipkart.world.add_seller("Asha Textiles")


def press_connect(browser: Client, seller) -> dict[str, str]:
    """What Flipkart's consent page is asked with."""
    answer = browser.post(f"/s/{seller.slug}/connect/")
    assert answer.status_code == 302, answer.content.decode()
    parts = urlsplit(answer["Location"])
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return asked | {"at": f"{parts.scheme}://{parts.netloc}{parts.path}"}


def consent(flipkart, account, asked: dict[str, str]) -> dict[str, str]:
    """What Flipkart sends the browser back with after Allow."""
    code = flipkart.oauth.allow(account.account_id, asked["redirect_uri"], asked["state"])
    return {"code": code, "state": asked["state"]}


def trouble_of(answer) -> Trouble | None:
    text = html.unescape(answer.content.decode())
    found = [trouble for trouble in Trouble if trouble.happened in text and trouble.what_to_do in text]
    return found[0] if len(found) == 1 else None


def nothing_came_of_it(flipkart) -> bool:
    return not as_ops(Connection) and not flipkart.ledger.tokens


# --- The good day ----------------------------------------------------------------------------------------------------


def test_an_owner_presses_connect_consents_and_comes_back_connected(browser, owner, seller, flipkart, account, told):
    asked = press_connect(browser, seller)
    assert asked == {
        "at": "http://simulator.test/oauth-service/oauth/authorize",
        "client_id": "shipcrowd-portal",
        "redirect_uri": "http://testserver/auth/flipkart/callback",
        "scope": "Seller_Api",
        "response_type": "code",
        "state": asked["state"],
    }

    answer = browser.get(CALLBACK, consent(flipkart, account, asked))

    assert (answer.status_code, answer["Location"]) == (302, f"/s/{seller.slug}/")
    (row,) = as_ops(Connection)
    assert (row.seller_id, row.environment, row.wire, row.standing) == (seller.pk, "simulator", "guide", "connected")
    assert (row.client_id, row.client_secret, row.connected_by_id) == ("", "", owner.pk)
    assert "" not in (row.access_token, row.refresh_token)
    assert told.connected == [seller.pk]
    assert [quota.left for quota in as_ops(Quota)] == [20]
    assert "connected this seller to Flipkart" in [line.did for line in as_ops(AuditEntry, about=seller)]
    (shipment_id,) = flipkart.world.add_shipments(account, 1)
    assert len(gateway.client_for(seller.pk).fetch_shipments([shipment_id]).shipments) == 1


def test_in_the_published_format_the_code_goes_back_with_the_state_of_its_consent(
    browser, seller, flipkart, account, settings
):
    """wire.md 2."""
    settings.FLIPKART_WIRE = "official"

    answer = browser.get(CALLBACK, consent(flipkart, account, press_connect(browser, seller)))

    assert (answer.status_code, answer["Location"]) == (302, f"/s/{seller.slug}/")
    (row,) = as_ops(Connection)
    assert (row.wire, row.standing) == ("official", "connected")
    assert row.token_believed_until - row.token_fetched_at == timedelta(days=59)
    (shipment_id,) = flipkart.world.add_shipments(account, 1)
    official_id = account.shipments[shipment_id].official_id
    assert len(gateway.client_for(seller.pk).fetch_shipments([official_id]).shipments) == 1


def test_an_attempt_keeps_the_format_that_it_was_begun_in(browser, seller, flipkart, account, settings):
    asked = press_connect(browser, seller)
    settings.FLIPKART_WIRE = "official"

    browser.get(CALLBACK, consent(flipkart, account, asked))

    assert [row.wire for row in as_ops(Connection)] == ["guide"]


def test_the_state_is_long_random_and_kept_as_a_digest_only(browser, seller, flipkart):
    first, second = press_connect(browser, seller)["state"], press_connect(browser, seller)["state"]

    assert first != second
    assert len(first) == 43  # 256 bits
    assert not {first, second} & {value for row in as_ops(ConnectAttempt) for value in vars(row).values()}


def test_connecting_again_renews_the_same_line_and_keeps_its_age(browser, seller, flipkart, account):
    browser.get(CALLBACK, consent(flipkart, account, press_connect(browser, seller)))
    (before,) = as_ops(Connection)
    with seller_scope(seller):
        Connection.objects.update(standing=Standing.RECONNECT, says="gone", forbidden_in_a_row=3)

    browser.get(CALLBACK, consent(flipkart, account, press_connect(browser, seller)))

    (after,) = as_ops(Connection)
    assert (after.pk, after.connected_at) == (before.pk, before.connected_at)
    assert (after.standing, after.says, after.forbidden_in_a_row) == ("connected", "", 0)
    assert after.refresh_token != before.refresh_token


# --- Twelve ways in which it fails (trust.md 60 and 61) --------------------------------------------------------------


def test_denied(browser, seller, flipkart):
    answer = browser.get(CALLBACK, {"error": "access_denied", "state": press_connect(browser, seller)["state"]})

    assert (answer.status_code, trouble_of(answer)) == (200, Trouble.DENIED)
    assert f"/s/{seller.slug}/connection/" in answer.content.decode()
    assert nothing_came_of_it(flipkart)


def test_another_error_of_theirs_is_shown_only_where_it_is_a_code(browser, seller, flipkart):
    """trust.md 61: nothing is reflected."""
    for error, shown in (("server_error", "server_error"), ("<script>alert(1)</script>", None)):
        answer = browser.get(CALLBACK, {"error": error, "state": press_connect(browser, seller)["state"]})

        assert (answer.status_code, trouble_of(answer)) == (400, Trouble.REFUSED)
        assert (shown or "(") in answer.content.decode()
        assert "alert(1)" not in answer.content.decode()
    assert nothing_came_of_it(flipkart)


@pytest.mark.parametrize("state", ["", "wrong", "x" * 43, "x" * 5000, "’"])
def test_a_wrong_state(browser, seller, flipkart, account, state):
    asked = consent(flipkart, account, press_connect(browser, seller))

    answer = browser.get(CALLBACK, asked | {"state": state})

    assert (answer.status_code, trouble_of(answer)) == (400, Trouble.WRONG_STATE)
    assert nothing_came_of_it(flipkart)


def test_no_state_at_all(browser, seller, flipkart, account):
    code = consent(flipkart, account, press_connect(browser, seller))["code"]

    assert trouble_of(browser.get(CALLBACK, {"code": code})) is Trouble.WRONG_STATE
    assert nothing_came_of_it(flipkart)


def test_somebody_elses_press_of_connect(browser, seller, other_seller, flipkart, account):
    """The attack: their code, tied to the victim's seller by the attacker's own state."""
    attacker = Client()
    attacker.force_login(factories.member(other_seller, Role.OWNER))
    theirs = consent(flipkart, account, press_connect(attacker, other_seller))

    answer = browser.get(CALLBACK, theirs)

    assert (answer.status_code, trouble_of(answer)) == (400, Trouble.OTHER_PERSON)
    assert nothing_came_of_it(flipkart)
    assert attacker.get(CALLBACK, theirs).status_code == 302  # whose press it was is not robbed of it


def test_the_same_person_in_another_browser(browser, owner, seller, flipkart, account):
    asked = consent(flipkart, account, press_connect(browser, seller))
    other_browser = Client()
    other_browser.force_login(owner)

    answer = other_browser.get(CALLBACK, asked)

    assert (answer.status_code, trouble_of(answer)) == (400, Trouble.OTHER_SESSION)
    assert nothing_came_of_it(flipkart)


def test_nobody_is_logged_in(browser, seller, flipkart, account):
    asked = consent(flipkart, account, press_connect(browser, seller))

    answer = Client().get(CALLBACK, asked)

    assert (answer.status_code, trouble_of(answer)) == (400, Trouble.OTHER_SESSION)
    assert nothing_came_of_it(flipkart)


def test_back_after_more_than_ten_minutes(browser, seller, flipkart, account):
    asked = consent(flipkart, account, press_connect(browser, seller))
    with seller_scope(seller):
        ConnectAttempt.objects.update(expires_at=Now() - timedelta(seconds=1))

    answer = browser.get(CALLBACK, asked)

    assert (answer.status_code, trouble_of(answer)) == (400, Trouble.EXPIRED)
    assert nothing_came_of_it(flipkart)


def test_a_press_of_connect_is_good_for_ten_minutes(browser, seller, flipkart):
    press_connect(browser, seller)

    (attempt,) = as_ops(ConnectAttempt)
    assert timedelta(minutes=9) < attempt.expires_at - reload(seller).created_at < timedelta(minutes=11)


def test_the_same_answer_twice(browser, seller, flipkart, account):
    asked = consent(flipkart, account, press_connect(browser, seller))
    assert browser.get(CALLBACK, asked).status_code == 302

    answer = browser.get(CALLBACK, asked)

    assert (answer.status_code, trouble_of(answer)) == (400, Trouble.REPLAYED)
    assert len(flipkart.ledger.tokens) == 1


def test_two_tabs_do_not_disturb_each_other(browser, seller, flipkart, account):
    first, second = press_connect(browser, seller), press_connect(browser, seller)

    assert browser.get(CALLBACK, consent(flipkart, account, first)).status_code == 302
    assert browser.get(CALLBACK, consent(flipkart, account, second)).status_code == 302
    assert len(as_ops(Connection)) == 1


def test_a_code_that_expired_on_the_way(browser, seller, flipkart, account, clock):
    asked = consent(flipkart, account, press_connect(browser, seller))
    clock.pass_(minutes=6)

    answer = browser.get(CALLBACK, asked)

    assert (answer.status_code, trouble_of(answer)) == (502, Trouble.CODE_REFUSED)
    assert as_ops(Connection) == []


def test_a_code_that_was_made_up(browser, seller, flipkart):
    answer = browser.get(CALLBACK, {"code": "made up", "state": press_connect(browser, seller)["state"]})

    assert trouble_of(answer) is Trouble.CODE_REFUSED
    assert "made up" not in answer.content.decode()


def test_no_code_and_no_error(browser, seller, flipkart):
    answer = browser.get(CALLBACK, {"state": press_connect(browser, seller)["state"]})

    assert trouble_of(answer) is Trouble.REFUSED
    assert nothing_came_of_it(flipkart)


@pytest.mark.parametrize(
    ("kind", "trouble"),
    [
        ("drop_before", Trouble.NO_ANSWER),
        ("server_error", Trouble.NO_ANSWER),
        ("throttled", Trouble.NO_ANSWER),
        ("html", Trouble.STRANGE_ANSWER),
    ],
)
def test_flipkart_fails_at_the_last_step(browser, seller, flipkart, account, kind, trouble):
    asked = consent(flipkart, account, press_connect(browser, seller))
    flipkart.faults.set("token", kind, times=1)

    answer = browser.get(CALLBACK, asked)

    assert (answer.status_code, trouble_of(answer)) == (502, trouble)
    assert as_ops(Connection) == []


def test_the_platforms_own_secret_is_wrong(browser, seller, flipkart, account, settings):
    asked = consent(flipkart, account, press_connect(browser, seller))
    settings.FLIPKART_CLIENT_SECRET = "another"

    assert trouble_of(browser.get(CALLBACK, asked)) is Trouble.CLIENT_REFUSED


def test_an_owner_who_was_demoted_on_the_way(browser, owner, seller, flipkart, account):
    asked = consent(flipkart, account, press_connect(browser, seller))
    with seller_scope(seller):
        Member.objects.filter(user=owner).update(role=Role.STAFF)

    answer = browser.get(CALLBACK, asked)

    assert (answer.status_code, trouble_of(answer)) == (400, Trouble.NOT_ALLOWED)
    assert nothing_came_of_it(flipkart)


@pytest.mark.parametrize("role", [Role.STAFF, Role.VIEWER])
def test_only_owners_press_connect(client, seller, flipkart, role):
    client.force_login(factories.member(seller, role))

    assert client.post(f"/s/{seller.slug}/connect/").status_code == 403
    assert as_ops(ConnectAttempt) == []


def test_connect_is_a_press_and_not_a_link(browser, seller, flipkart):
    assert browser.get(f"/s/{seller.slug}/connect/").status_code == 405


def test_connect_needs_the_forms_token(owner, seller, flipkart):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)

    assert strict.post(f"/s/{seller.slug}/connect/").status_code == 403
    assert as_ops(ConnectAttempt) == []


# --- Where it may lead -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public_url", "may"), [("http://portal.example.com", False), ("https://portal.example.com", True)]
)
def test_the_real_flipkart_is_only_asked_to_answer_to_https(browser, seller, settings, public_url, may):
    settings.FLIPKART, settings.FLIPKART_WIRE, settings.PUBLIC_URL = "production", "guide", public_url

    answer = browser.post(f"/s/{seller.slug}/connect/", HTTP_HOST="testserver")

    if may:
        asked = parse_qs(urlsplit(answer["Location"]).query)
        assert asked["redirect_uri"] == ["https://portal.example.com/auth/flipkart/callback"]
        assert answer["Location"].startswith("https://api.flipkart.net/oauth-service/oauth/authorize?")
    else:
        assert trouble_of(answer) is Trouble.NOT_HTTPS
        assert as_ops(ConnectAttempt) == []


def test_a_demo_seller_connects_to_the_simulator_whatever_the_settings_say(db, client, flipkart, settings):
    settings.FLIPKART, settings.FLIPKART_WIRE = "production", "guide"
    seller = factories.seller(is_demo=True)
    client.force_login(factories.member(seller, Role.OWNER))

    assert press_connect(client, seller)["at"].startswith("http://simulator.test/")


def test_without_an_application_of_the_platform_the_button_says_so(browser, seller, settings):
    settings.FLIPKART_CLIENT_ID = ""

    assert trouble_of(browser.post(f"/s/{seller.slug}/connect/")) is Trouble.NO_CLIENT
    assert f"/s/{seller.slug}/connection/keys/" in browser.get(f"/s/{seller.slug}/connection/").content.decode()


# --- A seller's own keys ---------------------------------------------------------------------------------------------


@pytest.fixture
def own_keys(settings) -> None:
    settings.FLIPKART_CLIENT_ID = ""


def enter_keys(browser: Client, seller, client_id: str, client_secret: str):
    return browser.post(f"/s/{seller.slug}/connection/keys/", {"client_id": client_id, "client_secret": client_secret})


def test_pasted_keys_are_tried_and_then_kept_sealed(own_keys, browser, seller, flipkart, account, told):
    answer = enter_keys(browser, seller, f" {account.client_id}\n", f"{account.client_secret} ")

    assert answer.status_code == 302
    (row,) = as_ops(Connection)
    assert (row.client_id, row.client_secret, row.is_connected) == (account.client_id, account.client_secret, True)
    assert told.connected == [seller.pk]
    assert [grant.grant_type for grant in flipkart.ledger.tokens] == ["client_credentials"]
    gateway.client_for(seller.pk)


@pytest.mark.parametrize("kind", ["wrong", "drop_before", "server_error", "html"])
def test_keys_that_were_not_found_good_are_not_kept(own_keys, browser, seller, flipkart, account, kind):
    if kind != "wrong":
        flipkart.faults.set("token", kind, times=1)

    answer = enter_keys(browser, seller, account.client_id, "planted-wrong-secret" if kind == "wrong" else "x")

    assert answer.status_code == 200
    assert trouble_of(answer) in (Trouble.CLIENT_REFUSED, Trouble.NO_ANSWER, Trouble.STRANGE_ANSWER)
    assert "planted-wrong-secret" not in answer.content.decode()
    assert as_ops(Connection) == []


def test_a_secret_that_was_made_anew_replaces_the_old_one_without_a_gap(own_keys, browser, seller, flipkart, account):
    enter_keys(browser, seller, account.client_id, account.client_secret)
    (before,) = as_ops(Connection)
    account.client_secret = "made-anew-in-the-panel"

    assert "old" not in enter_keys(browser, seller, account.client_id, "wrong-old").context["form"].cleaned_data
    assert as_ops(Connection)[0].client_secret == before.client_secret
    enter_keys(browser, seller, account.client_id, "made-anew-in-the-panel")

    (after,) = as_ops(Connection)
    assert (after.pk, after.connected_at, after.standing) == (before.pk, before.connected_at, Standing.CONNECTED)
    assert after.client_secret == "made-anew-in-the-panel"


def test_keys_of_another_application_are_as_young_as_they_are(own_keys, browser, seller, flipkart, account):
    """Else an old line that is given the keys of somebody else's account would end theirs, and not be ended by it."""
    enter_keys(browser, seller, account.client_id, account.client_secret)
    (before,) = as_ops(Connection)
    account.client_id = "another-application"

    enter_keys(browser, seller, "another-application", account.client_secret)

    (after,) = as_ops(Connection)
    assert (after.pk, after.client_id) == (before.pk, "another-application")
    assert after.connected_at > before.connected_at


@pytest.mark.parametrize(
    ("client_id", "client_secret"), [("", ""), ("app one", "x"), ("app", "geheim ß"), ("a" * 201, "x")]
)
def test_what_cannot_be_a_key_is_refused_before_flipkart_is_asked(
    own_keys, browser, seller, flipkart, client_id, client_secret
):
    answer = enter_keys(browser, seller, client_id, client_secret)

    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert flipkart.ledger.tokens == []


def test_the_page_of_keys_warns_and_shows_the_way(own_keys, browser, seller):
    text = browser.get(f"/s/{seller.slug}/connection/keys/").content.decode()

    assert "may close a seller" in text
    assert "Developer Access" in text


def test_keys_are_off_where_the_platform_has_its_own_application(browser, seller, flipkart, account):
    assert browser.get(f"/s/{seller.slug}/connection/keys/").status_code == 404
    assert enter_keys(browser, seller, account.client_id, account.client_secret).status_code == 404
    assert nothing_came_of_it(flipkart)


@pytest.mark.parametrize("role", [Role.STAFF, Role.VIEWER])
def test_only_owners_enter_keys(own_keys, client, seller, flipkart, account, role):
    client.force_login(factories.member(seller, role))

    assert enter_keys(client, seller, account.client_id, account.client_secret).status_code == 403
    assert nothing_came_of_it(flipkart)


# --- One account at two sellers --------------------------------------------------------------------------------------


def at_place(seller, location_id: str) -> None:
    with seller_scope(seller):
        Facility.objects.create(seller=seller, flipkart_location_id=location_id, name="Bhiwandi")


def connected_minutes_ago(connected, minutes: int) -> None:
    with seller_scope(connected.seller):
        Connection.objects.update(connected_at=Now() - timedelta(minutes=minutes))


@pytest.fixture
def two(db, flipkart):
    """Two sellers at the same Flipkart account: the first connected earlier."""
    first, second = connected_seller(flipkart), connected_seller(flipkart)
    for connected, minutes in ((first, 60), (second, 1)):
        connected_minutes_ago(connected, minutes)
        at_place(connected.seller, "LOC-SAME")
    return first, second


def test_the_newer_of_two_connections_to_one_account_stops_with_a_sentence(two):
    first, second = two

    assert gateway.check_account(first.seller.pk) is True
    assert gateway.check_account(second.seller.pk) is False

    assert reload(first.connection).is_connected
    stopped = reload(second.connection)
    assert stopped.standing == Standing.RECONNECT
    assert stopped.says.startswith("This Flipkart account is already connected to another seller")
    assert first.seller.name not in stopped.says


def test_renewing_the_older_connection_does_not_make_it_the_newer(two, browser, flipkart):
    first, second = two
    gateway.check_account(second.seller.pk)
    with seller_scope(first.seller):
        Connection.objects.update(standing=Standing.RECONNECT)
    client = Client()
    client.force_login(factories.member(first.seller, Role.OWNER))
    client.get(CALLBACK, consent(flipkart, first.account, press_connect(client, first.seller)))

    assert gateway.check_account(first.seller.pk) is True


def test_an_account_whose_seller_has_disconnected_is_free(two):
    first, second = two
    with seller_scope(first.seller):
        Connection.objects.update(standing=Standing.DISCONNECTED)

    assert gateway.check_account(second.seller.pk) is True


def test_other_places_are_another_account(two, flipkart):
    third = connected_seller(flipkart)
    at_place(third.seller, "LOC-OTHER")

    assert gateway.check_account(third.seller.pk) is True
    assert reload(third.connection).is_connected


def test_the_same_place_in_another_environment_is_another_account(two):
    _first, second = two
    with seller_scope(second.seller):
        Connection.objects.update(environment="sandbox")

    assert gateway.check_account(second.seller.pk) is True


# --- Disconnecting ---------------------------------------------------------------------------------------------------


@pytest.fixture
def line(browser, seller, flipkart, account) -> Connection:
    browser.get(CALLBACK, consent(flipkart, account, press_connect(browser, seller)))
    return as_ops(Connection)[0]


def test_disconnecting_lists_first_what_is_on_its_way(line, browser, seller, told):
    told.on_their_way += [("label requests", 7), ("dispatches", 2)]

    text = browser.get(f"/s/{seller.slug}/connection/disconnect/").content.decode()

    assert [word in text for word in ("label requests", ">7<", "dispatches", ">2<")] == [True] * 4
    assert reload(line).is_connected
    assert told.parked == []


def test_disconnecting_parks_and_forgets_every_secret(line, browser, seller, told):
    press_connect(browser, seller)  # half-way: its answer must not connect again

    answer = browser.post(f"/s/{seller.slug}/connection/disconnect/")

    assert answer["Location"] == f"/s/{seller.slug}/connection/"
    assert told.parked == [seller.pk]
    with factories.ops():
        (columns,) = Connection.objects.values_list("client_secret", "access_token", "refresh_token")
        assert columns == (None, None, None)
    row = reload(line)
    assert (row.standing, row.client_id, row.token_believed_until) == (Standing.DISCONNECTED, "", None)
    assert as_ops(ConnectAttempt, used_at=None) == []
    assert "cut the connection to Flipkart" in [entry.did for entry in as_ops(AuditEntry, about=seller)]
    with pytest.raises(gateway.NotConnected):
        gateway.client_for(seller.pk)


def test_disconnecting_twice_parks_once(line, browser, seller, told):
    for _ in range(2):
        assert browser.post(f"/s/{seller.slug}/connection/disconnect/").status_code == 302

    assert told.parked == [seller.pk]


def test_the_connection_page_shows_no_secret(line, browser, seller):
    text = browser.get(f"/s/{seller.slug}/connection/").content.decode()

    assert "Connected" in text
    assert not [secret for secret in (line.access_token, line.refresh_token) if secret in text]


def test_viewers_see_the_connection_and_no_button(line, seller):
    viewer = Client()
    viewer.force_login(factories.member(seller, Role.VIEWER))

    text = viewer.get(f"/s/{seller.slug}/connection/").content.decode()

    assert "Connected" in text
    assert f"/s/{seller.slug}/connect/" not in text
    assert viewer.post(f"/s/{seller.slug}/connection/disconnect/").status_code == 403
    assert reload(line).is_connected
