"""`clicks`: from the commit of "Request labels" to the worker's first line, idle and while the other cluster is full.

Real `manage.py worker` processes on an embedded PostgreSQL of their own. The click is the business call behind the
button, in its seller's scope; the first line is that of the function that works the kind "labels". In the second half
two polls keep both workers of the other cluster busy, each computing half of the time, and 300 more tasks wait there.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shipcrowd.db import embedded

CLICKS = 200
SELLERS = 20  # in turn, so that no click waits for the one before
WAITING = 300
SETTINGS = "tests.benchmarks.clicks_settings"
EAR = "CLICKS_EAR"  # the environment's name of the socket that hears the worker's first lines


def run() -> dict[str, object]:
    """Flat figures in seconds, `p95_s` with the other cluster full and `p95_idle_s`; measured in its own process."""
    with tempfile.TemporaryDirectory(prefix="shipcrowd-clicks-") as folder:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "SHIPCROWD_EMBEDDED": f"{folder}/database",
            "DOCUMENTS_FOLDER": f"{folder}/documents",
            EAR: f"{folder}/ear",
        }
        measured = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.clicks"],
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        embedded.let_go(f"{folder}/database")
        figures: dict[str, object] = json.loads(measured.stdout.splitlines()[-1])
        return figures


# --- Run by the worker ------------------------------------------------------------------------------------------------


def first_line(*, seller_id: int) -> bool:
    """Stands in for the function that works labels: what it does first is say when."""
    at = time.monotonic()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mouth:
        mouth.sendto(f"{seller_id} {at}".encode(), os.environ[EAR])

    from fulfillment.models import LabelRequest  # noqa: PLC0415 - the clock comes first
    from shipcrowd.tenancy import seller_scope  # noqa: PLC0415

    with seller_scope(seller_id):
        LabelRequest.objects.filter(seller_id=seller_id).update(wake_at=None)
    return False


def busy_poll(*, seller_id: int) -> bool:
    """A poll that lasts until the measuring is over: decodes a page, waits for the next as if for an answer."""
    page = json.dumps([{"shipmentId": number, "title": "T-shirt, black"} for number in range(2000)])
    while not Path(f"{os.environ[EAR]}.over").exists():
        begun = time.monotonic()
        json.loads(page)
        time.sleep(time.monotonic() - begun)
    return False


# --- Run by the measuring process -------------------------------------------------------------------------------------


def measure() -> dict[str, object]:
    from django.core.management import call_command  # noqa: PLC0415 - after django.setup()

    from shipcrowd import queue  # noqa: PLC0415
    from tests import factories  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    user = factories.user()
    sellers = [factories.seller() for _ in range(SELLERS)]
    shipments = [factories.shipment(sellers[number % SELLERS]) for number in range(2 * CLICKS)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(os.environ[EAR])
        ear.settimeout(60)
        worker = subprocess.Popen([sys.executable, "manage.py", "worker", "--skip-checks"], stdout=subprocess.DEVNULL)
        try:
            _click(shipments[0], user, ear)  # waits until the worker is up
            idle = [_click(shipment, user, ear) for shipment in shipments[1:CLICKS]]
            for number in range(WAITING + 2):
                queue.ring(sellers[number % SELLERS].pk, "poll")
            _wait_until_busy()
            busy = [_click(shipment, user, ear) for shipment in shipments[CLICKS:]]
            waiting = _waiting()
        finally:
            Path(f"{os.environ[EAR]}.over").touch()
            worker.send_signal(signal.SIGTERM)
            worker.wait()
    return {
        "benchmark": "clicks",
        "clicks": CLICKS,
        "p95_s": _quantile(busy, 0.95),
        "p95_idle_s": _quantile(idle, 0.95),
        "median_s": _quantile(busy, 0.5),
        "median_idle_s": _quantile(idle, 0.5),
        "worst_s": _quantile(busy, 1.0),
        "worst_idle_s": _quantile(idle, 1.0),
        "waiting_in_the_other": waiting,
    }


def _click(shipment, user, ear: socket.socket) -> float:
    """Seconds from the commit to the worker's first line."""
    from django.utils import timezone  # noqa: PLC0415 - after django.setup()

    from fulfillment import labels  # noqa: PLC0415
    from shipcrowd.tenancy import seller_scope  # noqa: PLC0415

    with seller_scope(shipment.seller_id):
        outcome = labels.request_labels(seller=shipment.seller, shipment_ids=[shipment.pk], by=user, now=timezone.now())
        committing_at = time.monotonic()
    assert outcome.accepted == 1, outcome
    while True:
        seller_id, at = ear.recv(100).split()
        if int(seller_id) == shipment.seller_id and float(at) > committing_at:
            return float(at) - committing_at


def _wait_until_busy() -> None:
    """Both polls have begun: their rows and those behind them are taken as far as the cluster holds any."""
    from django.db.models import Q  # noqa: PLC0415 - after django.setup()
    from django.utils import timezone  # noqa: PLC0415
    from django_q.models import OrmQ  # noqa: PLC0415

    give_up_at = time.monotonic() + 30
    while OrmQ.objects.filter(Q(key="default"), lock__gt=timezone.now()).count() < 4:
        assert time.monotonic() < give_up_at, "the polls do not begin"
        time.sleep(0.05)


def _waiting() -> int:
    from django_q.models import OrmQ  # noqa: PLC0415 - after django.setup()

    return OrmQ.objects.filter(key="default").count() - 2


def _quantile(seconds: list[float], share: float) -> float:
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(measure()))
