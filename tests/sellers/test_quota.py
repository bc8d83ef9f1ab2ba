"""The quota: what any 60 seconds may hold, who leaves what to whom, and many threads at once."""

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sellers import gateway, quota
from sellers.models import Quota, Seller
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport.errors import Throttled
from tests.factories import ConnectedSeller, as_ops, connected_seller


def fill(seller: Seller, **values: object) -> None:
    with seller_scope(seller):
        Quota.objects.filter(seller=seller).update(
            **{"left": 20, "kept_for_polling": 0, "closed_until": None, "counted_at": database_now()} | values
        )


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        return cursor.fetchone()[0]


def pass_time(seller: Seller, **span: float) -> None:
    """The bucket was counted that much longer ago."""
    with seller_scope(seller):
        Quota.objects.filter(seller=seller).update(
            counted_at=F("counted_at") - timedelta(**span), closed_until=F("closed_until") - timedelta(**span)
        )


def taken(seller: Seller, most: int = 200, *, for_polling: bool = False) -> int:
    for count in range(most):
        try:
            quota.take(seller.pk, operation="search", for_polling=for_polling)
        except Throttled:
            return count
    return most


@pytest.fixture
def seller(connected: ConnectedSeller) -> Seller:
    fill(connected.seller)
    return connected.seller


def test_a_full_bucket_gives_twenty_calls_at_once_and_eighty_in_the_minute_after(seller):
    assert taken(seller) == 20

    pass_time(seller, seconds=12)

    assert taken(seller) in (13, 14)  # 16 came back, 3 of them for polling; and the clock runs on


def test_polling_leaves_the_last_five_to_people(seller):
    assert taken(seller, for_polling=True) == 15
    assert taken(seller) == 5


def test_clicks_leave_fifteen_a_minute_to_polling(seller):
    fill(seller, left=0)
    for_polling = clicks = 0
    began = database_now()

    for _ in range(60):  # clicks first, each second, for a minute
        pass_time(seller, seconds=1)
        clicks += taken(seller)
        for_polling += taken(seller, for_polling=True)

    assert for_polling >= 15
    assert clicks >= 60
    took = database_now() - began  # the test's own time fills the bucket too
    assert for_polling + clicks <= 81 + 80 * (took / timedelta(minutes=1))


def test_polling_that_was_idle_takes_no_more_than_its_share_from_people(seller):
    pass_time(seller, minutes=10)

    assert taken(seller) == 15
    assert taken(seller, for_polling=True) == 5


def test_the_wait_that_is_said_is_enough(seller):
    for for_polling in (False, True):
        fill(seller, left=0)
        with pytest.raises(Throttled) as spent:
            quota.take(seller.pk, operation="search", for_polling=for_polling)

        pass_time(seller, seconds=spent.value.retry_after.total_seconds())

        quota.take(seller.pk, operation="search", for_polling=for_polling)


def test_polling_is_told_to_wait_for_its_whole_share(seller):
    fill(seller, left=0)
    with pytest.raises(Throttled) as spent:
        quota.take(seller.pk, operation="search", for_polling=True)

    assert timedelta(seconds=4) < spent.value.retry_after <= timedelta(seconds=20)


def closed_for(seller) -> float:
    """Seconds."""
    with pytest.raises(Throttled) as closed:
        quota.take(seller.pk, operation="search")
    return closed.value.retry_after.total_seconds()


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [(timedelta(seconds=7), 7, 7), (timedelta(minutes=15), 900, 900), (None, 60, 75)],
)
def test_after_a_429_nothing_is_taken_until_its_time(seller, retry_after, least, most):
    """trust.md 27"""
    quota.close(seller.pk, retry_after=retry_after)

    assert least - 2 < closed_for(seller) <= most
    pass_time(seller, seconds=most + 1)
    assert taken(seller) >= 1


def test_a_flipkart_that_never_says_until_when_is_asked_ever_more_rarely(seller):
    waits = []
    for _ in range(6):
        quota.close(seller.pk, retry_after=None)
        quota.close(seller.pk, retry_after=None)  # of a call that was on its way
        waits.append(closed_for(seller))
        pass_time(seller, seconds=waits[-1] + 1)
    pass_time(seller, minutes=5)
    quota.close(seller.pk, retry_after=None)

    assert [wait > least - 2 for wait, least in zip(waits, (60, 120, 240, 480, 900, 900), strict=True)] == [True] * 6
    assert max(waits) <= 900 * 1.25
    assert closed_for(seller) <= 75


def test_a_second_429_never_opens_what_the_first_has_closed(seller):
    quota.close(seller.pk, retry_after=timedelta(minutes=10))
    quota.close(seller.pk, retry_after=timedelta(seconds=1))

    with pytest.raises(Throttled) as closed:
        quota.take(seller.pk, operation="search")
    assert closed.value.retry_after > timedelta(minutes=9)


def test_a_429_of_flipkart_closes_the_quota(connected, flipkart):
    flipkart.faults.set("shipments", "throttled", times=1)
    client = gateway.client_for(connected.seller.pk)

    with pytest.raises(Throttled):
        client.fetch_shipments(["SHIP0000000001"])
    called = len(flipkart.ledger.calls)
    with pytest.raises(Throttled):
        client.fetch_shipments(["SHIP0000000001"])

    assert len(flipkart.ledger.calls) == called


def test_a_connection_without_a_bucket_gets_a_full_one(seller):
    with seller_scope(seller):
        Quota.objects.filter(seller=seller).delete()

    assert taken(seller) == 20


def test_a_seller_without_connection_is_told_to_wait(other_seller):
    with pytest.raises(Throttled):
        quota.take(other_seller.pk, operation="search")


def test_one_sellers_calls_are_not_anothers(seller, flipkart):
    other = connected_seller(flipkart).seller
    fill(other, left=3)

    assert taken(seller) == 20
    assert taken(other) == 3


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.floats(0, 40), st.integers(1, 60), st.booleans()), min_size=2, max_size=8))
def test_no_sixty_seconds_hold_more_than_a_hundred_calls(seller, steps):
    """trust.md 27: whatever is asked, and whenever."""
    fill(seller)
    shifted, moments = timedelta(0), []
    for seconds, asked, for_polling in steps:
        pass_time(seller, seconds=seconds)
        shifted += timedelta(seconds=seconds)
        for _ in range(asked):
            try:
                moments.append(quota.take(seller.pk, operation="search", for_polling=for_polling) + shifted)
            except Throttled:
                break

    minute = timedelta(seconds=60)
    assert max(sum(start <= moment < start + minute for moment in moments) for start in moments) <= 100
    (row,) = as_ops(Quota, seller=seller)
    assert 0 <= row.kept_for_polling <= row.left + 1e-9 <= 20 + 1e-6


@pytest.mark.django_db(transaction=True)
def test_eight_threads_take_exactly_what_is_there(flipkart):
    """trust.md 27, 54"""
    seller = connected_seller(flipkart).seller
    fill(seller, left=20)
    counts: list[int] = []
    start = threading.Barrier(8)

    def take_all() -> None:
        start.wait(timeout=10)
        try:
            counts.append(taken(seller))
        finally:
            connection.close()

    began = database_now()
    threads = [threading.Thread(target=take_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    refilled = (database_now() - began).total_seconds() * 80 / 60
    assert len(counts) == 8
    assert 20 <= sum(counts) <= 20 + refilled
