"""Random SIGKILLs and network faults while shipments are labelled and dispatched: nothing lost, nothing doubled.

    uv run python -m tests.chaos --kills 50 --shipments 500 --seed 7

Real worker processes on an embedded PostgreSQL of their own, against the simulator on a socket, with 20 % of its
answers spoiled. Victims are workers, pushers, sentinels and supervisors alike; a kill counts when a row is claimed or
being sent at that moment. Prints the seed, what was lost, doubled and left unsettled; exits 1 unless all are 0.
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
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FAULTS = ("drop_before", "drop_after", "server_error", "truncated", "throttled", "html", "silent", "partial")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--kills", type=int, default=50)
    arguments.add_argument("--shipments", type=int, default=500)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    arguments.add_argument("--patience", type=float, default=900.0, help="seconds without an end are a failure too")
    asked = arguments.parse_args()
    print(f"seed {asked.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="shipcrowd-chaos-"))
    _environment(folder)

    import django

    django.setup()
    try:
        return _run(asked.kills, asked.shipments, asked.seed, asked.patience, folder)
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


def _run(kills: int, shipments: int, seed: int, patience: float, folder: Path) -> int:
    from django.core.management import call_command

    from shipcrowd.simulator import Simulator
    from shipcrowd.simulator.serving import running

    dice = random.Random(seed)
    call_command("migrate", verbosity=0)
    simulator = Simulator(seed=seed, calls_per_minute=None)
    with running(simulator) as address:
        os.environ["SIMULATOR_URL"] = address
        world = World(simulator, address, shipments, dice)
        world.open()
        workers = Workers(folder, dice)
        began = time.monotonic()
        simulator.faults.randomly(share=0.2, kinds=FAULTS, seed=seed)
        workers.start()
        try:
            while workers.kills < kills or not world.is_settled():
                world.go_on()
                workers.keep_alive()
                if workers.kills < kills:
                    workers.kill_one(world.in_hand())
                else:
                    simulator.faults.clear()
                if time.monotonic() - began > patience:
                    break
                time.sleep(dice.uniform(0.02, 0.12))
        finally:
            workers.stop()
        return world.report(workers, time.monotonic() - began)


class World:
    """The seller, their shipments, and what should become of them."""

    def __init__(self, simulator, address: str, shipments: int, dice: random.Random) -> None:
        self.simulator, self.address, self.count, self.dice = simulator, address, shipments, dice
        self.last_fault_at = time.monotonic()

    def open(self) -> None:
        """A connected seller with every shipment ingested and its label asked for."""
        from django.conf import settings
        from django.utils import timezone

        from fulfillment import labels
        from orders import polling
        from orders.models import PollCursor, Shipment
        from shipcrowd.tenancy import seller_scope
        from tests import factories

        settings.SIMULATOR_URL = self.address
        connected = factories.connected_seller(self.simulator, facilities=2)
        self.seller = connected.seller
        self.owner = factories.member(self.seller)
        self.wanted = self.simulator.world.add_shipments(connected.account, self.count)
        with seller_scope(self.seller):
            polling.poll_now(self.seller)
        factories.run_due_work()
        with seller_scope(self.seller):
            ids = list(Shipment.objects.filter(seller=self.seller).values_list("pk", flat=True))
            cursor = PollCursor.objects.get(seller=self.seller)
            assert len(ids) == self.count, f"{len(ids)} of {self.count} shipments came in: {cursor.says}"
            labels.request_labels(seller=self.seller, shipment_ids=ids, by=self.owner, now=timezone.now())

    def go_on(self) -> None:
        """What has a label is marked ready to dispatch; what needs a person gets the person's retry."""
        from django.utils import timezone

        from fulfillment import dispatch
        from fulfillment.models import Dispatch, LabelRequest
        from orders.models import Shipment
        from shipcrowd import queue, work
        from shipcrowd.tenancy import seller_scope

        with seller_scope(self.seller):
            ready = list(
                Shipment.objects.filter(
                    seller=self.seller, label_stored_at__isnull=False, dispatch_requested_at__isnull=True
                ).values_list("pk", flat=True)[:100]
            )
            if ready:
                dispatch.request_dispatch(seller=self.seller, shipment_ids=ready, by=self.owner, now=timezone.now())
            for model in (LabelRequest, Dispatch):
                ended = list(
                    model.objects.filter(seller=self.seller, state__in=(work.State.REFUSED, work.State.GIVEN_UP))
                )
                if work.sent_again_by_hand(ended, by_id=self.owner.pk):
                    queue.ring(self.seller.pk, model.KIND)

    def in_hand(self) -> int:
        """Rows that are claimed or being sent at this moment."""
        from fulfillment.models import Dispatch, LabelRequest
        from shipcrowd import work
        from shipcrowd.tenancy import seller_scope

        with seller_scope(self.seller):
            return sum(
                model.objects.filter(seller=self.seller, state__in=(work.State.CLAIMED, work.State.CALLING)).count()
                for model in (LabelRequest, Dispatch)
            )

    def unsettled(self) -> list[str]:
        from fulfillment.models import Dispatch, LabelRequest
        from shipcrowd import work
        from shipcrowd.tenancy import seller_scope

        with seller_scope(self.seller):
            done = [
                set(
                    model.objects.filter(seller=self.seller, state=work.State.DONE).values_list(
                        "shipment__flipkart_shipment_id", flat=True
                    )
                )
                for model in (LabelRequest, Dispatch)
            ]
        return [wanted for wanted in self.wanted if wanted not in done[0] & done[1]]

    def where_they_stand(self, unsettled: list[str]) -> list[str]:
        """How far the work of what is unsettled has come, a line for each way of standing."""
        from fulfillment.models import Dispatch, LabelRequest
        from shipcrowd.tenancy import seller_scope

        with seller_scope(self.seller):
            standing = Counter(
                f"  {model.KIND} {row.state} {row.attention} {row.says} (attempts {row.attempts})"
                for model in (LabelRequest, Dispatch)
                for row in model.objects.filter(shipment__flipkart_shipment_id__in=unsettled)
            )
        return [f"{count} x {line}" for line, count in standing.most_common(20)]

    def is_settled(self) -> bool:
        return not self.unsettled()

    def report(self, workers: "Workers", seconds: float) -> int:
        effects = Counter(self.simulator.ledger.dispatches) + Counter(self.simulator.ledger.labels)
        # Sent once more although the effect was there: the simulator refuses it, Flipkart may not.
        too_often = [
            attempt
            for attempt in self.simulator.ledger.attempts
            if attempt.code in ("ALREADY_DISPATCHED", "ORDER_ITEM_ALREADY_DISPATCHED", "ALREADY_PACKED")
        ]
        lost = [wanted for wanted in self.wanted if effects[wanted] < 2]
        doubled = [wanted for wanted, times in effects.items() if times > 2]
        unsettled = self.unsettled()
        print(f"kills while a row was in hand {workers.kills}: {dict(workers.victims)}")
        calls = self.simulator.ledger.calls
        print(f"calls {len(calls)}, spoiled {sum(bool(call.fault) for call in calls)}")
        print(f"lost {len(lost)}\ndoubled {len(doubled) + len(too_often)}\nunsettled {len(unsettled)}")
        print(f"seconds to settle {seconds:.1f}")
        for line in self.where_they_stand(unsettled):
            print(line)
        return 1 if lost or doubled or too_often or unsettled else 0


@dataclass
class Workers:
    """`manage.py worker`, and everything below it."""

    folder: Path
    dice: random.Random
    kills: int = 0
    next_kill_at: float = 0.0
    victims: Counter[str] = field(default_factory=Counter)
    process: subprocess.Popen[bytes] | None = None

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

    def kill_one(self, in_hand: int) -> None:
        """Kills any process of the tree, each as likely, while a row is in hand; then lets them work for a while."""
        if not in_hand or self.process is None or time.monotonic() < self.next_kill_at:
            return
        family = _family(self.process.pid)
        if not family:
            return
        pid, name = self.dice.choice(family)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills += 1
        self.next_kill_at = time.monotonic() + self.dice.uniform(0.1, 2.5)
        self.victims[name] += 1

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _family(pid: int) -> list[tuple[int, str]]:
    """(pid, depth below the supervisor as a word) of the process and everything below it."""
    names = ("supervisor", "cluster", "sentinel", "worker, pusher or monitor")
    found = [(pid, names[0])]
    level, depth = [pid], 0
    while level:
        level = [child for parent in level for child in _children(parent)]
        depth += 1
        found += [(child, names[min(depth, len(names) - 1)]) for child in level]
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


if __name__ == "__main__":
    sys.exit(main())
