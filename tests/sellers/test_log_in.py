"""Logging in and out, too many tries, passwords forgotten and changed."""

import re
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.conf import settings as django_settings
from django.core import mail
from django.db.models import F
from django.test import Client
from django.utils import timezone

from sellers import members
from sellers.models import Member, Role, User
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.factories import reload

PASSWORD = "a long enough password"


@pytest.fixture
def user(seller) -> User:
    return factories.member(seller, Role.STAFF, email="ravi@example.com")


def log_in(browser: Client, username: str, password: str = PASSWORD, **more: str):
    return browser.post("/login/", {"username": username, "password": password} | more)


def said(answer) -> str:
    """What a page says, without what differs from page to page by itself."""
    return re.sub(r'value="[^"]*"|nonce="[^"]*"', "", answer.content.decode())


def test_a_person_logs_in_and_out(client, user, seller):
    assert (
        client.get(f"/s/{seller.slug}/facilities/").headers["Location"] == f"/login/?next=/s/{seller.slug}/facilities/"
    )

    assert log_in(client, user.username).headers["Location"] == "/"
    assert client.get(f"/s/{seller.slug}/facilities/").status_code == 200

    assert client.post("/logout/").headers["Location"] == "/login/"
    assert client.get(f"/s/{seller.slug}/facilities/").status_code == 302


def test_the_session_key_changes_at_the_log_in(client, user):
    """trust.md 74"""
    client.get("/login/")
    session = client.session
    session["planted"] = 1
    session.save()
    before = session.session_key
    client.cookies[django_settings.SESSION_COOKIE_NAME] = before

    log_in(client, user.username)

    assert client.session.session_key != before


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(user):
    """trust.md 65"""
    wrong, unknown = log_in(Client(), user.username, "wrong"), log_in(Client(), "nobody", "wrong")

    assert wrong.status_code == unknown.status_code == 200
    assert "User name and password do not fit" in said(wrong)
    assert said(wrong) == said(unknown)


def test_somebody_who_may_no_longer_log_in_gets_that_answer_too(user):
    user.is_active = False
    user.save()

    assert said(log_in(Client(), user.username)) == said(log_in(Client(), "nobody"))


@pytest.mark.parametrize(
    "next_page",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http:///evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "//user@evil.example/",
        "http://testserver@evil.example/",
        "https://testserver.evil.example/",
        "\x00//evil.example",
        " //evil.example",
        "/\t/evil.example",
        "ftp://testserver/",
    ],
)
def test_the_log_in_leads_nowhere_else(user, next_page):
    """trust.md 62"""
    assert log_in(Client(), user.username, next=next_page).headers["Location"] == "/"


def test_the_log_in_leads_back_to_where_one_was(client, user):
    assert log_in(client, user.username, next="/s/x/shipments/?q=1").headers["Location"] == "/s/x/shipments/?q=1"


@pytest.mark.parametrize("is_known", [True, False])
def test_too_many_tries_close_the_log_in_with_a_friendly_page(user, is_known):
    """trust.md 75: and the page does not tell whether there is such a user."""
    browser, name = Client(), user.username if is_known else "nobody"
    answers = [log_in(browser, name, "wrong") for _ in range(10)]

    assert [answer.status_code for answer in answers] == [200] * 9 + [429]
    assert "quarter of an hour" in said(answers[-1])
    assert log_in(browser, name).status_code == 429  # the right password too


def test_somebody_elses_tries_from_elsewhere_lock_nobody_out(user):
    for _ in range(12):
        Client(REMOTE_ADDR="203.0.113.9").post("/login/", {"username": user.username, "password": "wrong"})

    assert log_in(Client(), user.username).status_code == 302


