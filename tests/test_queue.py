"""The doorbell: what a ring leaves in the queue, who takes it, and what becomes of rows that nobody can read."""

import logging
import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from shipcrowd import queue, work
from shipcrowd.models import WorkerMark
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.db import kinds


@pytest.fixture
def noting(monkeypatch, tmp_path, settings):
    """Kinds of work that note what they did, and the file they note it in."""
    settings.WORK_KINDS = {
        "labels": ("clicks", "tests.db.kinds.note_labels"),
        "poll": ("default", "tests.test_queue.one_more"),
        "print_jobs": ("clicks", "tests.db.kinds.fail"),
    }
    notes = tmp_path / "notes"
    notes.touch()
    monkeypatch.setenv("NOTES", str(notes))
    return notes


def one_more(*, seller_id: int) -> bool:
    kinds.note(f"poll {seller_id}")
    return True


def waiting(cluster: str) -> list[dict]:
    """What waits in a cluster's queue, in its order."""
    return [SignedPackage.loads(row.payload)["kwargs"] for row in OrmQ.objects.filter(key=cluster).order_by("pk")]


def test_a_ring_waits_in_the_cluster_of_its_kind_and_carries_ids_only(seller):
    queue.ring(seller.pk, "labels")
    queue.ring(seller.pk, "poll")

    assert waiting("clicks") == [{"seller_id": seller.pk, "kind": "labels"}]
    assert waiting("default") == [{"seller_id": seller.pk, "kind": "poll"}]


def test_a_ring_of_an_unknown_kind_is_refused_at_once(seller):
    with pytest.raises(KeyError):
        queue.ring(seller.pk, "lables")


def test_a_ring_inside_a_transaction_that_rolls_back_rings_nothing(transactional_db):
    seller = factories.seller()

    with pytest.raises(ZeroDivisionError):
        ring_and_break(seller)

    assert waiting("clicks") == []


def ring_and_break(seller):
    with seller_scope(seller):
        queue.ring(seller.pk, "labels")
        raise ZeroDivisionError


def test_a_ring_is_heard_by_nobody_before_its_transaction_commits(transactional_db):
    seller = factories.seller()

    with seller_scope(seller):
        queue.ring(seller.pk, "labels")
        assert in_another_thread(lambda: queue.Broker("clicks").dequeue()) == []

    assert len(in_another_thread(lambda: queue.Broker("clicks").dequeue())) == 1


def test_rows_are_taken_in_order_and_each_by_one_cluster_only(transactional_db):
    sellers = [factories.seller() for _ in range(3)]
    for seller in sellers:
        queue.ring(seller.pk, "labels")
    broker = queue.Broker("clicks")

    with transaction.atomic():
        first = broker._take()
        others = in_another_thread(lambda: queue.Broker("clicks")._take())

    assert [SignedPackage.loads(payload)["kwargs"]["seller_id"] for _, payload in (*first, *others)] == [
        sellers[0].pk,
        sellers[1].pk,
    ]


def test_a_row_that_is_taken_comes_back_when_it_is_released(db, seller):
    queue.ring(seller.pk, "labels")
    broker = queue.Broker("clicks")
    ((number, _),) = broker.dequeue()
    assert broker.dequeue() == []

    queue.release([number])

    assert [again for again, _ in broker.dequeue()] == [number]


@pytest.mark.parametrize("payload", ["", "garbage", "bm8=:1abcde:signature", "%"])
def test_a_row_that_cannot_be_read_is_removed_and_said(db, caplog, payload):
    OrmQ.objects.create(key="clicks", payload=payload, lock=timezone.now() - timedelta(seconds=1))

    assert queue.Broker("clicks").dequeue() == []

    assert not OrmQ.objects.exists()
    assert [record.levelname for record in caplog.records if record.name == "shipcrowd.queue"] == ["ERROR"]


def test_a_task_works_its_seller_and_rings_again_at_the_tail_while_more_is_due(seller, other_seller, noting):
    queue.ring(other_seller.pk, "poll")

    queue.work(seller_id=seller.pk, kind="poll", a_word_of_tomorrow=1)

    assert noting.read_text() == f"poll {seller.pk}\n"
    assert [task["seller_id"] for task in waiting("default")] == [other_seller.pk, seller.pk]


def test_a_task_leaves_a_seller_alone_whom_somebody_else_works(seller, noting):
    token = work.take_turn(seller.pk, "labels")

    queue.work(seller_id=seller.pk, kind="labels")
    assert noting.read_text() == ""

    work.release_turn(seller.pk, "labels", token)
    queue.work(seller_id=seller.pk, kind="labels")
    assert noting.read_text() == f"labels {seller.pk}\n"


def test_a_failing_task_gives_the_turn_back_and_logs_its_type_and_place_only(seller, noting, caplog):
    """Row 66."""
    with caplog.at_level(logging.ERROR, logger="shipcrowd.queue"):
        queue.work(seller_id=seller.pk, kind="print_jobs")

    (record,) = caplog.records
    assert f"print_jobs of seller {seller.pk} ended with ValueError at kinds.py:" in record.getMessage()
    assert "Asha" not in caplog.text
    assert work.take_turn(seller.pk, "print_jobs")


def test_a_task_of_a_kind_that_a_deploy_removed_is_logged_and_gone(seller, noting, caplog):
    queue.work(seller_id=seller.pk, kind="yesterdays")

    assert "yesterdays" in caplog.text


def test_the_bell_falls_silent_over_a_queue_that_nobody_empties(db, monkeypatch, caplog):
    monkeypatch.setattr(queue, "WAITING_AT_MOST", 1)
    for _ in range(2):
        OrmQ.objects.create(key="default", payload="waits", lock=timezone.now())

    assert queue.ring_the_due() == 0
    assert "does any worker run?" in caplog.text


def test_a_cluster_is_alive_while_any_host_saw_it_lately(db):
    now = timezone.now()
    assert queue.oldest_mark() is None
    assert queue.clusters_alive(now) == {"default": False, "clicks": False}

    queue.mark_alive("default", 0)
    queue.mark_alive("default", 2)
    queue.mark_alive("clicks", 0)
    WorkerMark.objects.create(host="gone", cluster="clicks", seen_at=now - timedelta(days=3))
    WorkerMark.objects.filter(cluster="default").update(seen_at=now - timedelta(minutes=5))

    assert queue.clusters_alive(now) == {"default": False, "clicks": True}
    assert queue.oldest_mark() == now - timedelta(minutes=5)
    assert WorkerMark.objects.get(cluster="default").restarts == 2


def test_results_are_not_kept_and_a_task_is_not_run_for_ever():
    assert settings.Q_CLUSTER["save_limit"] == -1
    assert settings.Q_CLUSTER["ack_failures"]
    assert settings.Q_CLUSTER["retry"] > settings.Q_CLUSTER["timeout"]


def in_another_thread(do):
    found = []

    def run():
        try:
            found.append(do())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]
