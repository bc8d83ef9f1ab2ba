"""Real workers are killed at every named point of labels, dispatch and print: nothing lost, nothing doubled.

`manage.py worker` on the tests' database, the simulator on a socket; afterwards Flipkart's ledger has each shipment
exactly once and the portal agrees.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings as portal
from django.db import connection
from django.utils import timezone

from fulfillment.models import (
    CancelReason,
    Dispatch,
    FormAcknowledgement,
    LabelRequest,
    PrintJob,
    PrintJobLine,
    PrintStack,
    SellerCancellation,
)
from fulfillment.options import Options
from orders.models import Shipment
from sellers.models import Quota, Role, WireName
from shipcrowd import files, work
from shipcrowd.db import embedded
from shipcrowd.simulator import Simulator
from shipcrowd.simulator.serving import running
from tests import factories
from tests.factories import as_ops, reload
from tests.fulfillment.test_acknowledging import tell
from tests.fulfillment.test_cancelling import ask_to_cancel, cancelled
from tests.fulfillment.test_official import bring, enter_sizes, theirs
from tests.fulfillment.warehouse import ask_dispatch, ask_labels, ask_print, only, papers, take_in, told
from tests.overheard import OVERHEARD

pytestmark = pytest.mark.slow

# One after another, as far as one row passes them: a row whose answer was lost is settled by a read-back instead.
ROUND_THE_CALL = [["claimed", "calling", "settling"], ["called"], ["settled"]]


def hurried() -> datetime:
    """Flipkart's clock runs ten times as fast, so that its labels are ready in half a second."""
    return BEGAN + 10 * (timezone.now() - BEGAN)


BEGAN = timezone.now() - timedelta(minutes=1)


@pytest.fixture
def flipkart(settings) -> Iterator[Simulator]:
    simulator = Simulator(clock=hurried, calls_per_minute=None)
    with running(simulator) as address:
        settings.SIMULATOR_URL = address
        yield simulator
    OVERHEARD.plant(simulator)


@pytest.fixture
def connected(transactional_db, flipkart):
    found = factories.connected_seller(flipkart)
    with factories.ops():
        Quota.objects.update(left=1000)
    return found