@pytest.mark.parametrize(
    ("forwarded", "is_locked"),
    [
        ("203.0.113.9", True),  # who tried
        ("198.51.100.1", False),  # somebody else behind the same proxy
        ("198.51.100.1, 203.0.113.9", True),  # who tried, and writes another address in front
        ("not an address", False),  # the proxy's own counts
    ],
)
def test_behind_a_proxy_only_whoever_tried_is_locked_out(user, settings, forwarded, is_locked):
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    guesser = Client(REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "203.0.113.9"})
    for _ in range(12):
        log_in(guesser, user.username, "wrong")

    come = Client(REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": forwarded})

    assert log_in(come, user.username).status_code == (429 if is_locked else 302)


def test_an_address_that_no_proxy_of_ours_forwarded_is_not_believed(user, settings):
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    for number in range(12):
        log_in(Client(headers={"X-Forwarded-For": f"203.0.113.{number}"}), user.username, "wrong")

    assert log_in(Client(headers={"X-Forwarded-For": "203.0.113.200"}), user.username).status_code == 429


def test_a_changed_password_ends_other_sessions(user, seller):
    """trust.md 74"""
    here, elsewhere = Client(), Client()
    for browser in (here, elsewhere):
        log_in(browser, user.username)

    here.post(
        "/password/",
        {"old_password": PASSWORD, "new_password1": "quite another one", "new_password2": "quite another one"},
    )

    assert here.get(f"/s/{seller.slug}/facilities/").status_code == 200
    assert elsewhere.get(f"/s/{seller.slug}/facilities/").status_code == 302


# --- Password forgotten ----------------------------------------------------------------------------------------------


def test_without_mail_the_page_says_whom_to_ask(client, db, settings):
    settings.EMAIL_IS_SET = False

    text = client.get("/password/forgotten/").content.decode()

    assert "This portal sends no mail. Ask an owner of your seller" in text
    assert client.post("/password/forgotten/", {"email": "ravi@example.com"}).status_code == 200
    assert mail.outbox == []


@pytest.fixture
def mails(settings) -> None:
    settings.EMAIL_IS_SET = True


def test_a_forgotten_password_is_set_anew_by_mail(mails, user, seller, settings):
    """trust.md 84: a forged Host does not reach the mail."""
    settings.ALLOWED_HOSTS = ["*"]
    user.must_change_password = True
    user.save()

    Client().post("/password/forgotten/", {"email": "ravi@example.com"}, HTTP_HOST="evil.example")

    (message,) = mail.outbox
    assert "evil" not in message.body
    link = re.search(r"http://testserver(/password/forgotten/\S+)", message.body)[1]
    browser = Client()
    form = browser.get(link).headers["Location"]  # the token leaves the address
    browser.post(form, {"new_password1": "quite another one", "new_password2": "quite another one"})
    assert not reload(user).must_change_password
    assert log_in(Client(), user.username, "quite another one").status_code == 302
    assert "was used or has ended" in Client().get(link).content.decode()


def test_an_unknown_address_gets_the_same_answer_and_no_mail(mails, user):
    """trust.md 65"""
    known = Client().post("/password/forgotten/", {"email": "ravi@example.com"}, follow=True)
    unknown = Client().post("/password/forgotten/", {"email": "nobody@example.com"}, follow=True)

    assert said(known) == said(unknown)
    assert [message.to for message in mail.outbox] == [["ravi@example.com"]]


@pytest.mark.parametrize("path", ["/login/", "/password/forgotten/", "/invitation/x/", "/auth/flipkart/callback"])
def test_pages_for_strangers_ask_for_nothing_from_elsewhere(client, db, mails, path):
    text = client.get(path).content.decode()

    assert re.findall(r'(?:src|href)="(?:https?:)?//[^"]+', text) == []
    assert "onclick=" not in text


@pytest.mark.parametrize(
    ("came_from", "leads_to"),
    [
        ("/s/{slug}/shipments/?stage=to_label", "/s/{slug}/shipments/?stage=to_label"),
        ("/login/?next=/s/{slug}/labels/request/", "/s/{slug}/"),  # else it would lead in a circle
        ("https://elsewhere.example/", "/s/{slug}/"),
        ("", "/s/{slug}/"),
    ],
)
def test_what_is_pressed_after_the_session_ended_leads_back_to_its_page(client, user, seller, came_from, leads_to):
    """Its own address cannot be opened, and nothing was done: both are said."""
    came_from = came_from.format(slug=seller.slug)
    referer = f"http://testserver{came_from}" if came_from.startswith("/") else came_from
    asked = client.post(f"/s/{seller.slug}/labels/request/", headers={"Referer": referer})

    page = client.get(asked.headers["Location"])
    assert "nothing was done. Log in, and press it again." in said(page)
    after = log_in(client, user.username, next=page.context["next"]).headers["Location"]
    assert after.removeprefix("http://testserver") == leads_to.format(slug=seller.slug)


def test_a_quarter_of_an_hour_is_one_however_often_it_is_tried_meanwhile(user):
    browser = Client()
    for _ in range(10):
        log_in(browser, user.username, "wrong")
    with factories.ops():
        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    log_in(browser, user.username, "wrong")
    with factories.ops():
        AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=2))

    assert log_in(browser, user.username).status_code == 302


def test_whoever_is_locked_out_logs_in_with_the_password_that_an_owner_made(user, seller):
    for _ in range(10):
        log_in(Client(), user.username, "wrong")
    with seller_scope(seller):
        member = Member.objects.get(user=user)
        password = members.new_password(member, by=factories.member(seller, Role.OWNER))

    assert log_in(Client(), user.username, password).status_code == 302
