"""Owners hear by mail that a connection has ended; with no mail server the page tells it all the same."""

from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.utils import timezone

from sellers import access_tokens, alerts, gateway
from sellers.models import Alert, AlertKind, Connection, Role, Standing
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import State
from tests import factories
from tests.browsing import logged_in
from tests.factories import as_ops, run_due_work
from tests.sellers import picky_mail

MAIL = "sellers.alerts.send_mail"


@pytest.fixture
def mail_server(settings):
    settings.EMAIL_IS_SET = True


@pytest.fixture
def picky(settings):
    """A mail server that refuses some recipients."""
    settings.EMAIL_BACKEND = "tests.sellers.picky_mail.EmailBackend"
    picky_mail.refuses.clear()
    return picky_mail


@pytest.fixture
def owner(connected):
    return factories.member(connected.seller, email="owner@shop.example")


def end(seller, says="Flipkart refuses even a fresh access token.") -> None:
    with seller_scope(seller):
        access_tokens.stop(Connection.objects.get(seller=seller), says)


def test_every_owner_is_mailed_and_nobody_else(connected, owner, mail_server, other_seller):
    factories.member(connected.seller, email="second@shop.example")
    factories.member(connected.seller, Role.STAFF, email="packer@shop.example")
    factories.member(connected.seller, email="left@shop.example", is_active=False)
    factories.member(other_seller, email="other@shop.example")

    end(connected.seller)
    run_due_work()

    assert sorted(message.to for message in mail.outbox) == [["owner@shop.example"], ["second@shop.example"]]
    message = mail.outbox[0]
    assert message.subject == f"{connected.seller.name}: renew the connection to Flipkart"
    assert "Flipkart refuses even a fresh access token." in message.body
    assert f"http://testserver/s/{connected.seller.slug}/connection/" in message.body
    assert [(row.state, row.says) for row in as_ops(Alert)] == [(State.DONE, "mailed to 2 owners")]


def test_a_grant_that_is_gone_is_told_by_the_worker_that_met_it(connected, owner, mail_server, flipkart):
    flipkart.oauth.revoke(connected.account)
    flipkart.world.regenerate_secret(connected.account)

    with pytest.raises(gateway.CallFailed):
        gateway.client_for(connected.seller.pk).fetch_shipments(["SHIP1"])
    run_due_work()

    assert factories.reload(connected.connection).standing == Standing.RECONNECT
    assert [message.to for message in mail.outbox] == [["owner@shop.example"]]


@pytest.mark.parametrize(
    ("is_set", "email", "says"), [(False, "owner@shop.example", alerts.NO_SERVER), (True, "", alerts.NOBODY)]
)
def test_what_cannot_be_mailed_stands_on_the_page_with_its_link(connected, settings, is_set, email, says):
    settings.EMAIL_IS_SET = is_set
    owner = factories.member(connected.seller, email=email)

    end(connected.seller)
    run_due_work()

    page = logged_in(owner).get(f"/s/{connected.seller.slug}/connection/").content.decode()
    assert mail.outbox == []
    assert f"{connected.seller.name}: renew the connection to Flipkart" in page
    assert f"http://testserver/s/{connected.seller.slug}/connection/" in page
    assert str(says) in page


def test_a_mail_server_that_is_down_is_asked_again_and_given_up_after_a_day(connected, owner, mail_server, monkeypatch):
    sent = []

    def is_down(*_message):
        raise SMTPServerDisconnected

    monkeypatch.setattr(MAIL, is_down)
    end(connected.seller)
    run_due_work()
    assert [(row.state, row.says) for row in as_ops(Alert)] == [
        (State.DUE, "the mail server does not take it just now: tried again")
    ]

    monkeypatch.setattr(MAIL, lambda *message: sent.append(message))
    factories.wake(Alert)
    run_due_work()
    assert [message[3] for message in sent] == [["owner@shop.example"]]

    monkeypatch.setattr(MAIL, is_down)
    end(connected.seller)
    with factories.ops():
        Alert.objects.filter(state=State.DUE).update(asked_at=timezone.now() - timedelta(days=2))
    run_due_work()
    assert [row.state for row in as_ops(Alert)] == [State.DONE, State.GIVEN_UP]


