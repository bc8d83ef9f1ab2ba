"""What a load balancer is told."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from orders.models import FollowCursor, PollCursor
from shipcrowd import queue, work
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Turn
from tests import factories
from tests.browsing import logged_in

pytestmark = pytest.mark.django_db


def test_well_means_that_every_cluster_was_seen_and_nothing_waits_long(client: Client, connected):
    for cluster in queue.CLUSTERS:
        queue.mark_alive(cluster, 0)

    answer = client.get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {"ok": True, "database": True, "missing_workers": [], "oldest_due_s": 0.0}
    assert answer.cookies == {}


def test_a_cluster_that_nobody_saw_is_named(client: Client):
    first, *others = queue.CLUSTERS
    queue.mark_alive(first, 0)

    answer = client.get("/healthz")

    assert answer.status_code == 503
    assert answer.json()["missing_workers"] == others


def test_work_that_waits_for_long_is_no_health(client: Client, connected):
    for cluster in queue.CLUSTERS:
        queue.mark_alive(cluster, 0)
    with seller_scope(connected.seller):
        PollCursor.objects.filter(seller=connected.seller).update(wake_at=timezone.now() - timedelta(hours=1))

    answer = client.get("/healthz")

    assert answer.status_code == 503
    assert answer.json()["oldest_due_s"] >= 3600
    assert connected.seller.slug not in answer.content.decode()


def test_a_long_flood_and_a_spent_quota_are_no_illness(client: Client, connected):
    for cluster in queue.CLUSTERS:
        queue.mark_alive(cluster, 0)
    with seller_scope(connected.seller):
        long_ago = timezone.now() - timedelta(hours=1)
        PollCursor.objects.filter(seller=connected.seller).update(wake_at=long_ago)
        FollowCursor.objects.filter(seller=connected.seller).update(wake_at=long_ago)
    # One kind had its turn just now, the other rests.
    work.release_turn(connected.seller.pk, "poll", work.take_turn(connected.seller.pk, "poll"))
    work.take_turn(connected.seller.pk, "follow")
    work.rest(connected.seller.pk, "follow", after=timedelta(seconds=30))
    with seller_scope(connected.seller):
        Turn.objects.filter(kind="follow").update(taken_at=long_ago)

    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()["oldest_due_s"] < 5) == (200, True)


def test_a_database_that_does_not_answer_is_said_to_who_is_logged_in_too(seller):
    browser = logged_in(factories.member(seller))

    def frozen(*_statement: object) -> None:
        raise OperationalError("the server does not answer")

    with connection.execute_wrapper(frozen):
        answer = browser.get("/healthz")

    assert (answer.status_code, answer.json()) == (503, {"ok": False, "database": False})


def test_nothing_is_told_to_who_posts(client: Client):
    assert client.post("/healthz").status_code == 405
