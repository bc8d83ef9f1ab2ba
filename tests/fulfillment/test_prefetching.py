"""Labels ahead of time: at a facility's own time, for what must leave with its next pickup, most urgent first."""

from datetime import datetime, time, timedelta

import pytest
from django.utils import timezone

from fulfillment import prefetching
from fulfillment.models import LabelRequest, Prefetch
from fulfillment.prefetching import next_time
from orders import setting_aside
from orders.models import SetAsideReason
from orders.rules import leaves_with_next_pickup
from sellers.models import Facility, Role
from shipcrowd.audit.models import AuditEntry
from shipcrowd.flipkart.times import INDIAN_TIME
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.browsing import logged_in, words
from tests.factories import as_ops, at, reload, run_due_work
from tests.fulfillment.warehouse import ask_labels, drain, only, take_in, told, work_on

DAILY = [["14:00"]] * 7
PLACE = {
    "name": "Godown",
    "holidays": "",
    **dict.fromkeys(("address_line1", "address_line2", "city", "pincode", "state", "gstin", "phone"), ""),
    **{f"pickup_{day}": "14:00" for day in range(7)},
}


@pytest.fixture
def place(seller, account, flipkart) -> Facility:
    """The facility of the account's shipments, which has a pickup at two each day."""
    take_in(seller, flipkart.world.add_shipments(account, 1, states="CANCELLED"))
    with factories.ops():
        Facility.objects.filter(seller=seller).update(pickup_times=DAILY)
    return only(Facility, seller=seller)


def its_time_has_come(place: Facility) -> None:
    with seller_scope(place.seller_id):
        Facility.objects.filter(pk=place.pk).update(prefetch_at=time(6, 30))
        place.refresh_from_db()
        prefetching.set_time(place)
        Prefetch.objects.filter(facility=place).update(wake_at=timezone.now() - timedelta(seconds=1))


# --- What is due -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dispatch_by", "leaves"),
    [
        ("2026-11-24T13:00+05:30", True),  # before the next pickup: as soon as can be
        ("2026-11-24T18:00+05:30", True),
        ("2026-11-25T13:59+05:30", True),  # the pickup after the next would be too late
        ("2026-11-25T14:00+05:30", False),
        ("2026-11-26T10:00+05:30", False),
        (None, False),
    ],
)
def test_what_would_be_late_with_the_pickup_after_the_next_leaves_with_the_next(dispatch_by, leaves):
    now = at("2026-11-24T06:30+05:30")

    assert leaves_with_next_pickup(at(dispatch_by) if dispatch_by else None, DAILY, [], now) is leaves


def test_a_holiday_makes_more_of_it_leave_with_the_next_pickup():
    now, tomorrow = at("2026-11-24T06:30+05:30"), at("2026-11-25T18:00+05:30")

    assert not leaves_with_next_pickup(tomorrow, DAILY, [], now)
    assert leaves_with_next_pickup(tomorrow, DAILY, ["2026-11-25"], now)


def test_without_known_pickups_the_day_counts():
    now = at("2026-11-24T06:30+05:30")

    assert leaves_with_next_pickup(at("2026-11-24T23:59+05:30"), [], [], now)
    assert not leaves_with_next_pickup(at("2026-11-25T00:00+05:30"), [], [], now)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-24T06:00+05:30", "2026-11-24T06:30+05:30"),
        ("2026-11-24T06:30+05:30", "2026-11-25T06:30+05:30"),
        ("2026-11-23T20:00+00:00", "2026-11-24T06:30+05:30"),  # already the 24th in India
    ],
)
def test_the_time_of_day_is_indias(now, then):
    assert next_time(time(6, 30), at(now)) == at(then)


# --- The turn --------------------------------------------------------------------------------------------------------


def test_labels_are_asked_for_most_urgent_first_and_only_what_must_leave(seller, account, place, flipkart):
    now = timezone.now()
    world = flipkart.world
    next_week = world.add_shipments(account, 2, dispatch_by=now + timedelta(days=7))
    later = world.add_shipments(account, 1, dispatch_by=now + timedelta(hours=3))
    sooner = world.add_shipments(account, 1, dispatch_by=now + timedelta(hours=1))
    held = world.add_shipments(account, 1, dispatch_by=now + timedelta(hours=1), held=True)
    take_in(seller, [*next_week, *later, *sooner, *held])

    its_time_has_come(place)
    prefetching.work_due(seller_id=seller.pk)

    rows = as_ops(LabelRequest)
    asked = [reload_shipment(row) for row in rows]
    assert [shipment.flipkart_shipment_id for shipment in asked] == [*sooner, *later]
    assert {row.asked_by_id for row in rows} == {None}
    assert told(asked[0])[-1] == "label requested: due by the next pickup"
    assert [entry.by_id for entry in as_ops(AuditEntry, did="asked for labels")] == [None]


def reload_shipment(row: LabelRequest):
    with factories.ops():
        return type(row).objects.select_related("shipment").get(pk=row.pk).shipment


