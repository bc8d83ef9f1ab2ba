"""Shipments are found by walks over Flipkart's search; what goes wrong on the way loses and doubles nothing."""

from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from fulfillment.shown import mark_shown
from orders import polling
from orders.ingest import ingest
from orders.models import FollowCursor, PollCursor, Reading, Shipment, Unreadable
from orders.tasks import poll
from orders.walks import Leg, Walk, may_leave_behind, plan
from sellers.models import Quota, Standing, WireName
from shipcrowd.flipkart.types import SearchPart, Span, State, Window
from shipcrowd.flipkart.wire import guide
from shipcrowd.tenancy import NoScope, seller_scope
from shipcrowd.transport.errors import Broken, NotAuthorized, Refused, Throttled, UnexpectedPayload, Unreachable
from shipcrowd.work import Attention, database_now
from tests import factories
from tests.factories import as_ops, reload, run_due_work

NOW = datetime.fromisoformat("2026-11-24T12:00:00+00:00")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SOMEBODY = "0b6c5e9e-6f5a-4f6e-8d3b-5b1f7d1c2a3b"  # a token that is not ours


def start(connected) -> None:
    with seller_scope(connected.seller):
        polling.start_polling(connected.seller, connected.connection)


def cursor(connected) -> PollCursor:
    (row,) = as_ops(PollCursor, seller=connected.seller)
    return row


def again(connected, runs: int = 30) -> int:
    """Polls as the bell does until the walk has come to its end or waits; returns the runs."""
    factories.wake(PollCursor)
    ran = 1
    while poll(seller_id=connected.seller.pk):
        ran += 1
        assert ran < runs
    return ran


def move(connected, **values) -> None:
    with seller_scope(connected.seller):
        PollCursor.objects.update(**values)


def ids(connected) -> set[str]:
    return {shipment.flipkart_shipment_id for shipment in as_ops(Shipment, seller=connected.seller)}


def searches(flipkart) -> int:
    return len(flipkart.ledger.calls_of("search"))


# --- What is asked ---


def planned(**values) -> Walk:
    facts = {"read_until": NOW - timedelta(minutes=5), "last_full_at": NOW - HOUR, "last_late_at": None, "waiting": 0}
    facts |= {"searches": guide.searches, "by_change": False, "behind": {}}
    return plan(now=NOW, page_size=50, **facts | values)


def ordered(begins_at: datetime, ends_at: datetime) -> Window:
    return Window(of=Span.ORDERED, begins_at=begins_at, ends_at=ends_at)


def test_the_first_walk_asks_for_all_that_is_open_over_thirty_days():
    (leg,) = planned(read_until=None, last_full_at=None).legs

    assert set(leg.part.states) == {State.APPROVED, State.READY_TO_PACK, State.PACKED, State.READY_TO_DISPATCH}
    assert leg.window == ordered(NOW - 30 * DAY, NOW + HOUR / 2)


def test_later_ones_ask_for_what_is_new_in_any_state_and_for_what_was_approved_late():
    new, late = planned().legs

    assert set(new.part.states) == guide.ABILITIES.searchable
    assert new.window == ordered(NOW - timedelta(minutes=35), NOW + HOUR / 2)
    assert set(late.part.states) == {State.APPROVED, State.READY_TO_PACK}
    assert late.window == ordered(NOW - 7 * DAY, NOW - timedelta(minutes=35))


def test_once_a_day_everything_that_is_open_is_searched_again():
    walk = planned(last_full_at=NOW - DAY)

    assert walk.is_full
    assert [leg.window.begins_at for leg in walk.legs] == [NOW - timedelta(minutes=35), NOW - 30 * DAY]
    assert walk.legs[1].window.ends_at == walk.legs[0].window.begins_at


@pytest.mark.parametrize(
    ("waiting", "minutes", "is_late"), [(0, 5, True), (3_750, 5, True), (3_800, 5, False), (10_000, 14, True)]
)
def test_what_was_approved_late_is_looked_for_less_often_where_much_waits(waiting, minutes, is_late):
    assert planned(waiting=waiting, last_late_at=NOW - timedelta(minutes=minutes)).is_late is is_late


