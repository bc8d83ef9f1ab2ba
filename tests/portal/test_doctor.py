"""A connection's page says what is well and what to do; owners are mailed before it breaks."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from orders.models import PollCursor, Shipment
from sellers import gateway
from sellers.models import Alert, AlertKind, Connection, Facility, Standing, Watch
from shipcrowd.portal import doctor, watching
from shipcrowd.portal.doctor import Signs
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention
from tests import factories
from tests.browsing import logged_in, words
from tests.factories import as_ops, run_due_work

NOW = factories.at("2026-11-26T10:00:00+05:30")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WHOLE = {
    "name": "Mumbai",
    "address_line1": "1 MG Road",
    "city": "Mumbai",
    "state": "Maharashtra",
    "pincode": "400001",
    "gstin": "27ABCDE1234F1Z5",
    "phone": "9876543210",
    "pickup_times": [["14:00"]] * 7,
}


def signs(**changed) -> Signs:
    """Of a connection with which all is well, but for what is changed."""
    row = {"standing": Standing.CONNECTED, "token_fetched_at": NOW - HOUR / 4, "consented_at": NOW - DAY}
    row |= {"clock_skew_s": 1} | {name: changed.pop(name) for name in list(changed) if hasattr(Connection, name)}
    cursor = {"last_good_at": NOW - HOUR / 10} | changed.pop("cursor", {})
    return Signs(
        **{
            "row": Connection(**row),
            "cursor": PollCursor(**cursor),
            "places": [Facility(**WHOLE)],
            "quota_left": 20.0,
            "database_skew_s": 0.1,
            "slug": "shop",
        }
        | changed
    )


def tones(**changed) -> dict[str, str]:
    return {line.title: line.tone for line in doctor.judge(signs(**changed), NOW)}


def test_all_is_green_where_nothing_is_wrong_and_the_rest_says_when_it_comes():
    assert tones() == {
        "Access": "good",
        "Consent": "good",
        "Reading": "good",
        "Facilities": "good",
        "Clocks": "good",
        "Quota": "good",
        "Listings without SKU": "",
        "Last notification": "",
    }


@pytest.mark.parametrize(
    ("changed", "title", "tone", "says"),
    [
        ({"standing": Standing.RECONNECT, "says": "The grant is gone."}, "Access", "bad", "The grant is gone."),
        ({"token_fetched_at": None}, "Access", "warn", "no token was fetched yet"),
        ({"consented_at": NOW - 179 * DAY}, "Consent", "warn", "ends on 27 Nov 2026: press Connect again"),
        ({"consented_at": NOW - 181 * DAY}, "Consent", "bad", "ended on 25 Nov 2026"),
        ({"standing": Standing.DISCONNECTED}, "Consent", "", "given up when the connection was cut"),
        ({"standing": Standing.RECONNECT}, "Consent", "warn", "but of no use"),
        ({"client_id": "app_1", "consented_at": NOW - 500 * DAY}, "Consent", "good", "do not end by themselves"),
        ({"cursor": {"last_good_at": None}}, "Reading", "warn", "nothing was read yet"),
        (
            {"cursor": {"last_good_at": NOW - HOUR, "says": "search: too many calls"}},
            "Reading",
            "bad",
            "last read to the end at 26 Nov 09:00. search: too many calls",
        ),
        ({"places": []}, "Facilities", "", "they come with the first shipments"),
        ({"places": [Facility(**WHOLE | {"gstin": "", "phone": ""})]}, "Facilities", "warn", "Mumbai: GSTIN, phone"),
        ({"clock_skew_s": -90}, "Clocks", "warn", "differ by -90 s"),
        ({"clock_skew_s": None}, "Clocks", "", "measured with the next token"),
        ({"database_skew_s": 40.0}, "Clocks", "bad", "the database differ by 40 s"),
        ({"quota_left": 0.4}, "Quota", "warn", "used up, or Flipkart asked for a pause"),
    ],
)
def test_what_is_wrong_says_what_to_do(changed, title, tone, says):
    (line,) = [line for line in doctor.judge(signs(**changed), NOW) if line.title == title]

    assert (line.tone, says in line.says) == (tone, True), line.says


def test_the_page_shows_the_lines_of_a_real_connection(connected, flipkart):
    owner = factories.member(connected.seller)
    flipkart.world.add_shipments(connected.account, 1)
    with seller_scope(connected.seller):
        PollCursor.objects.update(wake_at=timezone.now())
    run_due_work()

    page = words(logged_in(owner).get(f"/s/{connected.seller.slug}/connection/"))

    assert "well Access token renewed 0 min ago" in page
    assert "well Reading last read to the end at" in page
    assert "look Facilities missing at Mumbai Warehouse: address, city" in page


# --- Before it breaks ------------------------------------------------------------------------------------------------


@pytest.fixture
def watched(connected, settings):
    """A connection by consent, looked after, with an owner who has an address and a mail server that works."""
    settings.EMAIL_IS_SET = True
    factories.member(connected.seller, email="owner@shop.example")
    with seller_scope(connected.seller):
        Connection.objects.update(client_id="", consented_at=timezone.now())
        PollCursor.objects.update(last_good_at=timezone.now())
        watching.begin(connected.seller, Connection.objects.get())
    return connected


def look(connected) -> list[str]:
    """An hour later; which mails stand in the outbox."""
    factories.wake(Watch)
    run_due_work()
    return [message.subject for message in mail.outbox]


def test_nothing_is_mailed_while_all_is_well_and_somebody_looks_again(watched):
    assert look(watched) == []
    assert as_ops(Watch)[0].wake_at > timezone.now() + 59 * timedelta(minutes=1)


@pytest.mark.parametrize(("days_left", "mails"), [(20, 0), (13, 1), (2, 1)])
def test_owners_are_mailed_before_the_consent_ends_and_once_for_each_warning(watched, days_left, mails):
    with seller_scope(watched.seller):
        Connection.objects.update(consented_at=timezone.now() - (180 - days_left) * DAY)

    look(watched)
    found = look(watched)

    assert len(found) == mails
    assert all("the consent at Flipkart ends on" in subject for subject in found)


def test_owners_are_warned_again_when_few_days_are_left(watched):
    with seller_scope(watched.seller):
        Connection.objects.update(consented_at=timezone.now() - 170 * DAY)
    look(watched)

    with seller_scope(watched.seller):
        Connection.objects.update(consented_at=timezone.now() - 178 * DAY)

    assert len(look(watched)) == 2


def test_owners_are_mailed_when_reading_has_failed_for_hours(watched):
    with seller_scope(watched.seller):
        PollCursor.objects.update(last_good_at=timezone.now() - 4 * HOUR, says="search: no answer in time")

    look(watched)
    found = look(watched)

    assert len(found) == 1
    assert "Flipkart has not been read since" in found[0]
    assert "search: no answer in time" in mail.outbox[0].body


def test_owners_are_mailed_when_the_first_reading_has_failed_for_hours(watched):
    with seller_scope(watched.seller):
        PollCursor.objects.update(last_good_at=None, says="search: no answer in time")
        Connection.objects.update(consented_at=timezone.now() - 4 * HOUR)

    assert ["Flipkart has not been read since" in one for one in look(watched)] == [True]


@pytest.mark.parametrize("is_on", [True, False])
def test_the_digest_is_mailed_once_a_morning_where_it_is_on(watched, settings, monkeypatch, is_on):
    settings.DAILY_DIGEST = is_on
    monkeypatch.setattr(watching, "DIGEST_FROM", 0)
    factories.shipment(watched.seller, attention=Attention.ODD_MOVE, attention_says="moved oddly")

    look(watched)
    found = look(watched)

    assert found == ([f"{watched.seller.name}: 1 things need a person"] if is_on else [])
    assert [alert.kind for alert in as_ops(Alert)] == ([AlertKind.DIGEST] if is_on else [])


def test_a_digest_waits_for_the_morning_and_says_nothing_of_nothing(watched, settings, monkeypatch):
    settings.DAILY_DIGEST = True
    monkeypatch.setattr(watching, "DIGEST_FROM", 24)
    factories.shipment(watched.seller, attention=Attention.ODD_MOVE)
    assert look(watched) == []

    monkeypatch.setattr(watching, "DIGEST_FROM", 0)
    with factories.ops():
        Shipment.objects.update(attention="")
    assert look(watched) == []


def test_a_cut_connection_is_no_longer_looked_after(watched):
    with seller_scope(watched.seller):
        Connection.objects.update(standing=Standing.DISCONNECTED)

    assert look(watched) == []
    assert as_ops(Watch)[0].wake_at is None


def test_the_clock_is_compared_with_every_new_token(connected, flipkart, clock):
    clock.pass_(minutes=-3)

    gateway.client_for(connected.seller.pk).fetch_shipments(flipkart.world.add_shipments(connected.account, 1))

    assert -182 < factories.reload(connected.connection).clock_skew_s < -178