def test_it_has_its_next_turn_tomorrow_and_asks_nothing_twice(seller, account, place, flipkart):
    take_in(seller, flipkart.world.add_shipments(account, 2, dispatch_by=timezone.now() + timedelta(hours=1)))
    its_time_has_come(place)

    run_due_work()
    again = prefetching.work_due(seller_id=seller.pk)

    row = only(Prefetch)
    assert again is False
    assert (row.last_asked, len(as_ops(LabelRequest))) == (2, 2)
    assert row.wake_at == next_time(time(6, 30), timezone.now())
    assert len(flipkart.ledger.attempts_of("generate_labels")) == 2


def test_a_request_that_was_dropped_for_a_parcel_set_aside_is_made_anew(seller, account, place, flipkart, clock):
    """Before it was sent the parcel was set aside; put back, nothing is on its way, and the next morning asks again."""
    by_then = timezone.now() + timedelta(hours=3)
    (parcel,) = take_in(seller, flipkart.world.add_shipments(account, 1, dispatch_by=by_then))
    owner = factories.member(seller, Role.OWNER)
    ask_labels(seller, [parcel], owner)
    turn = {"seller": seller, "shipment_ids": [parcel.pk], "by": owner}
    with seller_scope(seller):
        setting_aside.set_aside(**turn, reason=SetAsideReason.DAMAGED, note="", now=timezone.now())
    drain()
    assert only(LabelRequest).state == State.WITHDRAWN
    with seller_scope(seller):
        setting_aside.put_back(**turn, now=timezone.now())
    client, page = logged_in(owner), f"/s/{seller.slug}/shipments/?stage=to_label"
    assert "label: none" in words(client.get(page))
    assert b",none," in client.get(f"/s/{seller.slug}/shipments.csv?stage=to_label").getvalue()

    its_time_has_come(place)
    prefetching.work_due(seller_id=seller.pk)

    assert only(LabelRequest).state == State.DUE
    assert "label: fetching" in words(client.get(page))
    assert b",fetching," in client.get(f"/s/{seller.slug}/shipments.csv?stage=to_label").getvalue()
    work_on(clock)
    assert reload(parcel).label_stored_at


def test_what_flipkart_refused_waits_for_a_person(seller, account, place, flipkart):
    by_then = timezone.now() + timedelta(hours=1)
    (parcel,) = take_in(seller, flipkart.world.add_shipments(account, 1, dispatch_by=by_then))
    owner = factories.member(seller, Role.OWNER)
    ask_labels(seller, [parcel], owner)
    with factories.ops():
        LabelRequest.objects.update(state=State.REFUSED, attention=Attention.REFUSED, wake_at=None)

    its_time_has_come(place)
    prefetching.work_due(seller_id=seller.pk)

    assert only(LabelRequest).state == State.REFUSED
    page = words(logged_in(owner).get(f"/s/{seller.slug}/shipments/?stage=to_label"))
    assert "label: none" in page
    assert "Flipkart refused it" in page


def test_another_facilitys_shipments_are_left_alone(seller, account, place, flipkart):
    elsewhere = factories.facility(seller, pickup_times=DAILY)
    factories.shipment(seller, facility=elsewhere, dispatch_by_at=timezone.now() + timedelta(hours=1))
    its_time_has_come(place)

    prefetching.work_due(seller_id=seller.pk)

    assert as_ops(LabelRequest) == []


# --- The facility's form ---------------------------------------------------------------------------------------------


def save(seller, place: Facility, prefetch_at: str):
    owner = logged_in(factories.member(seller, Role.OWNER))
    return owner.post(f"/s/{seller.slug}/facilities/{place.public_id}/", PLACE | {"prefetch_at": prefetch_at})


def test_an_owner_gives_the_time_and_takes_it_back(seller, place):
    assert as_ops(Prefetch) == []

    save(seller, place, "06:30")
    on = only(Prefetch)
    save(seller, place, "07:00")
    moved = only(Prefetch)
    save(seller, place, "")
    off = only(Prefetch)

    assert [row.wake_at and row.wake_at.astimezone(INDIAN_TIME).time() for row in (on, moved, off)] == [
        time(6, 30),
        time(7, 0),
        None,
    ]
    assert reload(place).prefetch_at is None


def test_what_is_no_time_of_day_is_asked_again(seller, place):
    answer = save(seller, place, "half past six")

    assert answer.status_code == 200
    assert "Enter a valid time" in words(answer)
    assert as_ops(Prefetch) == []


def test_the_form_shows_the_time_that_was_given(seller, place):
    save(seller, place, "06:30")
    owner = logged_in(factories.member(seller, Role.OWNER))

    page = owner.get(f"/s/{seller.slug}/facilities/{place.public_id}/")

    assert 'value="06:30"' in page.content.decode()
    assert isinstance(reload(place).prefetch_at, time)
    assert datetime.combine(timezone.now().date(), reload(place).prefetch_at).hour == 6
