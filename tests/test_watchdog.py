"""Real `manage.py worker` processes are killed, stopped and fed garbage: work goes on, and nothing stays behind."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import gettempdir

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from fulfillment.models import LabelRequest
from shipcrowd import queue, watchdog
from shipcrowd.db import embedded
from shipcrowd.models import WorkerMark
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.overheard import OVERHEARD

pytestmark = pytest.mark.slow


def until(what: Callable[[], object], *, within: float, else_say: Callable[[], str] = str) -> float:
    """Seconds until `what` came true."""
    begun = time.monotonic()
    while time.monotonic() - begun < within:
        if what():
            return time.monotonic() - begun
        time.sleep(0.05)
    raise AssertionError(f"not within {within} s: {else_say()}")


class Worker:
    """`manage.py worker` on the tests' database, and every process that came of it."""

    def __init__(self, folder: Path) -> None:
        self.notes, self._log = folder / "notes", folder / "log"
        self.notes.touch()
        self._run = f"WORKER_TEST={uuid.uuid4().hex}"  # inherited by all that it starts
        name, _, value = self._run.partition("=")
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.db.worker_settings",
            "SHIPCROWD_EMBEDDED": "",
            "DATABASE_URL": embedded.url(settings.EMBEDDED_DATA, database=connection.settings_dict["NAME"]),
            "HEARTBEAT_SECONDS": "1",
            "HEARTBEAT_GIVEN_UP_SECONDS": "5",
            "RING_AGAIN_SECONDS": "3",
            "LEASE_SECONDS": "3",
            "LOG_LEVEL": "INFO",
            "DOCUMENTS_FOLDER": str(folder),
            "NOTES": str(self.notes),
            name: value,
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "worker", "--skip-checks"],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def noted(self, line: str) -> int:
        return self.notes.read_text().splitlines().count(line)

    def processes(self) -> list[int]:
        """Whatever still runs of this worker, however it was orphaned."""
        return [int(place.name) for place in Path("/proc").glob("[0-9]*") if self._is_ours(place)]

    def idle_workers(self, cluster: str) -> list[int]:
        """Processes of the cluster that said they are ready for work, and live."""
        ready = map(int, re.findall(r"ready for work at (\d+)", self.log))
        return [pid for pid in ready if Path("/proc", str(pid)).exists() and f"--cluster {cluster}" in command(pid)]

    def wait_until_ready(self) -> None:
        """Both workers of both clusters are up, and a heartbeat passed through each."""
        signs = f"shipcrowd-signs-{self.process.pid}-*"
        until(
            lambda: all(
                len(self.idle_workers(cluster)) == 2 and [*Path(gettempdir()).glob(f"{signs}/{cluster}/life")]
                for cluster in queue.CLUSTERS
            ),
            within=60,
            else_say=lambda: self.log,
        )

    def end(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def _is_ours(self, place: Path) -> bool:
        try:
            return self._run.encode() in (place / "environ").read_bytes().split(b"\0")
        except OSError:
            return False


def command(pid: int) -> str:
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@pytest.fixture
def worker(transactional_db, tmp_path) -> Iterator[Worker]:
    running = Worker(tmp_path)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.end()
        OVERHEARD.hear(running.log)


def test_killed_idle_workers_hang_a_cluster_and_the_watchdog_starts_it_anew(worker):
    """Row 10: one of the two dies holding the lock of the cluster's queue."""
    seller = factories.seller()
    for pid in worker.idle_workers("clicks"):
        os.kill(pid, signal.SIGKILL)

    queue.ring(seller.pk, "labels")
    until(lambda: worker.noted(f"labels {seller.pk}"), within=120, else_say=lambda: worker.log)

    assert "clicks was silent for" in worker.log


def test_a_busy_cluster_is_not_taken_for_a_silent_one(worker):
    first, second = factories.seller(), factories.seller()
    for seller in (first, second):
        queue.ring(seller.pk, "dispatches")
    until(lambda: worker.noted(f"begun {first.pk}") and worker.noted(f"begun {second.pk}"), within=60)
    begun = time.monotonic()

    queue.ring(first.pk, "poll")
    until(lambda: worker.noted(f"poll {first.pk}"), within=60)
    until(lambda: time.monotonic() - begun > 8, within=10)

    assert "started anew" not in worker.log


def test_sigterm_ends_every_process_within_the_grace_even_in_the_middle_of_a_task(worker):
    """Row 12, as far as processes go: what a killed task leaves behind is its row's business."""
    seller = factories.seller()
    queue.ring(seller.pk, "dispatches")
    until(lambda: worker.noted(f"begun {seller.pk}"), within=60)

    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(timeout=watchdog.GRACE_SECONDS + 10)

    assert worker.process.returncode == 0
    assert worker.processes() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_idle_worker_stops_soon(worker, number):
    worker.process.send_signal(number)

    worker.process.wait(timeout=watchdog.GRACE_SECONDS - 1)
    assert worker.process.returncode == 0
    assert worker.processes() == []


def test_a_killed_watchdog_leaves_no_process(worker):
    """Row 11."""
    assert len(worker.processes()) > 10

    worker.process.kill()
    worker.process.wait()

    until(lambda: worker.processes() == [], within=30, else_say=lambda: str(worker.processes()))


def test_rows_that_nobody_can_read_are_removed_and_others_run(worker):
    """Rows 15 and 16: garbage, a payload of another key, and a class that a deploy has removed."""
    seller = factories.seller()
    for payload in ("garbage", "gASVBQAAAAAAAACMAWGULg:1abcde:nobodysigned", payload_of_a_vanished_class()):
        OrmQ.objects.create(key="clicks", payload=payload, lock=timezone.now())

    queue.ring(seller.pk, "labels")

    until(lambda: worker.noted(f"labels {seller.pk}"), within=60, else_say=lambda: worker.log)
    until(lambda: not OrmQ.objects.filter(key="clicks").exists(), within=60)
    assert worker.log.count("cannot be read and is removed") == 3
    assert "Traceback" not in worker.log


def payload_of_a_vanished_class() -> str:
    vanished = type("Vanished", (), {"__module__": __name__, "__qualname__": "Vanished"})
    globals()["Vanished"] = vanished
    try:
        return SignedPackage.dumps({"func": vanished})
    finally:
        del globals()["Vanished"]


def test_a_truncated_queue_recovers_by_the_bell(worker):
    """Row 17: the queue is only a doorbell; what is due is rung for again."""
    shipment = factories.shipment(factories.seller())
    with seller_scope(shipment.seller_id):
        queue.ring(shipment.seller_id, "labels")
        OrmQ.objects.all().delete()
        LabelRequest.objects.create(seller_id=shipment.seller_id, shipment=shipment, wake_at=timezone.now())

    until(lambda: worker.noted(f"labels {shipment.seller_id}"), within=60, else_say=lambda: worker.log)


def test_a_failing_task_is_logged_without_its_text_and_leaves_no_result(worker):
    """Row 66: django-q2 would store the text of the exception."""
    seller = factories.seller()

    queue.ring(seller.pk, "print_jobs")
    until(lambda: f"print_jobs of seller {seller.pk} ended with ValueError" in worker.log, within=60)

    assert worker.noted(f"failing {seller.pk}") == 1
    assert "Asha" not in worker.log
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from django_q_task")
        assert cursor.fetchone() == (0,)


def test_lost_connections_to_the_database_end_no_process(worker):
    """Row 44, as far as the queue goes: a database that restarts is waited for."""
    seller = factories.seller()
    before = set(worker.processes())
    ended: list[int] = []
    until(lambda: ended.append(end_other_connections()) or sum(ended) >= 3, within=60)

    queue.ring(seller.pk, "labels")
    until(lambda: worker.noted(f"labels {seller.pk}"), within=60, else_say=lambda: worker.log)

    assert "Traceback" not in worker.log
    assert set(worker.processes()) == before


def end_other_connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


def test_each_cluster_is_marked_alive_with_its_restarts(worker):
    until(lambda: WorkerMark.objects.count() == len(queue.CLUSTERS), within=40, else_say=lambda: worker.log)

    assert queue.clusters_alive(timezone.now()) == {"default": True, "clicks": True}
    assert set(WorkerMark.objects.values_list("cluster", "restarts")) == {("default", 0), ("clicks", 0)}


@pytest.fixture
def sleeper(tmp_path) -> Iterator[watchdog.Running]:
    """A watched process that only sleeps."""
    program = tmp_path / "program.py"
    program.write_text("import time; time.sleep(60)")
    running = watchdog.Running(watchdog.Watched("sleeper", ()), tmp_path / "signs", program)
    running.start()
    yield running
    running.kill()


def test_what_had_worked_is_started_anew_at_once_however_often_it_was_killed(sleeper):
    for _ in range(5):
        (sleeper.folder / watchdog.LIFE).touch()
        sleeper.kill()
        sleeper.start_later()
        sleeper.start_if_due()
        assert sleeper.is_running


def test_what_ends_before_its_first_sign_of_life_is_started_anew_after_a_pause(sleeper):
    sleeper.kill()
    sleeper.start_later()
    sleeper.start_if_due()
    assert not sleeper.is_running

    until(lambda: sleeper.start_if_due() or sleeper.is_running, within=30)