def parts_apart(states) -> list[SearchPart]:
    """The searches of a wire that asks for what is cancelled apart."""
    alive = tuple(state for state in states if state is not State.CANCELLED)
    gone = SearchPart(name="gone", states=(State.CANCELLED,), is_rumour=True)
    return [SearchPart(name="alive", states=alive), *([gone] if State.CANCELLED in states else [])]


def test_where_a_search_can_ask_for_changes_every_part_is_asked_for_them_and_nothing_is_looked_for_late():
    changes = Window(of=Span.CHANGED, begins_at=NOW - timedelta(minutes=35), ends_at=NOW + HOUR / 2)

    walk = planned(searches=parts_apart, by_change=True)

    assert [(leg.part.name, leg.window) for leg in walk.legs] == [("alive", changes), ("gone", changes)]
    assert not walk.is_late


def test_where_a_search_can_ask_for_changes_the_daily_search_covers_what_was_ordered_of_late_too():
    walk = planned(searches=parts_apart, by_change=True, last_full_at=NOW - DAY)

    assert [leg.part.name for leg in walk.legs] == ["alive", "gone", "alive"]
    assert walk.legs[2].window == ordered(NOW - 30 * DAY, NOW + HOUR / 2)
    assert walk.is_full


def test_a_search_that_was_left_behind_is_asked_from_where_it_stopped():
    walk = planned(searches=parts_apart, by_change=True, behind={"gone": NOW - 3 * DAY, "no more": NOW - DAY})

    assert [leg.window.begins_at for leg in walk.legs] == [NOW - timedelta(minutes=35), NOW - 3 * DAY]
    assert (
        planned(searches=parts_apart, by_change=True, behind={"gone": NOW - 90 * DAY}).legs[1].window.begins_at
        == NOW - 30 * DAY
    )


@pytest.mark.parametrize(
    ("error", "failures", "ended", "left", "may"),
    [
        (Refused("search", status=400), 0, 1, 1, True),
        (Refused("search", status=400), 0, 0, 2, True),
        (UnexpectedPayload("search", "missing"), 0, 0, 2, True),
        (Refused("search", status=400), 9, 0, 1, False),  # none could be read
        (Broken("search", status=500), 2, 1, 1, True),
        (Unreachable("search"), 2, 1, 1, True),
        (Broken("search", status=500), 1, 1, 1, False),  # it may still answer
        (Broken("search", status=500), 9, 0, 2, False),  # nothing answers
        (Throttled("search"), 9, 1, 1, False),
        (NotAuthorized("search"), 9, 1, 1, False),
    ],
)
def test_what_is_left_behind_and_what_all_wait_for(error, failures, ended, left, may):
    assert may_leave_behind(error, failures=failures, ended=ended, left=left) is may


def test_after_a_long_silence_no_more_than_thirty_days_are_asked():
    assert planned(read_until=NOW - 90 * DAY).legs[0].window.begins_at == NOW - 30 * DAY


def test_a_walk_is_stored_and_found_again_as_it_was():
    walk = Walk(
        legs=(
            Leg(part=SearchPart(name="a", states=(State.APPROVED,), is_rumour=True), window=ordered(NOW - DAY, NOW)),
        ),
        began_at=NOW,
        marker="m",
        pages=3,
        ended=1,
        behind={"b": NOW - DAY},
    )
    assert Walk.from_json(walk.to_json()) == walk


# --- A good day ---


def test_a_first_poll_brings_every_open_shipment_and_moves_the_cursor(connected, flipkart):
    made = flipkart.world.add_shipments(connected.account, 120)
    flipkart.world.add_shipments(connected.account, 3, states="DELIVERED")
    start(connected)

    again(connected)

    row = cursor(connected)
    assert ids(connected) == set(made)
    assert searches(flipkart) == 3
    assert (row.walk, row.token, row.says, row.failures_in_a_row) == (None, None, "", 0)
    assert row.read_until == row.last_full_at == row.last_late_at is not None
    assert row.wake_at - row.last_good_at == settings.POLL_EVERY


def test_it_does_nothing_before_its_time_and_safely_twice(connected, flipkart):
    flipkart.world.add_shipments(connected.account, 3)
    start(connected)

    assert poll(seller_id=connected.seller.pk) is False
    assert poll(seller_id=connected.seller.pk, something_new="ignored") is False

    assert searches(flipkart) == 1
    assert again(connected) == 1
    assert len(ids(connected)) == 3


