"""The queue: a doorbell for work rows, which are the truth. The only module that knows django-q2.

`ring(seller_id, kind)` puts one task into the cluster of that kind, in the caller's transaction; `work()` is that task.
The bell (`ring_the_due`) is the net below: whatever becomes of the queue's rows, due work is rung for each second.
Arguments of tasks are ids and names only: django-q2 stores them readably, and unpickles them.
"""

import logging
import os
import pickle
import socket
import time
import traceback
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connections
from django.db.models import Max
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import post_execute, post_execute_in_worker, pre_execute
from django_q.signing import BadSignature, SignedPackage
from django_q.tasks import async_task

from shipcrowd import watchdog
from shipcrowd import work as work_rows
from shipcrowd.models import WorkerMark

logger = logging.getLogger(__name__)

CLUSTERS = ("default", "clicks")
BELL = "bell"
MARK_SECONDS = 15.0  # how often the bell writes down which clusters live
ALIVE_SECONDS = 45.0  # a cluster is well while its mark is younger
WAITING_AT_MOST = 5000  # rows of a queue that nobody empties: the bell stays silent above
DATABASE_AWAY_SECONDS = 1.0

# Takes the first rows of a queue that are free and in nobody's hands; they come free again after `retry` seconds.
TAKE = """
with first as materialized (
    select id from django_q_ormq where key = %s and lock <= statement_timestamp() order by id limit %s
    for update skip locked
)
update django_q_ormq taken set lock = statement_timestamp() + %s * interval '1 second'
from first where taken.id = first.id returning taken.id, taken.payload
"""

# What unpickling may raise on a payload that is damaged, signed by another key, or names what a deploy has removed.
UNREADABLE = (
    BadSignature,
    pickle.UnpicklingError,
    ImportError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    EOFError,
)


def ring(seller_id: int, kind: str) -> None:
    """Somebody come and work what is due of this seller's `kind`: heard when the caller's transaction commits."""
    async_task("shipcrowd.queue.work", seller_id=seller_id, kind=kind, cluster=work_rows.kinds()[kind].cluster)


def work(*, seller_id: int, kind: str, **_unknown: object) -> None:
    """The task behind every ring: one batch of one seller's one kind, unless somebody is at it.

    An exception ends here, without its text, which may hold a person's name: its type and place are logged, and the
    rows wake up by their lease.
    """
    try:
        work_batch(seller_id=seller_id, kind=kind)
    except Exception as error:  # noqa: BLE001 - the worker's loop: nothing may reach django-q2, which stores the text
        logger.error(
            "Work of kind %s of seller %s ended with %s at %s", kind, seller_id, type(error).__name__, _place(error)
        )


def work_batch(*, seller_id: int, kind: str) -> None:
    """What `work` does, and its exceptions come out: for tests.

    What is left rings again, at the end of the queue, so that no seller waits for all of another's.
    """
    token = work_rows.take_turn(seller_id, kind)
    if token is None:
        return
    try:
        is_more_due = import_string(work_rows.kinds()[kind].run)(seller_id=seller_id)
    except BaseException:
        work_rows.release_turn(seller_id, kind, token, is_well=False)
        raise
    work_rows.release_turn(seller_id, kind, token)
    if is_more_due:
        ring(seller_id, kind)


def ring_the_due() -> int:
    """What the bell does each second; how many it rang for."""
    if OrmQ.objects.count() > WAITING_AT_MOST:
        logger.warning("The queue holds more than %s tasks: does any worker run?", WAITING_AT_MOST)
        return 0
    due = work_rows.due()
    for seller_id, kind in due:
        ring(seller_id, kind)
    return len(due)


def run_bell() -> None:
    """Rings for what is due and marks the living clusters, for ever; waits where the database is away."""
    marked_at: dict[str, float] = {}
    is_away = False
    while True:
        watchdog.show_life()
        try:
            close_old_connections()
            ring_the_due()
            _mark_the_living(marked_at)
            is_away = False
        except (OperationalError, InterfaceError) as error:
            if not is_away:
                logger.warning("The bell waits for the database: %s", type(error).__name__)
            is_away = True
            connections.close_all()
        time.sleep(settings.BELL_SECONDS)


def run_cluster() -> None:
    """Works one cluster's queue until SIGTERM. Which one, Q_CLUSTER_NAME said before django-q2 was imported."""
    from django_q.cluster import Cluster  # noqa: PLC0415 - heavy: only a cluster's own process needs it

    pre_execute.connect(_task_begins, weak=False)
    post_execute_in_worker.connect(_task_ends, weak=False)
    post_execute.connect(_result_is_in, weak=False)
    Cluster().start()


def watched() -> list[watchdog.Watched]:
    """What `manage.py worker` keeps alive. The name of a cluster must come by environment: django-q2 reads it early."""
    return [*_clusters(), watchdog.Watched(BELL, ("worker", "--bell"))]


def _clusters() -> list[watchdog.Watched]:
    longest_task = Conf.TIMEOUT + 10.0
    return [
        watchdog.Watched(name, ("worker", "--cluster", name), longest_task, {"Q_CLUSTER_NAME": name})
        for name in CLUSTERS
    ]