class DoomedWorker:
    """`manage.py worker` that is killed at each of `points`, once; what ends it ends everything it started."""

    def __init__(self, points: Collection[str], folder: Path, documents: Path) -> None:
        self._points = points
        self._deaths = folder / "deaths"
        self._deaths.mkdir()
        self._log = folder / "log"
        self._mark = f"WORKER_TEST={uuid.uuid4().hex}"  # inherited by all that it starts
        name, _, value = self._mark.partition("=")
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "SHIPCROWD_EMBEDDED": "",
            "DATABASE_URL": embedded.url(portal.EMBEDDED_DATA, database=connection.settings_dict["NAME"]),
            "SIMULATOR_URL": portal.SIMULATOR_URL,
            "DOCUMENTS_FOLDER": str(documents),
            "SHIPCROWD_CRASH": f"{','.join(points)} {self._deaths}",
            "LEASE_SECONDS": "3",
            "READ_BACK_SECONDS": "0.5",
            "GRACE_SECONDS": "1",
            "RING_AGAIN_SECONDS": "2",
            "HEARTBEAT_SECONDS": "1",
            "HEARTBEAT_GIVEN_UP_SECONDS": "5",
            "LOG_LEVEL": "DEBUG",
            name: value,
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "worker", "--skip-checks"],
                cwd=portal.BASE_DIR,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def lived_through(self) -> set[str]:
        """The points where it should have been killed and was not."""
        return set(self._points) - {place.name for place in self._deaths.iterdir()}

    @property
    def log(self) -> str:
        return self._log.read_text()

    def end(self) -> None:
        for place in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = self._mark.encode() in (place / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if is_ours:
                os.kill(int(place.name), signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def doomed(tmp_path, documents) -> Iterator[Callable[..., DoomedWorker]]:
    workers: list[DoomedWorker] = []

    def start(*points: str) -> DoomedWorker:
        workers.append(DoomedWorker(points, tmp_path, documents))
        return workers[-1]

    yield start
    for worker in workers:
        worker.end()
        OVERHEARD.hear(worker.log)


def until(worker: DoomedWorker, what: Callable[[], object], *, within: float = 300) -> None:
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < within, f"not within {within} s:\n{worker.log}"
        time.sleep(0.1)


def is_done(model, count: int) -> bool:
    rows = as_ops(model)
    return len(rows) == count and {row.state for row in rows} == {work.State.DONE}


def ids(shipments: list[Shipment]) -> list[str]:
    return sorted(shipment.flipkart_shipment_id for shipment in shipments)


@pytest.mark.parametrize("points", [*ROUND_THE_CALL, ["fetched", "stored", "storing"]])
def test_workers_killed_at_points_of_labels_lose_and_double_nothing(connected, flipkart, doomed, points):
    """trust.md 6, 7, 8, 9."""
    packer = factories.member(connected.seller, Role.STAFF)
    shipments = take_in(connected.seller, flipkart.world.add_shipments(connected.account, 4))
    ask_labels(connected.seller, shipments, packer)

    worker = doomed(*(f"labels.{point}" for point in points))
    until(worker, lambda: is_done(LabelRequest, 4))

    assert worker.lived_through == set()
    assert sorted(flipkart.ledger.attempts_of("generate_labels")) == ids(shipments)
    assert sorted(flipkart.ledger.labels) == ids(shipments)
    for shipment in as_ops(Shipment):
        assert (shipment.state, shipment.labelled_outside, shipment.attention) == ("PACKED", False, "")
        label, *_others = stored = papers(shipment)
        assert [paper.paper for paper in stored] == ["label", "invoice", "manifest"]
        assert files.read_checked(label.storage_key, label.sha256)


@pytest.mark.parametrize("points", ROUND_THE_CALL)
def test_workers_killed_at_points_of_dispatch_lose_and_double_nothing(connected, flipkart, doomed, points):
    """trust.md 6, 7, 8, 9."""
    packer = factories.member(connected.seller, Role.STAFF)
    parcels = take_in(connected.seller, flipkart.world.add_shipments(connected.account, 30, states="PACKED"))
    ask_dispatch(connected.seller, parcels, packer)

    worker = doomed(*(f"dispatches.{point}" for point in points))
    until(worker, lambda: is_done(Dispatch, 30))

    assert worker.lived_through == set()
    assert sorted(flipkart.ledger.attempts_of("dispatch")) == ids(parcels)
    assert sorted(flipkart.ledger.dispatches) == ids(parcels)
    assert {shipment.state for shipment in as_ops(Shipment)} == {"READY_TO_DISPATCH"}


@pytest.fixture
def published(transactional_db, flipkart):
    """A seller on Flipkart's published format."""
    found = factories.connected_seller(flipkart, wire=WireName.OFFICIAL)
    with factories.ops():
        Quota.objects.update(left=1000)
    return found


@pytest.mark.parametrize("points", ROUND_THE_CALL)
def test_workers_killed_at_points_of_cancelling_lose_and_double_nothing(published, flipkart, doomed, points):
    packer = factories.member(published.seller, Role.STAFF)
    shipments = bring(published, flipkart, 30)
    ask_to_cancel(published.seller, shipments, packer, CancelReason.B2B_ORDER)

    worker = doomed(*(f"cancellations.{point}" for point in points))
    until(worker, lambda: is_done(SellerCancellation, 30))

    assert worker.lived_through == set()
    wanted = sorted(theirs(published, shipment) for shipment in shipments)
    assert sorted(flipkart.ledger.attempts_of("cancel")) == sorted(cancelled(flipkart)) == wanted
    assert {shipment.state for shipment in as_ops(Shipment)} == {"CANCELLED"}


def test_a_worker_killed_while_it_tells_a_forms_number_tells_it_once(published, flipkart, doomed):
    packer = factories.member(published.seller, Role.STAFF)
    enter_sizes(published.seller)
    (made,) = flipkart.world.add_shipments(published.account, 1)
    flipkart.world.want_form(made)
    (shipment,) = take_in(published.seller, [published.account.shipments[made].official_id])
    ask_labels(published.seller, [shipment], packer)
    worker = doomed("form_acks.called")
    until(worker, lambda: reload(shipment).state == "FORM_FAILED")

    tell(published.seller, shipment, packer, {"e-Way Bill": "EWB-1"})
    until(worker, lambda: is_done(FormAcknowledgement, 1) and is_done(LabelRequest, 1))

    assert worker.lived_through == set()
    assert flipkart.ledger.attempts_of("acknowledge_forms") == [made]
    assert flipkart.ledger.attempts_of("generate_labels") == [made]


def test_a_print_job_of_several_stacks_survives_its_workers_deaths(connected, flipkart, doomed):
    """trust.md 50: every parcel on one page of one stack, told once, claimed by nobody afterwards."""
    packer = factories.member(connected.seller, Role.STAFF)
    shipments = take_in(connected.seller, flipkart.world.add_shipments(connected.account, 5))
    ask_labels(connected.seller, shipments, packer)
    worker = doomed(*(f"print_jobs.{point}" for point in ("claimed", "planned", "stored", "settling", "settled")))
    until(worker, lambda: is_done(LabelRequest, 5))

    job = ask_print(connected.seller, shipments, packer, options=Options(stack_size=2))
    until(worker, lambda: is_done(PrintJob, 1))

    assert worker.lived_through == set()
    stacks = as_ops(PrintStack)
    assert [(stack.letter, stack.printed) for stack in stacks] == [("A", 2), ("B", 2), ("C", 1)]
    assert reload(job).says == "5 labels in 3 stacks"
    assert all(files.read_checked(stack.storage_key, stack.sha256) for stack in stacks)
    lines = as_ops(PrintJobLine, page__isnull=False, is_claim=False)
    assert sorted(line.shipment_id for line in lines) == sorted(shipment.pk for shipment in shipments)
    prints = [[line for line in told(shipment) if line.startswith("label printed")] for shipment in shipments]
    assert [len(lines) for lines in prints] == [1] * 5


def test_work_asked_for_while_everything_is_dead_is_done_by_who_comes_next(connected, flipkart, doomed):
    """trust.md 17, 26a: the queue lost every row, and the work rows are the truth."""
    from django_q.models import OrmQ  # noqa: PLC0415 - only this test looks into the queue's own table

    packer = factories.member(connected.seller, Role.STAFF)
    shipments = take_in(connected.seller, flipkart.world.add_shipments(connected.account, 2))
    ask_labels(connected.seller, shipments, packer)
    OrmQ.objects.all().delete()

    worker = doomed()
    until(worker, lambda: is_done(LabelRequest, 2))

    assert sorted(flipkart.ledger.labels) == ids(shipments)
    assert only(LabelRequest, shipment=shipments[0]).attempts == 1