def test_an_order_that_is_approved_three_days_late_arrives_with_the_next_poll(connected, flipkart, clock):
    start(connected)
    again(connected)
    late = flipkart.world.add_shipments(
        connected.account, 1, ordered_at=clock.now - 3 * DAY, approved_at=clock.now + timedelta(minutes=2)
    )
    clock.pass_(minutes=5)

    again(connected)

    assert ids(connected) == set(late)


def test_an_order_that_is_approved_three_weeks_late_arrives_within_the_day(connected, flipkart, clock):
    start(connected)
    again(connected)
    late = flipkart.world.add_shipments(
        connected.account, 1, ordered_at=clock.now - 21 * DAY, approved_at=clock.now + timedelta(minutes=2)
    )
    clock.pass_(minutes=5)
    again(connected)
    assert ids(connected) == set()

    move(connected, last_full_at=timezone.now() - DAY)
    again(connected)

    assert ids(connected) == set(late)


def test_a_flipkart_whose_clock_is_ten_minutes_off_loses_nothing(connected, flipkart, clock):
    """trust.md 38."""
    start(connected)
    again(connected)

    made = flipkart.world.add_shipments(connected.account, 1, ordered_at=clock.now + timedelta(minutes=10))
    clock.pass_(minutes=10)
    made += flipkart.world.add_shipments(connected.account, 1, ordered_at=clock.now - timedelta(minutes=20))
    again(connected)

    assert ids(connected) == set(made)


def test_two_sellers_are_polled_apart(connected, flipkart):
    theirs = factories.connected_seller(flipkart)
    mine = flipkart.world.add_shipments(connected.account, 2)
    others = flipkart.world.add_shipments(theirs.account, 3)
    start(connected)
    start(theirs)

    poll(seller_id=connected.seller.pk)
    poll(seller_id=theirs.seller.pk)

    assert (ids(connected), ids(theirs)) == (set(mine), set(others))


def test_new_shipments_wake_the_follower(connected, flipkart):
    flipkart.world.add_shipments(connected.account, 2)
    start(connected)
    with seller_scope(connected.seller):
        FollowCursor.objects.update(wake_at=timezone.now() + DAY)

    again(connected)

    (follower,) = as_ops(FollowCursor, seller=connected.seller)
    assert follower.wake_at <= timezone.now()


# --- Long walks ---


def test_a_long_walk_gives_its_worker_to_others_and_goes_on(connected, flipkart, monkeypatch):
    monkeypatch.setattr(polling, "PAGES_A_RUN", 3)
    made = flipkart.world.add_shipments(connected.account, 400)
    start(connected)

    assert poll(seller_id=connected.seller.pk) is True
    assert cursor(connected).read_until is None
    assert 100 <= len(ids(connected)) < 150  # a page's last shipment comes with the page after it

    runs = 1 + again(connected)

    assert ids(connected) == set(made)
    assert (runs, searches(flipkart)) == (4, 8 + 3)  # each time it goes on it reads its last page once more
    assert cursor(connected).read_until is not None


def test_when_the_quota_is_spent_the_walk_waits_and_goes_on(connected, flipkart):
    made = flipkart.world.add_shipments(connected.account, 200)
    start(connected)
    with seller_scope(connected.seller):
        Quota.objects.update(left=settings.QUOTA_KEPT_FROM_POLLING + 2, counted_at=timezone.now())

    again(connected)

    row = cursor(connected)
    assert row.read_until is None
    assert "quota" in row.says
    assert row.failures_in_a_row == 0
    assert 0 < len(ids(connected)) < 200
    assert row.wake_at > timezone.now() + polling.THROTTLED_PAUSE * 0.9  # time for more than the page it reads again
    with seller_scope(connected.seller):
        Quota.objects.update(left=1000)
    again(connected)
    assert ids(connected) == set(made)
    assert (cursor(connected).says, cursor(connected).walk) == ("", None)