def test_an_owner_whose_address_is_refused_costs_the_others_nothing(connected, owner, mail_server, picky, caplog):
    factories.member(connected.seller, email="a@shop.example")
    factories.member(connected.seller, email="z@gone.example")
    picky.refuses["owner@shop.example"] = 550

    end(connected.seller)
    run_due_work()
    factories.wake(Alert)
    run_due_work()

    (row,) = as_ops(Alert)
    assert [message.to for message in mail.outbox] == [["a@shop.example"], ["z@gone.example"]]
    assert (row.state, row.says) == (
        State.DONE,
        "mailed to 2 owners; the mail server refuses the address of 1 owner",
    )
    assert "owner@shop.example" not in caplog.text


def test_only_the_owner_whose_mail_was_not_taken_is_tried_again(connected, owner, mail_server, picky):
    factories.member(connected.seller, email="z@shop.example")
    picky.refuses["owner@shop.example"] = 450

    end(connected.seller)
    for _ in range(3):
        factories.wake(Alert)
        run_due_work()
    waiting = as_ops(Alert)[0].says
    picky.refuses.clear()
    factories.wake(Alert)
    run_due_work()

    assert waiting == "mailed to 1 owner; the mail server does not take it just now: tried again"
    assert [message.to for message in mail.outbox] == [["z@shop.example"], ["owner@shop.example"]]
    assert [(row.state, row.says) for row in as_ops(Alert)] == [(State.DONE, "mailed to 2 owners")]


def test_an_alert_that_no_owner_can_be_mailed_ends_and_says_so(connected, owner, mail_server, picky):
    picky.refuses["owner@shop.example"] = 550

    end(connected.seller)
    run_due_work()

    assert [(row.state, row.says) for row in as_ops(Alert)] == [
        (State.GIVEN_UP, "the mail server refuses the address of 1 owner")
    ]


def test_one_whose_mail_is_not_taken_for_a_day_is_given_up_and_the_others_stay_mailed(
    connected, owner, mail_server, picky
):
    factories.member(connected.seller, email="z@shop.example")
    picky.refuses["owner@shop.example"] = 450

    end(connected.seller)
    run_due_work()
    with factories.ops():
        Alert.objects.update(asked_at=timezone.now() - timedelta(days=2), wake_at=timezone.now())
    run_due_work()

    assert [message.to for message in mail.outbox] == [["z@shop.example"]]
    assert [(row.state, row.says) for row in as_ops(Alert)] == [
        (State.GIVEN_UP, "mailed to 1 owner; not mailed to 1 owner: the mail server did not take it for a day")
    ]


def test_the_same_thing_is_told_once(connected, owner, mail_server):
    with seller_scope(connected.seller):
        for _ in range(2):
            alerts.raise_alert(connected.seller, AlertKind.ENDS_SOON, subject="It ends", text="soon", key="2026-12-01")
        alerts.raise_alert(connected.seller, AlertKind.ENDS_SOON, subject="It ends", text="soon", key="2026-12-20")

    run_due_work()

    assert len(mail.outbox) == 2


def test_a_sellers_name_cannot_break_out_of_the_subject(mail_server, flipkart, db):
    connected = factories.connected_seller(flipkart, name="Shop\nBcc: everybody@example.com")
    factories.member(connected.seller, email="owner@shop.example")

    end(connected.seller)
    run_due_work()

    assert [message.subject for message in mail.outbox] == [
        "Shop Bcc: everybody@example.com: renew the connection to Flipkart"
    ]


def test_others_do_not_see_what_owners_were_told(connected, owner, other_seller):
    end(connected.seller)
    theirs = factories.member(other_seller)

    assert "renew the connection" not in logged_in(theirs).get(f"/s/{other_seller.slug}/connection/").content.decode()
