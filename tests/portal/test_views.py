"""Where one comes in, the picker, a seller's home and what needs a person."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from fulfillment.models import Dispatch, LabelRequest
from orders.ingest import ingest
from orders.models import PollCursor, Shipment, TimelineEntry, Unreadable
from orders.states import State
from sellers import switches
from sellers.models import Connection, Member, MemberFacility, Quota, Role, Standing
from shipcrowd.audit.models import AuditEntry
from shipcrowd.flipkart import types
from shipcrowd.portal import overview
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention
from tests import factories
from tests.browsing import logged_in, statements, words
from tests.factories import as_ops

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def refused(seller, says="the serial number is missing", **values) -> LabelRequest:
    row = factories.shipment(seller, **values)
    with seller_scope(seller):
        return LabelRequest.objects.create(
            seller=seller, shipment=row, state="refused", attention=Attention.REFUSED, says=says
        )


# --- Coming in -------------------------------------------------------------------------------------------------------


def test_whoever_is_not_logged_in_is_asked_to(client: Client, seller):
    assert client.get("/").url == "/login/"
    assert client.get("/sellers/").url == "/login/?next=/sellers/"
    assert client.get(f"/s/{seller.slug}/").url == f"/login/?next=/s/{seller.slug}/"


def test_who_works_for_one_seller_comes_to_its_home_and_who_works_for_two_chooses(seller, other_seller):
    of_one = factories.member(seller, Role.STAFF)
    of_two = factories.member(seller, Role.STAFF)
    with seller_scope(other_seller):
        Member.objects.create(seller=other_seller, user=of_two, role=Role.VIEWER)

    assert logged_in(of_one).get("/").url == f"/s/{seller.slug}/"
    assert logged_in(of_two).get("/").url == "/sellers/"
    page = words(logged_in(of_two).get("/sellers/"))
    assert seller.name in page
    assert other_seller.name in page


def test_a_strangers_seller_is_a_page_that_does_not_exist(stranger, seller, other_seller):
    shown, hidden = stranger.get(f"/s/{other_seller.slug}/"), stranger.get(f"/s/{seller.slug}/")
    nowhere = stranger.get("/s/no-such-seller/")

    assert [shown.status_code, hidden.status_code, nowhere.status_code] == [200, 404, 404]
    assert words(hidden) == words(nowhere)


def test_nobody_but_ops_sees_sellers_that_are_not_theirs(owner, seller, other_seller):
    page = words(owner.get("/sellers/"))

    assert seller.name in page
    assert other_seller.name not in page


# --- Home ------------------------------------------------------------------------------------------------------------


def test_home_says_what_leaves_today_and_what_of_it_is_not_labelled(packer, seller, other_seller):
    now = timezone.now()
    midnight = timezone.localtime(now).replace(hour=23, minute=59, second=59, microsecond=999_999)
    for by in (now - timedelta(hours=2), midnight, midnight):
        factories.shipment(seller, dispatch_by_at=by)
    factories.shipment(seller, dispatch_by_at=midnight, state=State.PACKED, label_stored_at=now, printed_at=now)
    factories.shipment(seller, dispatch_by_at=midnight, state=State.READY_TO_DISPATCH)
    factories.shipment(seller, dispatch_by_at=now + timedelta(days=2))
    factories.shipment(seller, dispatch_by_at=midnight, is_on_hold=True)
    factories.shipment(other_seller, dispatch_by_at=midnight)
    connect(seller)

    figures = packer.get(f"/s/{seller.slug}/").context["figures"]

    assert (figures.leaves_today, figures.late, figures.not_labelled) == (5, 1, 3)
    assert (figures.not_dispatched, figures.on_hold) == (4, 1)
    assert [tile.count for tile in figures.tiles] == [4, 0, 1, 1]


def test_home_is_about_the_members_own_facilities_until_others_are_chosen(seller):
    mine, other = factories.facility(seller, name="Mumbai"), factories.facility(seller, name="Pune")
    for place in (mine, mine, other):
        factories.shipment(seller, facility=place, dispatch_by_at=timezone.now() - timedelta(hours=1))
        factories.shipment(seller, facility=place, is_on_hold=True)
    packer = factories.member(seller, Role.STAFF)
    with seller_scope(seller):
        MemberFacility.objects.create(seller=seller, member=Member.objects.get(user=packer), facility=mine)
    browser, address = logged_in(packer), f"/s/{seller.slug}/"

    found = [
        browser.get(address, {"facility": asked} if asked else {}).context["figures"].late
        for asked in ("", "mine", "all", str(other.public_id), "no such place")
    ]

    assert found == [2, 2, 3, 1, 3]
    for asked in ("mine", "all", str(other.public_id)):  # what a figure says is what its link shows
        home = browser.get(address, {"facility": asked})
        figures = home.context["figures"]
        assert [len(browser.get(tile.link).context["rows"]) for tile in figures.tiles] == [
            tile.count for tile in figures.tiles
        ]
        assert len(browser.get(figures.late_link).context["rows"]) == figures.late
        assert len(browser.get(figures.on_hold_link).context["rows"]) == figures.on_hold
        assert f'href="{escape(figures.on_hold_link)}"' in home.content.decode()


def test_home_says_the_next_pickup_and_when_the_quota_lets_todays_labels_be_here(packer, seller, settings):
    hour = [f"{(timezone.localtime() + timedelta(hours=2)):%H}:00"]
    factories.facility(seller, name="Mumbai", pickup_times=[hour] * 7)
    for _ in range(45):
        factories.shipment(seller, dispatch_by_at=timezone.now() - timedelta(minutes=1))
    connection = connect(seller)
    with seller_scope(seller):
        Quota.objects.create(seller=seller, connection=connection, left=5)

    page = packer.get(f"/s/{seller.slug}/")

    assert f"pickup today {hour[0]}" in words(page) or f"pickup tomorrow {hour[0]}" in words(page)
    # 45 labels: 3 calls to pack, 3 to fetch, 2 to read; 5 at once, the others at 65 a minute.
    ready_at = page.context["figures"].labels_ready_at
    assert timedelta(seconds=2) < ready_at - timezone.now() < timedelta(seconds=8)
    assert f"labels ready by {timezone.localtime(ready_at):%H:%M} at your quota" in words(page)


def test_late_dispatches_of_the_week_are_counted_among_those_that_are_known(packer, seller, other_seller):
    now = timezone.now()
    for known in (True, False, False, None):
        factories.shipment(seller, state=State.SHIPPED, dispatched_at=now, was_dispatched_late=known)
    factories.shipment(seller, dispatch_by_at=now - timedelta(minutes=1))
    factories.shipment(seller, state=State.SHIPPED, dispatched_at=now - timedelta(days=8), was_dispatched_late=True)
    factories.shipment(other_seller, state=State.SHIPPED, dispatched_at=now, was_dispatched_late=True)
    connect(seller)

    page = packer.get(f"/s/{seller.slug}/")

    budget = page.context["budget"]
    assert (budget.late, budget.known, budget.dispatched, budget.is_over) == (2, 4, 5, True)
    assert "50.00 % 2 of 4 late, the limit is 0.5 %" in words(page)
    assert "4 of 5 known" in words(page)


def test_the_chart_shows_each_of_the_last_14_days(packer, seller):
    now = timezone.now()
    for days in (0, 0, 3, 20):
        factories.shipment(seller, ordered_at=now - timedelta(days=days))
    factories.shipment(
        seller,
        ordered_at=now - timedelta(days=3),
        state=State.SHIPPED,
        dispatched_at=now - timedelta(days=2),
        was_dispatched_late=True,
    )
    connect(seller)

    days = packer.get(f"/s/{seller.slug}/").context["days"]

    assert [(day.ordered, day.dispatched, day.late) for day in days] == [
        *[(0, 0, 0)] * 10,
        (2, 0, 0),
        (0, 1, 1),
        (0, 0, 0),
        (2, 0, 0),
    ]
    assert [day.ordered_height for day in days][-4:] == [100, 0, 0, 100]


def connect(seller, standing=Standing.CONNECTED, says="") -> Connection:
    with seller_scope(seller):
        row = Connection.objects.create(
            seller=seller, environment="simulator", wire="guide", standing=standing, says=says
        )
        PollCursor.objects.create(seller=seller, connection=row, last_good_at=factories.at("2026-11-24T07:57:00+00:00"))
    return row


def test_before_the_first_connect_home_says_how_and_only_owners_can_press_it(owner, packer, seller):
    page = owner.get(f"/s/{seller.slug}/")

    assert f'action="/s/{seller.slug}/connect/"' in page.content.decode()
    assert "Connect to Flipkart" not in words(packer.get(f"/s/{seller.slug}/"))
    assert "An owner of this seller has to connect it." in words(packer.get(f"/s/{seller.slug}/"))


def test_a_connection_that_must_be_renewed_is_said_on_home_with_the_button(owner, viewer, seller):
    connect(seller, Standing.RECONNECT, "The seller withdrew the consent.")

    assert "The seller withdrew the consent. Renew the connection" in words(owner.get(f"/s/{seller.slug}/"))
    assert "Ask an owner to renew it." in words(viewer.get(f"/s/{seller.slug}/"))


def test_home_of_a_seller_that_is_disconnected_says_that_nothing_is_read_with_the_button(owner, viewer, seller):
    connect(seller, Standing.DISCONNECTED)
    factories.shipment(seller)

    page = owner.get(f"/s/{seller.slug}/")

    says = "This seller is not connected to Flipkart: nothing is read or sent."
    assert f"{says} Connect to Flipkart" in words(page)
    assert page.content.decode().count(f'action="/s/{seller.slug}/connect/"') == 1
    assert f"{says} Ask an owner to connect it." in words(viewer.get(f"/s/{seller.slug}/"))


def test_a_consent_that_ends_soon_is_said_on_home(owner, packer, seller, settings):
    row = connect(seller)
    with seller_scope(seller):
        ends_in = timedelta(days=2) - settings.CONSENT_LIFE
        Connection.objects.filter(pk=row.pk).update(consented_at=timezone.now() + ends_in)

    assert "press Connect again before that. Renew the connection" in words(owner.get(f"/s/{seller.slug}/"))
    assert "Ask an owner to renew it." in words(packer.get(f"/s/{seller.slug}/"))


def test_home_says_as_of_when_and_fetch_now_wakes_the_poll(packer, viewer, seller):
    connect(seller)

    assert "as of 13:27" in words(packer.get(f"/s/{seller.slug}/"))
    answer = packer.post(f"/s/{seller.slug}/fetch/")

    assert answer.url == f"/s/{seller.slug}/"
    assert factories.as_ops(PollCursor)[0].wake_at is not None
    assert viewer.post(f"/s/{seller.slug}/fetch/").status_code == 403
    assert "Fetch now" not in words(viewer.get(f"/s/{seller.slug}/"))


def test_fetch_now_says_why_nothing_is_read_while_the_platform_has_stopped_reading(packer, seller):
    connect(seller)
    with seller_scope(seller):
        before = PollCursor.objects.get().wake_at
        switches.turn(seller, switches.Switch.READING, off="Flipkart asked us to", by=factories.user(is_staff=True))

    answer = packer.post(f"/s/{seller.slug}/fetch/", follow=True)

    assert "the platform has stopped reading: Flipkart asked us to" in words(answer)
    assert "Asked Flipkart for what is new" not in words(answer)
    assert factories.as_ops(PollCursor)[0].wake_at == before


def test_sending_switched_off_is_said_on_every_page(packer, seller, settings):
    settings.SENDING = False

    for page in ("", "shipments/", "attention/"):
        assert "Sending is off" in words(packer.get(f"/s/{seller.slug}/{page}"))


# --- Attention -------------------------------------------------------------------------------------------------------


def test_attention_groups_by_reason_and_never_shows_another_seller(packer, seller, other_seller):
    refused(seller)
    refused(seller)
    refused(other_seller, says="theirs alone")
    factories.shipment(seller, attention=Attention.PULL, attention_says="cancelled after the label")
    with seller_scope(seller):
        Unreadable.objects.create(
            seller=seller, flipkart_shipment_id="SHIPBAD", path="items[0].price", says="no number"
        )

    page = packer.get(f"/s/{seller.slug}/attention/")

    found = [(group.kind, group.reason, group.count) for group in page.context["groups"]]
    assert found == [("labels", "refused", 2), ("shipments", "pull", 1), ("unreadable", "unreadable", 1)]
    assert "SHIPBAD No number (items[0].price)" in words(page)
    assert "theirs alone" not in words(page)


def test_what_the_machine_still_tries_is_shown_apart_and_needs_nobody(packer, seller):
    for attention in (Attention.LATE, Attention.BROKEN, Attention.RECONNECT, Attention.BAD_PAPER):
        with seller_scope(seller):
            LabelRequest.objects.create(
                seller=seller, shipment=factories.shipment(seller), attention=attention, wake_at=NOW, says="tried again"
            )

    page = packer.get(f"/s/{seller.slug}/attention/")

    assert page.context["groups"] == []
    assert {group.reason for group in page.context["goes_on"]} == {"late", "broken", "reconnect", "bad_paper"}
    assert "Nothing needs a person" in words(page)
    assert "Still being tried" in words(page)
    assert packer.get(f"/s/{seller.slug}/").context["groups"] == []


def test_a_form_needs_a_person_though_its_row_still_waits(packer, seller):
    with seller_scope(seller):
        LabelRequest.objects.create(
            seller=seller, shipment=factories.shipment(seller), attention=Attention.FORM, wake_at=NOW
        )

    page = packer.get(f"/s/{seller.slug}/attention/")

    assert [(group.reason, group.count) for group in page.context["groups"]] == [("form", 1)]
    assert page.context["goes_on"] == []


def test_a_connection_that_must_be_renewed_needs_a_person_before_all_else(owner, packer, ops, seller):
    connect(seller, Standing.RECONNECT, "The seller withdrew the consent.")
    refused(seller), refused(seller)

    page = owner.get(f"/s/{seller.slug}/attention/")

    assert [(group.kind, group.count) for group in page.context["groups"]] == [("connection", 1), ("labels", 2)]
    assert "The seller withdrew the consent." in words(page)
    assert f'href="/s/{seller.slug}/connection/"' in page.content.decode()
    assert "Ask an owner to renew it." in words(packer.get(f"/s/{seller.slug}/attention/"))
    ((_of, groups),) = ops.get("/attention/").context["found"]
    assert [group.kind for group in groups] == ["connection", "labels"]


def test_one_press_retries_a_group_and_a_viewer_has_no_button(packer, viewer, seller):
    rows = [refused(seller), refused(seller)]
    address = f"/s/{seller.slug}/attention/"

    offered = packer.get(address).context["groups"][0].ids
    packer.post(f"/s/{seller.slug}/work/retry/", {"row": offered})

    assert sorted(offered) == sorted(str(row.public_id) for row in rows)
    assert [factories.reload(row).attention for row in rows] == ["", ""]
    assert "Retry" not in words(viewer.get(address)).replace("press Retry", "")
    assert viewer.post(f"/s/{seller.slug}/work/retry/", {"row": offered}).status_code == 403


def test_who_has_looked_at_an_odd_shipment_ends_its_attention_and_stays_on_its_timeline(packer, viewer, seller):
    odd = factories.shipment(seller, attention=Attention.ODD_MOVE, attention_says="moved from SHIPPED to PACKED")
    held_by_other = factories.shipment(seller, attention=Attention.PULL, attention_says="cancelled after the label")
    address = f"/s/{seller.slug}/shipments/looked-at/"
    sent = {"shipment": [str(odd.public_id), str(held_by_other.public_id)]}

    assert viewer.post(address, sent).status_code == 403
    page = packer.post(address, sent, follow=True)

    assert "1 is out of sight" in words(page)
    assert factories.reload(odd).attention == ""
    assert factories.reload(held_by_other).attention == Attention.PULL
    (line,) = as_ops(TimelineEntry, shipment=odd)
    assert (line.says, str(line.by_id)) == ("a person looked at it", packer.session["_auth_user_id"])


def test_what_could_not_be_read_goes_out_of_sight_and_comes_back_when_it_is_met_again(packer, seller):
    with seller_scope(seller):
        hole = Unreadable.objects.create(seller=seller, flipkart_shipment_id="SHIPBAD", path="x", says="no number")
        hole.refresh_from_db()

    packer.post(f"/s/{seller.slug}/shipments/looked-at/", {"unreadable": [str(hole.public_id)]})
    assert as_ops(Unreadable) == []

    with seller_scope(seller):
        again = types.Unreadable(flipkart_shipment_id="SHIPBAD", path="x", says="no number")
        ingest(seller_id=seller.pk, shipments=[], unreadable=[again], read_began_at=timezone.now())
    assert len(as_ops(Unreadable)) == 1


@pytest.mark.parametrize("sent", [{}, {"shipment": "x"}, {"unreadable": ["no id"]}])
def test_looking_at_nothing_says_what_to_do(packer, seller, sent):
    page = packer.post(f"/s/{seller.slug}/shipments/looked-at/", sent, follow=True)

    assert "Choose what you have looked at." in words(page)


def test_a_reason_of_thousands_shows_some_and_says_how_many(packer, seller):
    for _ in range(30):
        refused(seller)

    group = packer.get(f"/s/{seller.slug}/attention/").context["groups"][0]

    assert (group.count, len(group.rows), len(group.ids)) == (30, 25, 30)


@pytest.mark.parametrize(
    "address", ["/sellers/?q=%00", "/s/{slug}/shipments/?after=%00", "/s/{slug}/members/%00/role/", "/invitation/%00/"]
)
def test_a_nul_in_an_address_is_a_bad_request(owner, ops, seller, address):
    for person in (owner, ops):
        assert person.get(address.format(slug=seller.slug)).status_code == 400


@pytest.mark.parametrize("page", ["", "attention/"])
def test_a_page_takes_as_many_statements_with_100_rows_as_with_one(packer, seller, page):
    connect(seller)
    refused(seller)
    factories.shipment(seller, attention=Attention.PULL)
    with_one = statements(packer, f"/s/{seller.slug}/{page}")

    for _ in range(99):
        refused(seller)
        factories.shipment(seller, attention=Attention.PULL)

    assert statements(packer, f"/s/{seller.slug}/{page}") == with_one


def test_who_works_for_several_sellers_sees_what_needs_a_person_of_all_of_them(seller, other_seller, ops):
    third = factories.seller()
    person = factories.member(seller, Role.STAFF)
    with seller_scope(other_seller):
        Member.objects.create(seller=other_seller, user=person, role=Role.VIEWER)
    refused(seller)
    refused(other_seller), refused(other_seller)
    refused(third)

    mine = logged_in(person).get("/attention/").context["found"]
    everyones = ops.get("/attention/").context["found"]

    assert [(of.pk, [group.count for group in groups]) for of, groups in mine] == [
        (other_seller.pk, [2]),
        (seller.pk, [1]),
    ]
    assert {of.pk for of, _groups in everyones} == {seller.pk, other_seller.pk, third.pk}


def test_lost_answers_say_what_was_sent_when_it_is_looked_up_and_how_it_ended(packer, seller):
    now = timezone.now()
    rows = [factories.shipment(seller) for _ in range(3)]
    sent = {"seller": seller, "called_at": now, "lost_at": now}
    with seller_scope(seller):
        LabelRequest.objects.create(
            **sent, shipment=rows[0], state="unknown", in_doubt=True, wake_at=now, says="answer lost at 12:51"
        )
        LabelRequest.objects.create(**sent, shipment=rows[1], state="done", says="label stored")
        LabelRequest.objects.create(
            **sent | {"lost_at": now - timedelta(days=2)}, shipment=rows[2], state="done", says="long ago"
        )

    page = words(packer.get(f"/s/{seller.slug}/attention/"))

    assert f"unknown {rows[0].flipkart_shipment_id} Labels Sent at" in page
    assert "Answer lost at 12:51" in page
    assert f"done {rows[1].flipkart_shipment_id}" in page
    assert "Long ago" not in page


def test_a_parked_answer_says_what_to_press_and_bad_ends_are_not_green(packer, seller):
    now = timezone.now()
    rows = [factories.shipment(seller) for _ in range(5)]
    ends = [
        {"state": "given_up", "in_doubt": True, "attention": "parked", "says": "parked when the connection was cut"},
        {"state": "refused"},
        {"state": "given_up"},
        {"state": "done"},
        {"state": "due", "wake_at": now, "says": "read back twice: it did not arrive"},
    ]
    with seller_scope(seller):
        for shipment, end in zip(rows, ends, strict=True):
            Dispatch.objects.create(seller=seller, called_at=now, lost_at=now, shipment=shipment, **end)

    answer = packer.get(f"/s/{seller.slug}/attention/")

    shown = {one.shipment.pk: (one.stands, one.tone) for one in answer.context["lost"]}
    assert [shown[shipment.pk] for shipment in rows] == [
        ("parked", "bad"),
        ("refused", "bad"),
        ("given up", "bad"),
        ("done", "good"),
        ("waiting for its turn", "note"),
    ]
    page = words(answer)
    assert page.count("it is not looked up by itself: press Retry, here above.") == 1
    assert "Looked up at" not in page
    assert "Nothing to do here" not in page


# --- History ---------------------------------------------------------------------------------------------------------


def test_owners_read_what_the_platform_did_here_and_why_and_others_do_not(owner, packer, ops, seller, other_seller):
    ops.post(f"/sellers/{seller.slug}/reason/", {"reason": "Asha asked by phone"})
    ops.post(f"/sellers/{other_seller.slug}/reason/", {"reason": "quite another matter"})

    page = words(owner.get(f"/s/{seller.slug}/history/"))

    assert "ops platform Entered this seller to act for it Asha asked by phone" in page
    assert "quite another matter" not in page
    assert packer.get(f"/s/{seller.slug}/history/").status_code == 403


def test_a_long_history_comes_page_by_page_each_line_once(owner, seller):
    with seller_scope(seller):
        AuditEntry.objects.bulk_create(
            AuditEntry(did=f"act {number}", about=seller, at=NOW - timedelta(minutes=number // 7))
            for number in range(250)
        )

    seen, address = [], f"/s/{seller.slug}/history/"
    before = ""
    while True:
        page = owner.get(address, {"before": before}).context["page"]
        seen += [entry.did for entry in page.entries]
        before = page.before
        if not before:
            break

    assert [len(seen), len(set(seen))] == [250, 250]
    assert seen[0] in {f"act {number}" for number in range(7)}


KEY = "6f0f7a2e-6a0a-4c53-9d6b-1d1f2a7f5b11"
# No time of ours, nor one of the database's: an offset of a day less an hour, and either end of the calendar.
FAR = (f"0001-01-01T00:00:00+05:30~{KEY}", f"9999-12-31T23:59:59-05:00~{KEY}")


@pytest.mark.parametrize(
    "before", ["x", "2026-13-45T00:00:00Z~x", "2026-11-24T00:00:00~x", "2026-11-24T00:00:00Z~x", *FAR]
)
def test_a_place_in_the_history_that_is_none_starts_at_the_newest(owner, seller, before):
    with seller_scope(seller):
        AuditEntry.objects.bulk_create([AuditEntry(did="act", about=seller)])

    assert len(owner.get(f"/s/{seller.slug}/history/", {"before": before}).context["page"].entries) == 1


def test_a_place_in_the_history_may_be_said_by_a_far_offset(owner, seller):
    with seller_scope(seller):
        AuditEntry.objects.bulk_create([AuditEntry(did="act", about=seller)])

    for before, lines in ((f"2026-01-01T00:00:00+23:00~{KEY}", 0), (f"2096-01-01T00:00:00+23:00~{KEY}", 1)):
        page = owner.get(f"/s/{seller.slug}/history/", {"before": before}).context["page"]
        assert len(page.entries) == lines


# --- Platform ops ----------------------------------------------------------------------------------------------------


def test_ops_see_every_seller_the_most_endangered_first_and_the_audit_notes_it(ops, seller, other_seller):
    factories.shipment(other_seller, dispatch_by_at=timezone.now() - timedelta(hours=1))
    refused(seller)
    connect(seller)

    rows = ops.get("/sellers/").context["rows"]

    assert [(row.seller.slug, row.late, row.attention) for row in rows] == [
        (other_seller.slug, 1, 0),
        (seller.slug, 0, 1),
    ]
    assert ("ops", "seller picker") in [(e.by.username, e.why) for e in with_by(AuditEntry)]


def test_the_overview_counts_as_a_sellers_own_home_does(ops, packer, seller):
    now = timezone.now()
    midnight = timezone.localtime(now).replace(hour=23, minute=59, second=59)
    for values in (
        {},
        {"is_on_hold": True},
        {"set_aside_at": now, "set_aside_reason": "short"},
        {"attention": Attention.PULL},
        {"dispatch_after_at": now + timedelta(hours=1)},
        {"state": State.READY_TO_DISPATCH},
    ):
        factories.shipment(seller, dispatch_by_at=midnight, **values)

    (row,) = ops.get("/sellers/").context["rows"]
    figures = packer.get(f"/s/{seller.slug}/").context["figures"]

    assert (row.leaves_today, row.not_labelled, row.not_dispatched, row.late) == (2, 1, 1, 0)
    assert (figures.leaves_today, figures.not_labelled, figures.not_dispatched, figures.late) == (2, 1, 1, 0)


def test_when_there_are_more_sellers_than_are_shown_those_at_risk_are(ops, seller, monkeypatch):
    monkeypatch.setattr(overview, "SELLERS_SHOWN", 1)
    for name in ("aaa first by name", "aab second by name"):
        factories.seller(name=name)
    factories.shipment(seller, dispatch_by_at=timezone.now() - timedelta(hours=1))

    page = ops.get("/sellers/")

    assert [row.seller for row in page.context["rows"]] == [seller]
    assert "2 more sellers, with less at risk" in words(page)


def with_by(model):
    with factories.ops():
        return list(model.objects.select_related("by").exclude(by=None))


def test_ops_find_a_seller_by_part_of_its_name(ops, seller, other_seller):
    rows = ops.get("/sellers/", {"q": seller.name.upper()[-6:]}).context["rows"]

    assert [row.seller for row in rows] == [seller]
    assert "No seller is called “<b>”" in unescape(ops.get("/sellers/", {"q": "<b>"}).content.decode())


def test_the_picker_takes_as_many_statements_with_20_sellers_as_with_one(ops, seller):
    refused(seller)
    with_one = statements(ops, "/sellers/")

    for _ in range(19):
        refused(factories.seller())

    assert statements(ops, "/sellers/") == with_one


def test_the_overview_says_how_each_sellers_line_stands(ops, seller):
    connection = connect(seller)
    factories.facility(seller, pickup_times=[["23:59"]] * 7)
    row = factories.shipment(seller)
    with seller_scope(seller):
        Quota.objects.create(seller=seller, connection=connection, left=7)
        Connection.objects.update(token_fetched_at=factories.at("2026-11-24T07:30:00+00:00"))
        PollCursor.objects.update(failures_in_a_row=4)
        LabelRequest.objects.create(seller=seller, shipment=row, wake_at=timezone.now())

    (found,) = ops.get("/sellers/").context["rows"]

    assert (found.waiting, found.failures, found.pickup[-5:]) == (1, 4, "23:59")
    assert 2 <= found.quota_left <= 7
    assert "24 Nov 13:00" in words(ops.get("/sellers/"))


@pytest.mark.parametrize(("switch", "says"), [("READING", "stopped reading"), ("SENDING", "stopped sending")])
def test_ops_stop_a_seller_with_a_reason_that_stands_on_its_screens(ops, packer, seller, other_seller, switch, says):
    address = f"/sellers/{seller.slug}/switches/"

    assert "Say why" in words(ops.post(address, {"switch": switch, "reason": "?"}))
    ops.post(address, {"switch": switch, "reason": "their keys leaked"})

    assert f"The platform has {says}" in words(packer.get(f"/s/{seller.slug}/shipments/"))
    assert "their keys leaked" in words(packer.get(f"/s/{seller.slug}/shipments/"))
    assert "their keys leaked" in words(ops.get("/sellers/"))
    with seller_scope(other_seller):
        other_seller.refresh_from_db()
    assert (other_seller.reading_stopped, other_seller.sending_stopped) == ("", "")

    ops.post(address, {"switch": switch, "is_on": "1"})
    assert "their keys leaked" not in words(packer.get(f"/s/{seller.slug}/shipments/"))
    acts = {(e.did, e.why) for e in factories.as_ops(AuditEntry, about=seller)}
    assert acts == {(f"stopped {switch.lower()}", "their keys leaked"), (f"let {switch.lower()} go on", "")}


def test_only_ops_have_the_switches(owner, seller):
    assert owner.get(f"/sellers/{seller.slug}/switches/").status_code == 404


def test_ops_only_look_until_they_say_why_and_the_seller_can_read_it(ops, seller):
    row = refused(seller)
    retry = {"row": str(row.public_id)}

    turned_away = ops.post(f"/s/{seller.slug}/work/retry/", retry)
    assert turned_away.url == f"/sellers/{seller.slug}/reason/"
    assert factories.reload(row).attention == Attention.REFUSED

    given = ops.post(turned_away.url, {"reason": "Asha asked by phone", "next": f"/s/{seller.slug}/attention/"})
    assert given.url == f"/s/{seller.slug}/attention/"
    assert f"You act for {seller.name}: Asha asked by phone" in words(ops.get(given.url))
    ops.post(f"/s/{seller.slug}/work/retry/", retry)

    assert factories.reload(row).attention == ""
    assert "Asha asked by phone" in [e.why for e in factories.as_ops(AuditEntry, about=seller)]


@pytest.mark.parametrize("elsewhere", ["https://example.com/s/x/", "//example.com", "/s/other/", "/admin/", ""])
def test_after_the_reason_one_comes_to_this_sellers_pages_only(ops, seller, elsewhere):
    given = ops.post(f"/sellers/{seller.slug}/reason/", {"reason": "looks stuck", "next": elsewhere})

    assert given.url == f"/s/{seller.slug}/"


def test_a_reason_of_a_few_letters_is_none_and_the_page_is_for_ops_alone(ops, owner, seller):
    assert "at least 5 characters" in words(ops.post(f"/sellers/{seller.slug}/reason/", {"reason": "x"}))
    assert owner.get(f"/sellers/{seller.slug}/reason/").status_code == 404
    assert ops.get("/sellers/no-such-seller/reason/").status_code == 404


# --- Hostile words ---------------------------------------------------------------------------------------------------


def test_a_sellers_name_is_words_and_never_markup(db):
    evil = factories.seller(name="<script>alert(1)</script>", slug="evil")
    member = logged_in(factories.member(evil, Role.OWNER))
    refused(evil, says="<img src=x onerror=alert(2)>")

    for page in ("/s/evil/", "/s/evil/attention/", "/s/evil/shipments/", "/sellers/"):
        content = member.get(page).content.decode()
        assert "<script>alert(1)" not in content
        assert "<img src=x" not in content
        assert "&lt;script&gt;alert(1)" in content


def test_shipments_of_another_seller_never_count(packer, seller, other_seller):
    for _ in range(3):
        factories.shipment(other_seller)

    assert packer.get(f"/s/{seller.slug}/").context["figures"].open == 0
    assert len(factories.as_ops(Shipment)) == 3