def test_a_walk_that_got_nowhere_waits_longer(connected, flipkart):
    flipkart.world.add_shipments(connected.account, 200)
    start(connected)
    with seller_scope(connected.seller):
        Quota.objects.update(left=0, kept_for_polling=0, counted_at=timezone.now())

    again(connected)

    assert cursor(connected).wake_at > timezone.now() + polling.THROTTLED_PAUSE_WITHOUT_PROGRESS * 0.9


def test_what_a_page_held_back_is_as_old_as_that_page(connected, flipkart, clock, monkeypatch):
    """Its last shipment comes with the next page, and may have been dispatched by us meanwhile."""
    made = flipkart.world.add_shipments(connected.account, 60, states="PACKED", ordered_at=clock.now)
    start(connected)
    again(connected)
    with seller_scope(connected.seller):
        held_back = Shipment.objects.get(flipkart_shipment_id=made[49])

    pages = []

    def dispatched_meanwhile(**page):
        done = ingest(**page)
        pages.append(page["shipments"])
        if len(pages) > 1:
            return done
        with seller_scope(connected.seller):
            Shipment.objects.select_for_update().get(pk=held_back.pk)
            mark_shown(connected.seller.pk, [held_back.pk], State.READY_TO_DISPATCH, at=database_now())
        return done

    monkeypatch.setattr(polling, "ingest", dispatched_meanwhile)
    again(connected)

    assert made[49] in {shipment.flipkart_shipment_id for shipment in pages[1]}
    assert reload(held_back).state == "READY_TO_DISPATCH"


def test_pages_that_move_while_they_are_read_lose_nothing(connected, flipkart):
    """trust.md 37."""
    made = flipkart.world.add_shipments(connected.account, 160)
    start(connected)
    flipkart.faults.set("search", "shifting_page")
    flipkart.faults.set("search", "repeat_on_two_pages")

    again(connected)
    move(connected, last_full_at=timezone.now() - DAY)
    again(connected)

    assert ids(connected) >= set(made)
    assert len(as_ops(Shipment)) == len(ids(connected))


def test_a_walk_that_lay_for_too_long_starts_anew(connected, flipkart, monkeypatch):
    monkeypatch.setattr(polling, "PAGES_A_RUN", 2)
    flipkart.world.add_shipments(connected.account, 160)
    start(connected)
    poll(seller_id=connected.seller.pk)
    stored = cursor(connected).walk | {"began_at": (timezone.now() - DAY).isoformat()}
    move(connected, walk=stored)

    again(connected)

    assert cursor(connected).read_until > timezone.now() - DAY
    assert len(ids(connected)) == 160


# --- Never twice at once ---


def test_who_holds_the_cursor_is_left_alone(connected, flipkart):
    start(connected)
    move(connected, token=SOMEBODY, wake_at=timezone.now() + HOUR)

    assert poll(seller_id=connected.seller.pk) is False
    with seller_scope(connected.seller):
        assert polling.poll_now(connected.seller).startswith("Flipkart is being read just now")

    assert searches(flipkart) == 0


def test_who_lost_the_cursor_moves_it_no_more(connected, flipkart, monkeypatch):
    """A worker stands still past its lease; another one begins; the first must not write the cursor."""
    flipkart.world.add_shipments(connected.account, 120)
    start(connected)
    taken_in = []

    def overtaken(*arguments, **values):
        done = ingest(*arguments, **values)
        if not taken_in:
            move(connected, token=SOMEBODY)
        taken_in.append(done)
        return done

    ingest = polling.ingest
    monkeypatch.setattr(polling, "ingest", overtaken)

    assert poll(seller_id=connected.seller.pk) is False

    row = cursor(connected)
    assert (len(taken_in), row.read_until, row.walk) == (1, None, None)
    assert ids(connected) == set()  # the page and the walk's progress go in together, or not at all


def test_a_worker_that_died_is_followed_by_another(connected, flipkart):
    made = flipkart.world.add_shipments(connected.account, 3)
    start(connected)
    move(connected, token=SOMEBODY, wake_at=timezone.now() - timedelta(seconds=1))

    again(connected)

    assert ids(connected) == set(made)


# --- What goes wrong ---


