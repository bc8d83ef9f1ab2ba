"""Random SIGKILLs and network faults while shipments are labelled and dispatched: nothing lost, nothing doubled.

    uv run python -m tests.chaos --kills 50 --shipments 500 --seed 7

Real worker processes on an embedded PostgreSQL of their own, for several sellers, against the simulator on a socket;
one call in five goes wrong until the last kill. A kill counts when at that moment a row was claimed or being sent by
somebody who had begun less than a second ago, and whom no earlier kill had met. Victims are drawn from a deck in which
every kind of process lies. Prints the seed, what was lost, doubled and left unsettled; exits 1 unless all are 0.
"""

import argparse
import base64
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

from shipcrowd.simulator import Simulator

ROOT = Path(__file__).resolve().parent.parent
SELLERS = 4
FAULTS = ("drop_before", "drop_after", "slow", "server_error", "truncated", "throttled", "html", "silent", "partial")
# Of ten kills: three of a worker in the middle of a task, two of the watchdog itself.
DECK = (
    *("worker at work",) * 3,
    *("below a sentinel",) * 2,  # any worker, pusher or monitor
    "sentinel",
    "cluster",
    "bell",
    *("supervisor",) * 2,
)
# The kills are spread over this share of the work, so that the last ones find some.
SHARE_WITH_KILLS = 0.8
WAITS_FOR_CALL = 4.0  # seconds
LATENCY = (0.02, 0.15)  # seconds before a call takes effect, and once more before it is answered