def release(numbers: Collection[int]) -> None:
    """Rows that a killed cluster had taken may be taken again at once, and not after django-q2's `retry`."""
    if not numbers:
        return
    try:
        Broker.get_connection().filter(pk__in=numbers).update(lock=Now())
    except DatabaseError as error:
        # They come free by themselves; and the bell does not look at the queue at all.
        logger.warning("Rows of the queue were not released: %s", type(error).__name__)


# --- Signs of life for the health page -------------------------------------------------------------------------------


def mark_alive(cluster: str, restarts: int) -> None:
    """This host's cluster was seen alive just now, by the database's clock."""
    WorkerMark.objects.update_or_create(
        host=socket.gethostname()[:100], cluster=cluster, defaults={"seen_at": Now(), "restarts": restarts}
    )


def clusters_alive(now: datetime) -> dict[str, bool]:
    """For each cluster whether some host's was seen alive lately."""
    seen = _last_seen()
    return {name: name in seen and now - seen[name] < timedelta(seconds=ALIVE_SECONDS) for name in CLUSTERS}


def oldest_mark() -> datetime | None:
    """When the cluster that is silent longest was last seen alive on any host; None where one never was."""
    seen = _last_seen()
    return min(seen.values()) if len(seen) == len(CLUSTERS) else None


def _last_seen() -> dict[str, datetime]:
    marks = WorkerMark.objects.filter(cluster__in=CLUSTERS).values_list("cluster")
    return dict(marks.annotate(at=Max("seen_at")).values_list("cluster", "at"))


def _mark_the_living(marked_at: dict[str, float]) -> None:
    """Writes down those of this host's clusters whose mark is due; `marked_at` remembers when that was last done."""
    now = time.monotonic()
    folder = Path(os.environ[watchdog.FOLDER])
    living = watchdog.restarts_of_the_living(folder, _clusters(), settings.HEARTBEAT_GIVEN_UP_SECONDS)
    for cluster, restarts in living.items():
        if now - marked_at.get(cluster, float("-inf")) >= MARK_SECONDS:
            mark_alive(cluster, restarts)
            marked_at[cluster] = now


# --- The task ---------------------------------------------------------------------------------------------------------


def _place(error: BaseException) -> str:
    """Where it was raised and from where in our code: file:line, without any value."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


def beat() -> None:
    """The heartbeat's task: that it passed is all."""


def _task_begins(**_signal: object) -> None:
    watchdog.task_begins()


def _task_ends(**_signal: object) -> None:
    watchdog.task_ends()


def _result_is_in(**_signal: object) -> None:
    # By the monitor, the last of a cluster's processes: pusher, queue, a worker and the queue of results all work.
    watchdog.show_life()


# --- The broker -------------------------------------------------------------------------------------------------------


class Broker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """django-q2's own broker over a table, and four things more.

    Times are the database's, not those of hosts that may disagree; rows are taken in their order and past those that
    others hold; a row that nobody can read is removed instead of ending the pusher, again and again; and every few
    seconds a heartbeat goes into the cluster's own queue, where no other cluster can take it.
    """

    _beat_at = float("-inf")
    _is_away = False

    def enqueue(self, task: str) -> int:
        row = self.get_connection().create(key=self.list_key, payload=task, lock=Now())
        number: int = row.pk
        return number

    def dequeue(self) -> list[tuple[int | None, str]]:
        if watchdog.is_watched() and time.monotonic() - self._beat_at >= settings.HEARTBEAT_SECONDS:
            self._beat_at = time.monotonic()
            return [(None, _heartbeat())]
        try:
            rows = self._take()
            self._is_away = False
        except (OperationalError, InterfaceError) as error:
            if not self._is_away:
                logger.warning("Queue %s waits for the database: %s", self.list_key, type(error).__name__)
            self._is_away = True
            connections.close_all()
            time.sleep(DATABASE_AWAY_SECONDS)
            return []
        if not rows:
            time.sleep(Conf.POLL)
        return rows

    def acknowledge(self, task_id: int | None) -> None:
        if task_id is None:  # a heartbeat
            return
        try:
            super().acknowledge(task_id)
        except (OperationalError, InterfaceError) as error:
            # It comes once more after `retry`; every task may run twice.
            logger.warning("A finished task was not removed: %s", type(error).__name__)
            connections.close_all()
        watchdog.note_finished(task_id)

    def _take(self) -> list[tuple[int | None, str]]:
        self.get_connection()  # closes a connection that has become too old
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(TAKE, [self.list_key, Conf.BULK, Conf.RETRY])
            rows = cursor.fetchall()
        for number, payload in rows:
            watchdog.note_taken(number)
            if not _is_readable(payload):
                logger.error("Row %s of queue %s cannot be read and is removed", number, self.list_key)
                self.acknowledge(number)
        return [(number, payload) for number, payload in rows if _is_readable(payload)]


def _is_readable(payload: str) -> bool:
    try:
        task = SignedPackage.loads(payload)
    except UNREADABLE:
        return False
    return isinstance(task, dict) and {"id", "name", "func", "args", "kwargs"} <= task.keys()


def _heartbeat() -> str:
    task: dict[str, Any] = {
        "id": os.urandom(16).hex(),
        "name": "heartbeat",
        "func": "shipcrowd.queue.beat",
        "args": (),
        "kwargs": {},
        "started": timezone.now(),
        "save": False,
        "ack_failure": True,
    }
    signed: str = SignedPackage.dumps(task)
    return signed