@pytest.mark.parametrize("kind", ["repeating_marker", "has_more_without_marker"])
def test_a_walk_without_an_end_needs_a_person_and_does_not_move_the_cursor(connected, flipkart, kind):
    """trust.md 36."""
    flipkart.world.add_shipments(connected.account, 120)
    start(connected)
    flipkart.faults.set("search", kind, times=None)

    again(connected)

    row = cursor(connected)
    (hole,) = as_ops(Unreadable)
    assert (row.read_until, row.walk, row.token) == (None, None, None)
    assert row.says.startswith("search: ")
    assert (hole.path, hole.says) == ("search", f"the search could not be read to its end: {row.says}")
    assert len(ids(connected)) >= 50  # what was read is here
    assert row.wake_at - timezone.now() > settings.POLL_EVERY * 0.9

    flipkart.faults.clear()
    again(connected)

    assert (len(ids(connected)), as_ops(Unreadable)) == (120, [])
    assert cursor(connected).says == ""


@pytest.mark.parametrize("kind", ["html", "truncated", "server_error", "drop_before", "drop_after", "throttled"])
def test_a_page_that_fails_leaves_the_cursor_and_the_next_walk_finds_all(connected, flipkart, kind):
    """trust.md 32."""
    made = flipkart.world.add_shipments(connected.account, 120)
    start(connected)
    flipkart.faults.set("search", "slow", seconds=0)  # the first page comes
    flipkart.faults.set("search", kind)

    again(connected)

    row = cursor(connected)
    assert (row.read_until, row.token) == (None, None)
    assert row.says != ""
    assert row.wake_at > timezone.now()

    with seller_scope(connected.seller):
        Quota.objects.update(left=1000, closed_until=None)
    again(connected)
    assert ids(connected) == set(made)
    assert as_ops(Unreadable) == []


def test_failures_in_a_row_wait_ever_longer(connected, flipkart):
    start(connected)
    flipkart.faults.set("search", "server_error", times=None)
    pauses = []

    for _ in range(6):
        again(connected)
        pauses.append(cursor(connected).wake_at - timezone.now())

    assert cursor(connected).failures_in_a_row == 6
    assert pauses[5] > 8 * pauses[0]
    assert max(pauses) <= timedelta(minutes=15)


def test_one_row_that_cannot_be_read_is_kept_and_the_others_go_in(connected, flipkart):
    made = flipkart.world.add_shipments(connected.account, 3)
    start(connected)
    flipkart.faults.set("search", "missing_field", field="sku", row=1)

    again(connected)

    (hole,) = as_ops(Unreadable)
    assert ids(connected) == set(made) - {hole.flipkart_shipment_id}
    assert (hole.path, cursor(connected).read_until is not None) == ("shipments[1].sku", True)

    again(connected)
    assert (ids(connected), as_ops(Unreadable)) == (set(made), [])


def test_a_seller_that_is_not_connected_is_polled_no_more(connected, flipkart):
    start(connected)
    with seller_scope(connected.seller):
        type(connected.connection).objects.update(standing=Standing.RECONNECT)

    assert poll(seller_id=connected.seller.pk) is False

    assert cursor(connected).wake_at is None
    assert searches(flipkart) == 0
    with seller_scope(connected.seller):
        assert polling.poll_now(connected.seller).startswith("Flipkart is being read just now")


def test_a_flipkart_that_answers_forbidden_ends_the_polling(connected, flipkart):
    start(connected)
    flipkart.faults.set("search", "forbidden", times=None)

    for _ in range(4):
        again(connected)

    assert reload(connected.connection).standing == Standing.RECONNECT
    assert cursor(connected).wake_at is None
    assert searches(flipkart) == 3


def test_an_account_that_is_another_sellers_is_not_polled(connected, flipkart):
    """The same Flipkart account connected by a second seller shows by its facilities (guide-gaps 16)."""
    flipkart.world.add_shipments(connected.account, 2)
    start(connected)
    again(connected)
    second = factories.connected_seller(flipkart)
    with seller_scope(second.seller):
        second.connection.client_id = connected.account.client_id
        second.connection.client_secret = connected.account.client_secret
        second.connection.connected_at = timezone.now()
        second.connection.save()
    start(second)

    again(second)

    assert reload(second.connection).standing == Standing.RECONNECT
    assert (cursor(second).wake_at, cursor(second).read_until) == (None, None)
    assert "another seller" in cursor(second).says