def main() -> int:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--kills", type=int, default=50)
    arguments.add_argument("--shipments", type=int, default=500)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    arguments.add_argument("--patience", type=float, default=900.0, help="seconds without an end are a failure too")
    arguments.add_argument("--timeline", action="store_true", help="a line a second: kills, calls, how the rows stand")
    asked = arguments.parse_args()
    print(f"seed {asked.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="shipcrowd-chaos-"))
    _environment(folder)

    import django

    django.setup()
    try:
        return _run(asked, folder)
    finally:
        from django.db import connection

        from shipcrowd.db import embedded

        connection.close()
        embedded.let_go(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path) -> None:
    os.environ.update(
        DJANGO_SETTINGS_MODULE="shipcrowd.settings",
        SHIPCROWD_EMBEDDED=str(folder / "postgres"),
        DOCUMENTS_FOLDER=str(folder / "documents"),
        SECRET_KEY="a key for one run of chaos, that signs nothing worth keeping",
        ENCRYPTION_KEYS=base64.b64encode(b"chaos key of thirty-two bytes...").decode(),
        PUBLIC_URL="http://127.0.0.1",
        ALLOWED_HOSTS="127.0.0.1",
        FLIPKART="simulator",
        LEASE_SECONDS="3",
        READ_BACK_SECONDS="0.5",
        GRACE_SECONDS="1",
        RING_AGAIN_SECONDS="4",
        HEARTBEAT_SECONDS="1",
        HEARTBEAT_GIVEN_UP_SECONDS="5",
        FLIPKART_CALL_TIMEOUT="2",
        FLIPKART_ANSWER_TIMEOUT="2.5",
        QUOTA_BURST="100000",
        QUOTA_PER_MINUTE="100000",
        POLL_EVERY_SECONDS="3600",
        LOG_LEVEL="ERROR",
    )


def _run(asked: argparse.Namespace, folder: Path) -> int:
    from django.core.management import call_command

    from shipcrowd.simulator.serving import running

    dice = random.Random(asked.seed)
    call_command("migrate", verbosity=0)
    simulator = FarAway(seed=asked.seed, calls_per_minute=None)
    with running(simulator) as address:
        os.environ["SIMULATOR_URL"] = address
        world = World(simulator, address, asked.shipments)
        world.open()
        workers = Workers(folder, dice)
        simulator.is_near = False
        _draw_papers_ahead(simulator)
        world.calls_before = len(simulator.ledger.calls)
        simulator.faults.randomly(share=0.2, kinds=FAULTS, seed=asked.seed)
        workers.start()
        try:
            return _kill_until_settled(asked, world, workers)
        finally:
            workers.stop()


def _kill_until_settled(asked: argparse.Namespace, world: "World", workers: "Workers") -> int:
    began = time.monotonic()
    cleared_at = looked_at = 0.0
    while (seconds := time.monotonic() - began) < asked.patience:
        if seconds - looked_at >= 1:
            looked_at = seconds
            world.go_on()
            if asked.timeline:
                print(f"{seconds:6.1f} s  {workers.kills} kills  {world.line()}", flush=True)
            if world.is_settled() or world.left_to_person:
                break
        workers.keep_alive()
        if workers.kills < asked.kills:
            if world.share_done >= SHARE_WITH_KILLS * workers.kills / asked.kills:
                workers.kill_one(world.fresh_claims())
        elif not cleared_at:
            cleared_at = seconds
            world.calls_with_faults = len(world.simulator.ledger.calls)
            world.simulator.faults.clear()
        time.sleep(0.01)
    return world.report(workers, asked.kills, settled_in=seconds - (cleared_at or seconds), seconds=seconds)


class FarAway(Simulator):
    """Its answers take as long as those of a server far away, so that a kill may fall before an effect and after."""

    is_near = True

    def __call__(self, environ, start_response):
        self._pause()
        answer = super().__call__(environ, start_response)
        self._pause()
        return answer

    def _pause(self) -> None:
        if not self.is_near:
            time.sleep(random.uniform(*LATENCY))


def _draw_papers_ahead(simulator: Simulator) -> None:
    """Twenty papers take longer to draw than a call may last here: each is drawn once, when its shipment is packed."""
    from shipcrowd.simulator import documents

    drawn: dict[tuple[str, str], bytes] = {}
    drawers = {name: getattr(documents, name) for name in ("render_label", "render_invoice", "render_manifest")}

    def once(name: str, paper: documents.Paper) -> bytes:
        key = (name, paper.shipment_id)
        if key not in drawn:
            drawn[key] = drawers[name](paper)
        return drawn[key]

    for name in drawers:
        setattr(documents, name, partial(once, name))

    def draw() -> None:
        while True:
            for account in list(simulator.world.accounts.values()):
                for shipment in list(account.shipments.values()):
                    if shipment.label_ready_at and ("render_manifest", shipment.shipment_id) not in drawn:
                        paper = documents.paper_for(account, shipment)
                        for name in drawers:
                            once(name, paper)
            time.sleep(0.05)

    threading.Thread(target=draw, daemon=True).start()


class World:
    """The sellers, their shipments, and what should become of them."""

    def __init__(self, simulator: FarAway, address: str, count: int) -> None:
        self.simulator, self.address, self.count = simulator, address, count
        self.sellers, self.owners, self.wanted = [], [], []
        self.share_done = 0.0
        self.left_to_person: Counter[str] = Counter()  # what it says of rows that ended without their effect
        self.calls_before = 0
        self.calls_with_faults: int | None = None  # how many had been made when the faults ended
        self._calls_told = 0

    def open(self) -> None:
        """Connected sellers with every shipment ingested and its label asked for."""
        from django.conf import settings

        from orders import polling
        from orders.models import PollCursor, Shipment
        from shipcrowd.tenancy import seller_scope
        from tests import factories

        settings.SIMULATOR_URL = self.address
        for number in range(min(SELLERS, self.count)):
            connected = factories.connected_seller(self.simulator, facilities=2)
            self.sellers.append(connected.seller)
            self.owners.append(factories.member(connected.seller))
            share = len(range(number, self.count, SELLERS))
            self.wanted += self.simulator.world.add_shipments(connected.account, share)
            with seller_scope(connected.seller):
                polling.poll_now(connected.seller)
        factories.run_due_work()
        with seller_scope(*self.sellers):
            came, says = Shipment.objects.count(), list(PollCursor.objects.values_list("says", flat=True))
        assert came == self.count, f"{came} of {self.count} shipments came in: {says}"
        self._press_labels()

    def _press_labels(self) -> None:
        from django.utils import timezone

        from fulfillment import labels
        from orders.models import Shipment
        from shipcrowd.tenancy import seller_scope

        for seller, owner in zip(self.sellers, self.owners, strict=True):
            with seller_scope(seller):
                ids = list(Shipment.objects.values_list("pk", flat=True))
                labels.request_labels(seller=seller, shipment_ids=ids, by=owner, now=timezone.now())

    def go_on(self) -> None:
        """What has a label is marked ready to dispatch; what has ended without its effect is noted."""
        from django.utils import timezone

        from fulfillment import dispatch
        from fulfillment.models import Dispatch, LabelRequest
        from orders.models import Shipment
        from shipcrowd import work
        from shipcrowd.tenancy import seller_scope

        steps_done = 0
        self.left_to_person.clear()
        for seller, owner in zip(self.sellers, self.owners, strict=True):
            with seller_scope(seller):
                ready = Shipment.objects.filter(label_stored_at__isnull=False, dispatch_requested_at__isnull=True)
                if ids := list(ready.values_list("pk", flat=True)):
                    dispatch.request_dispatch(seller=seller, shipment_ids=ids, by=owner, now=timezone.now())
                steps_done += LabelRequest.objects.filter(packed_at__isnull=False).count()
                for model in (LabelRequest, Dispatch):
                    steps_done += model.objects.filter(state=work.State.DONE).count()
                    ended = model.objects.exclude(state__in=(*work.OPEN, work.State.DONE))
                    self.left_to_person.update(f"{row.KIND} {row.state}: {row.says}" for row in ended)
        self.share_done = steps_done / (3 * self.count)

    def fresh_claims(self) -> dict[UUID, str]:
        """Tokens and states of rows that somebody claimed, or began to send, less than a second ago by the database's
        clock.
        """
        from datetime import timedelta

        from django.conf import settings
        from django.db.models.functions import Now

        from fulfillment.models import Dispatch, LabelRequest
        from shipcrowd import work
        from shipcrowd.tenancy import seller_scope

        fresh = {
            "state__in": (work.State.CLAIMED, work.State.CALLING),
            "wake_at__gt": Now() + timedelta(seconds=settings.LEASE_SECONDS - 1),
        }
        with seller_scope(*self.sellers):
            return {
                token: f"{model.KIND} {state}"
                for model in (LabelRequest, Dispatch)
                for token, state in model.objects.filter(**fresh).values_list("claim_token", "state").distinct()
            }

    def line(self) -> str:
        """What has happened since the last line, and how the rows stand."""
        from fulfillment.models import Dispatch, LabelRequest
        from shipcrowd.tenancy import seller_scope

        calls = self.simulator.ledger.calls
        since, self._calls_told = calls[self._calls_told :], len(calls)
        with seller_scope(*self.sellers):
            standing = [
                dict(sorted(Counter(model.objects.values_list("state", flat=True)).items()))
                for model in (LabelRequest, Dispatch)
            ]
        by_operation = dict(sorted(Counter(call.operation for call in since).items()))
        return f"calls {by_operation} spoiled {sum(bool(call.fault) for call in since)}; rows {standing}"

    def is_settled(self) -> bool:
        return self.share_done >= 1 and not self.unsettled()

    def unsettled(self) -> list[str]:
        """Shipments of which the portal does not say: labelled, dispatched, and nothing in the way."""
        from fulfillment.models import Dispatch, LabelRequest
        from orders.models import Shipment
        from shipcrowd import work
        from shipcrowd.flipkart.types import State
        from shipcrowd.tenancy import seller_scope

        with seller_scope(*self.sellers):
            told = set(
                Shipment.objects.filter(state=State.READY_TO_DISPATCH, label_stored_at__isnull=False).values_list(
                    "flipkart_shipment_id", flat=True
                )
            )
            for model in (LabelRequest, Dispatch):
                done = model.objects.filter(state=work.State.DONE, in_doubt=False, attention="", wake_at=None)
                told &= set(done.values_list("shipment__flipkart_shipment_id", flat=True))
        return [wanted for wanted in self.wanted if wanted not in told]

    def where_they_stand(self, unsettled: list[str]) -> list[str]:
        """How far the work of what is unsettled has come, a line for each way of standing."""
        from fulfillment.models import Dispatch, LabelRequest
        from shipcrowd.tenancy import seller_scope

        with seller_scope(*self.sellers):
            standing = Counter(
                f"  {model.KIND} {row.state} {row.attention} {row.says} (attempts {row.attempts})"
                for model in (LabelRequest, Dispatch)
                for row in model.objects.filter(shipment__flipkart_shipment_id__in=unsettled)
            )
        return [f"{count} x {line}" for line, count in standing.most_common(20)]

    def lost(self) -> list[str]:
        """Shipments that lack one of the two effects at Flipkart."""
        there = set(self.simulator.ledger.labels) & set(self.simulator.ledger.dispatches)
        return [wanted for wanted in self.wanted if wanted not in there]

    def doubled(self) -> list[tuple[str, str]]:
        """(operation, shipment) of everything sent once more although its effect was there, whatever was answered.

        The simulator refuses it. Flipkart may not.
        """
        there: set[tuple[str, str]] = set()
        doubled = []
        for attempt in self.simulator.ledger.attempts:
            effect = (attempt.operation, attempt.shipment_id)
            if effect in there:
                doubled.append(effect)
            elif not attempt.code:
                there.add(effect)
        return doubled

    def report(self, workers: "Workers", kills: int, *, settled_in: float, seconds: float) -> int:
        lost, doubled, unsettled = self.lost(), self.doubled(), self.unsettled()
        calls = self.simulator.ledger.calls[self.calls_before :]
        meant = self.simulator.ledger.calls[self.calls_before : self.calls_with_faults]
        print(f"kills while a row was in hand {workers.kills} of {kills}: {dict(workers.victims)}")
        print(f"batches in hand then {dict(Counter(workers.met.values()))}")
        spoiled = sum(bool(call.fault) for call in calls)
        print(f"calls {len(calls)}, {len(meant)} of them until the last kill; spoiled {spoiled}")
        print(f"lost {len(lost)}\ndoubled {len(doubled)}\nunsettled {len(unsettled)}")
        print(f"seconds to settle {settled_in:.1f} after the last kill and fault, {seconds:.1f} in all")
        print(f"left to a person {self.left_to_person.total()}")
        for line, count in [*self.left_to_person.most_common(10), *workers.complaints().most_common(10)]:
            print(f"  {count} x {line}")
        for line in self.where_they_stand(unsettled):
            print(line)
        return 1 if lost or doubled or unsettled or self.left_to_person or workers.kills < kills else 0


@dataclass
class Workers:
    """`manage.py worker`, and everything below it."""

    folder: Path
    dice: random.Random
    kills: int = 0
    victims: Counter[str] = field(default_factory=Counter)
    process: subprocess.Popen[bytes] | None = None
    deck: list[str] = field(default_factory=list)
    waits_for_call_until: float = 0.0
    met: dict[UUID, str] = field(default_factory=dict)

    def start(self) -> None:
        with (self.folder / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "worker"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def keep_alive(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.start()

    def kill_one(self, claims: dict[UUID, str]) -> None:
        """Kills what the next card names, if there is a claim that no kill has met yet."""
        fresh = [state for token, state in claims.items() if token not in self.met]
        is_sent = any(state.endswith("calling") for state in fresh)
        if self.process is None or not fresh or (not is_sent and time.monotonic() < self.waits_for_call_until):
            return
        if not self.deck:
            self.deck = self.dice.sample(DECK, len(DECK))
        victims = sorted(pid for pid, kind in _family(self.process.pid) if kind == self.deck[-1])
        if not victims:
            return
        try:
            os.kill(self.dice.choice(victims), signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills += 1
        # Every other kill waits a while for a row that is being sent: that takes shorter than to store papers.
        self.waits_for_call_until = time.monotonic() + (WAITS_FOR_CALL if self.kills % 2 else 0)
        self.met = claims | self.met
        self.victims[self.deck.pop()] += 1

    def complaints(self) -> Counter[str]:
        """What the workers logged as errors, without the time."""
        lines = (self.folder / "worker.log").read_text(errors="replace").splitlines()
        return Counter(line.partition("ERROR ")[2] for line in lines if " ERROR " in line)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _family(supervisor: int) -> Iterator[tuple[int, str]]:
    """(pid, kind in the words of DECK) of the watchdog and every process below it; one may be of two kinds."""
    yield supervisor, "supervisor"
    for child in _children(supervisor):
        if b"--bell" in _command(child):
            yield child, "bell"
            continue
        yield child, "cluster"
        for sentinel in _children(child):
            yield sentinel, "sentinel"
            for below in _children(sentinel):
                yield below, "below a sentinel"
                if any(Path(tempfile.gettempdir()).glob(f"shipcrowd-signs-{supervisor}-*/clicks/busy/{below}")):
                    yield below, "worker at work"


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


if __name__ == "__main__":
    sys.exit(main())
