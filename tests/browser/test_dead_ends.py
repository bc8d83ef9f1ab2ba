"""The pages on which somebody lands who may not go on, or cannot: each says what to do next, and looks like a page."""

from urllib.parse import urlsplit

import pytest
from django.urls import path

from sellers import members
from sellers.models import Role
from shipcrowd.tenancy import seller_scope
from shipcrowd.urls import urlpatterns as of_the_portal
from tests import factories
from tests.browser.conftest import NARROW, WIDE
from tests.browser.walking import PASSWORD, log_in, shows
from tests.factories import reload

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SEEN = pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])


def fails(request):
    raise RuntimeError


urlpatterns = [path("fails/", fails), *of_the_portal]


@pytest.fixture
def lost(person, settings):
    """Somebody on the way to such pages. Chromium and htmx complain that their answers are no 200."""
    settings.ROOT_URLCONF = __name__
    yield person
    no_200 = ("the server responded with a status of", "Response Status Error Code")
    person.complaints[:] = [one for one in person.complaints if not any(words in one for words in no_200)]


@SEEN
def test_who_may_not_or_cannot_go_on_is_told_what_to_do(lost, width, scheme):
    seller = factories.seller(name="Asha Textiles", slug="asha-textiles")
    viewer = factories.member(seller, Role.VIEWER)
    lost.sees(width, scheme)
    log_in(lost, viewer)

    for name, path_, says in [
        ("404", "/s/no-such-seller/", "This page is not there"),
        ("403", f"/s/{seller.slug}/connection/keys/", "That is not yours to do"),
        ("405", f"/s/{seller.slug}/fetch/", "There is nothing to open here"),
        ("500", "/fails/", "Something went wrong here"),
    ]:
        lost.opens(path_)
        assert says in lost.text
        shows(lost, f"{name}-{width}-{scheme}")


@SEEN
def test_whose_cookies_are_blocked_is_told_that_nothing_was_done(lost, width, scheme):
    lost.sees(width, scheme)
    lost.opens("/login/")
    lost.driver.delete_all_cookies()

    lost.types("input[name=username]", "asha")
    lost.types("input[name=password]", "a long enough password")
    lost.presses(".sc-form button")

    assert "Nothing was done." in lost.text
    shows(lost, f"403-csrf-{width}-{scheme}")


@SEEN
def test_who_guesses_passwords_is_told_when_to_try_again(lost, settings, width, scheme):
    settings.AXES_FAILURE_LIMIT = 1
    person = factories.user()
    lost.sees(width, scheme)
    lost.opens("/login/")

    lost.types("input[name=username]", person.username)
    lost.types("input[name=password]", "not the password")
    lost.presses(".sc-form button")

    assert "a quarter of an hour" in lost.text
    shows(lost, f"locked-{width}-{scheme}")


@SEEN
def test_an_invitation_that_has_ended_says_whom_to_ask(lost, width, scheme):
    seller = factories.seller(name="Asha Textiles", slug="asha-textiles")
    with seller_scope(seller):
        invited, link = members.invite(seller=seller, by=factories.user(), role=Role.STAFF)
        invited.delete()
    lost.sees(width, scheme)

    lost.opens(urlsplit(link).path)

    assert "This invitation has ended" in lost.text
    shows(lost, f"invitation-ended-{width}-{scheme}")


@SEEN
def test_who_says_no_at_flipkart_can_ask_again(lost, flipkart_on_a_socket, width, scheme):
    seller = factories.seller(name="Asha Textiles", slug="asha-textiles")
    account = flipkart_on_a_socket.world.add_seller("Asha Textiles")
    lost.sees(width, scheme)
    log_in(lost, factories.member(seller, Role.OWNER))
    lost.opens(f"/s/{seller.slug}/")
    lost.presses("form[action$='/connect/'] button")
    lost.ticks(f"input[name=account][value='{account.account_id}']")

    lost.presses("button[name=decision][value=deny]")

    assert "Not connected" in lost.text
    shows(lost, f"connect-denied-{width}-{scheme}")


def test_a_scan_that_was_not_taken_is_seen_not_to_be(lost):
    """Only a part of that page is asked for, and the answer of the parcel before would else stay."""
    seller = factories.seller(slug="asha-textiles")
    parcel = factories.shipment(seller, attention="pull", tracking_id="FMPP2600000001")
    lost.sees(NARROW, "light")
    log_in(lost, factories.member(seller, Role.STAFF))
    lost.opens("/s/asha-textiles/pull/")
    lost.driver.delete_cookie("csrftoken")

    lost.enters("#scanned", parcel.tracking_id, until="Nothing was done.")

    assert reload(parcel).attention == "pull"


def test_a_scan_after_the_log_in_has_ended_leads_to_the_log_in(lost):
    seller = factories.seller(slug="asha-textiles")
    parcel = factories.shipment(seller, attention="pull", tracking_id="FMPP2600000001")
    staff = factories.member(seller, Role.STAFF)
    lost.sees(NARROW, "light")
    log_in(lost, staff)
    lost.opens("/s/asha-textiles/pull/")
    lost.driver.delete_cookie("sessionid")

    lost.enters("#scanned", parcel.tracking_id, until="nothing was done. Log in, and press it again.")
    assert lost.path == "/login/"
    lost.types("input[name=username]", staff.username)
    lost.types("input[name=password]", PASSWORD)
    lost.presses(".sc-form button")

    assert lost.path == "/s/asha-textiles/pull/"