# --- Starting and asking ---


def test_fetch_now_makes_the_walk_due(connected, flipkart):
    start(connected)
    again(connected)
    made = flipkart.world.add_shipments(connected.account, 1)
    with seller_scope(connected.seller):
        assert polling.poll_now(connected.seller) == ""

    poll(seller_id=connected.seller.pk)

    assert ids(connected) == set(made)


def printed(connected, *shipment_ids: str) -> None:
    """Their labels are here, and each was read a while ago."""
    with seller_scope(connected.seller):
        labelled = Shipment.objects.filter(flipkart_shipment_id__in=shipment_ids)
        labelled.update(label_requested_at=Now(), label_stored_at=Now())
        Reading.objects.update(read_at=Now() - HOUR, follow_at=Now() + HOUR)
        FollowCursor.objects.update(wake_at=Now() + HOUR)


def attentions(connected) -> dict[str, str]:
    return {row.flipkart_shipment_id: row.attention for row in as_ops(Shipment, seller=connected.seller)}


@pytest.mark.parametrize("wire", [WireName.GUIDE, WireName.OFFICIAL])
def test_fetch_now_finds_out_who_cancelled_after_the_label(db, flipkart, wire):
    connected = factories.connected_seller(flipkart, wire=wire)
    gone, stays, _waits = flipkart.world.add_shipments(connected.account, 3)
    start(connected)
    run_due_work()
    for one in (gone, stays):
        flipkart.world.pack_outside(one)
    factories.wake(PollCursor)
    run_due_work()
    spelled = {
        one: connected.account.shipments[one].official_id if wire == "official" else one for one in (gone, stays)
    }
    printed(connected, *spelled.values())
    flipkart.world.cancel(gone)

    with seller_scope(connected.seller):
        assert polling.poll_now(connected.seller) == ""
    run_due_work()

    found = attentions(connected)
    assert (found[spelled[gone]], found[spelled[stays]], len(found)) == (Attention.PULL, "", 3)


def test_fetch_now_reads_again_no_more_than_a_few_calls_worth_of_what_leaves_first(connected, flipkart, monkeypatch):
    monkeypatch.setattr(polling, "FETCHED_NOW", 1)
    later = flipkart.world.add_shipments(connected.account, 2, dispatch_by=timezone.now() + 2 * DAY)
    (first,) = flipkart.world.add_shipments(connected.account, 1, dispatch_by=timezone.now() + DAY)
    start(connected)
    again(connected)
    printed(connected, first, *later)

    with seller_scope(connected.seller):
        polling.poll_now(connected.seller)

    due = [row.flipkart_shipment_id for row in as_ops(Reading) if row.follow_at <= timezone.now()]
    assert due == [first]


def test_fetch_now_pressed_again_at_once_reads_nothing_by_id(connected, flipkart):
    (made,) = flipkart.world.add_shipments(connected.account, 1)
    start(connected)
    again(connected)
    printed(connected, made)
    with seller_scope(connected.seller):
        Reading.objects.update(read_at=Now())

        polling.poll_now(connected.seller)

        assert Reading.objects.get().follow_at > timezone.now()
        assert FollowCursor.objects.get().wake_at > timezone.now()


def test_connecting_again_starts_anew(connected):
    start(connected)
    move(connected, wake_at=None, token=SOMEBODY, failures_in_a_row=7, says="gone", walk={})

    start(connected)

    row = cursor(connected)
    assert (row.token, row.failures_in_a_row, row.says, row.walk) == (None, 0, "", None)
    assert row.wake_at is not None
    assert len(as_ops(PollCursor, seller=connected.seller)) == 1


def test_asking_needs_a_scope(connected):
    with pytest.raises(NoScope):
        polling.poll_now(connected.seller)
    with pytest.raises(NoScope):
        polling.start_polling(connected.seller, connected.connection)


def test_a_flipkart_that_is_slow_still_lets_the_walk_come_to_its_end(connected, flipkart, monkeypatch):
    monkeypatch.setattr(polling, "SECONDS_A_RUN", -1.0)
    made = flipkart.world.add_shipments(connected.account, 160)
    start(connected)

    again(connected)

    assert ids(connected) == set(made)
