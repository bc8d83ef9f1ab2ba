"""The demo: a platform with two sellers on this machine, its processes, its people, and a fresh day of shipments."""

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from axes.utils import reset
from django.conf import settings
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from django.db.migrations.exceptions import InconsistentMigrationHistory

from sellers.models import Member, Role, Seller, User
from shipcrowd.db import embedded
from shipcrowd.portal import demo_environment
from shipcrowd.portal.demo_environment import HOST, CannotStart
from shipcrowd.portal.processes import Processes, stopping_on_signals
from shipcrowd.portal.visitor import NotThere, Visitor
from shipcrowd.tenancy import everyone_scope

Say = Callable[[str], None]
SHIPMENTS_A_DAY = 60
MANAGE = str(settings.BASE_DIR / "manage.py")


@dataclass(frozen=True, slots=True)
class DemoSeller:
    name: str
    slug: str
    owner: str  # user name


SELLERS = (
    DemoSeller("Asha Textiles", "asha-textiles", "asha"),
    DemoSeller("Bharat Kitchenware", "bharat-kitchenware", "bharat"),
)
PACKER, OPS = "packer", "ops"


def run(*, say: Say) -> None:
    """Starts everything, says where to look, stays until told to stop.

    Raises CannotStart, Ended, Stopped; NotThere when a page is not as it should be; OSError for the folder.
    """
    with started(say=say, shipments_a_day=SHIPMENTS_A_DAY) as house:
        for seller in SELLERS:
            house.open_seller(seller)
        say(house.welcome())
        while True:
            house.processes.check()
            time.sleep(0.5)


@dataclass
class House:
    """The running demo."""

    say: Say
    folder: Path
    processes: Processes
    password: str

    @property
    def address(self) -> str:
        return str(settings.PUBLIC_URL)

    def visit_as(self, username: str) -> Visitor:
        """A browser in which this person has logged in."""
        visitor = Visitor(self.address)
        visitor.open("/login/")
        visitor.submit(visitor.page.form_with("password"), username=username, password=self.password)
        return visitor

    def open_seller(self, seller: DemoSeller) -> None:
        """The owner presses Connect and allows it; at a later start "fetch now" brings the fresh day."""
        owner = self.visit_as(seller.owner)
        owner.open(f"/s/{seller.slug}/")
        try:
            owner.submit(owner.page.form_to("/fetch/"))
            self.say(f"  {seller.name}: fetching the fresh day")
        except NotThere:
            owner.open(f"/s/{seller.slug}/connection/")
            connect(owner, seller)
            self.say(f"  {seller.name}: connected")

    def welcome(self) -> str:
        names = ", ".join(seller.owner for seller in SELLERS)
        return (
            f"\nShipcrowd is at {self.address}/\n\n"
            f"  seller's owner    {names}\n"
            f"  warehouse staff   {PACKER}\n"
            f"  platform ops      {OPS}\n"
            f"  password of all   {self.password}\n\n"
            f"The simulated Flipkart has a console at {settings.SIMULATOR_URL}/\n"
            f"Everything is kept in {self.folder}. Ctrl-C ends the demo."
        )


def connect(owner: Visitor, seller: DemoSeller) -> None:
    """On the page of the connection: Connect, the account of the seller's name, Allow. Raises NotThere."""
    owner.submit(owner.page.form_to("/connect/"))
    form = owner.page.form_with("decision")
    owner.submit(form, account=account_of(seller), decision="allow")


def account_of(seller: DemoSeller) -> str:
    """The account id at the simulator, by the seller's name."""
    world = control("GET", "world")
    return next(str(account["accountId"]) for account in world["accounts"] if account["name"] == seller.name)


def control(method: str, path: str, **asked: object) -> dict[str, list[dict[str, object]]]:
    """One call of the simulator's control routes. Raises NotThere."""
    try:
        answer = requests.request(method, f"{settings.SIMULATOR_URL}/control/{path}", json=asked or None, timeout=30)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise NotThere(f"The simulator did not do {method} {path}: {error}") from error
    found: dict[str, list[dict[str, object]]] = answer.json()
    return found


@contextlib.contextmanager
def started(*, say: Say, shipments_a_day: int) -> Iterator[House]:
    """Database, people, simulator, workers and web server, all ended when the block is left, however it is left."""
    folder = Path(os.environ["SHIPCROWD_DEMO_FOLDER"])
    processes = Processes(folder / "logs")
    with _only_one(folder), stopping_on_signals():
        _refuse_ports()
        try:
            say("Starting PostgreSQL and bringing its tables up to date …")
            _bring_tables_up_to_date(folder)
            password = demo_environment.read_secrets(folder)["password"]
            say("Starting the simulated Flipkart, the workers and the web server …")
            make_people(password)
            connection.close()
            _start(processes, folder, shipments_a_day)
            yield House(say, folder, processes, password)
        finally:
            processes.stop()
            connection.close()
            embedded.let_go(folder / "postgres")


def _bring_tables_up_to_date(folder: Path) -> None:
    try:
        call_command("migrate", verbosity=0)
    except (InconsistentMigrationHistory, ProgrammingError) as error:
        raise CannotStart(
            f"What {folder} holds was made by another version of Shipcrowd ({str(error).splitlines()[0]}). "
            "Remove the folder to begin anew, or choose another with --folder."
        ) from error


def _start(processes: Processes, folder: Path, shipments_a_day: int) -> None:
    simulator, web = (urlsplit(str(url)).port or 0 for url in (settings.SIMULATOR_URL, settings.PUBLIC_URL))
    named = [word for seller in SELLERS for word in ("--seller", seller.name)]
    processes.start(
        "simulator",
        *(MANAGE, "simulator", "--port", str(simulator), "--state", str(folder / "simulator.json")),
        *("--day", str(shipments_a_day), "--redirect-uri", f"{settings.PUBLIC_URL}/auth/flipkart/callback", *named),
        # Not as an argument, which everybody on this machine can read.
        environment={"SIMULATOR_PORTAL_SECRET": str(settings.FLIPKART_CLIENT_SECRET)},
    )
    processes.start("workers", MANAGE, "worker")
    processes.start(
        "web server",
        *("-m", "gunicorn", "shipcrowd.wsgi", "--bind", f"{HOST}:{web}"),
        *("--workers", "2", "--threads", "4", "--graceful-timeout", "5"),
    )
    processes.wait_for_port("simulator", simulator)
    processes.wait_for_port("web server", web)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """One demo a folder. The kernel drops the lock at any death, so it is never stale."""
    with (folder / "demo.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            lock.seek(0)
            raise CannotStart(
                f"A demo already runs in {folder} (process {lock.read().strip() or 'unknown'}). "
                "Stop it, or choose another folder with --folder."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _refuse_ports() -> None:
    """Opens each port for a moment, as the programs will: what they cannot have is told here, in a sentence."""
    with contextlib.ExitStack() as opened:
        for url, option in ((settings.PUBLIC_URL, "--port"), (settings.SIMULATOR_URL, "--simulator-port")):
            port = urlsplit(str(url)).port or 0
            try:
                opened.enter_context(socket.create_server((HOST, port)))
            except OSError as error:
                why = "is in use: stop what uses it, or"
                if error.errno != errno.EADDRINUSE:
                    why = f"cannot be opened ({os.strerror(error.errno or 0)}):"
                raise CannotStart(
                    f"Port {port} {why} choose another: manage.py demo {option} {demo_environment.free_port()}"
                ) from None


def make_people(password: str) -> None:
    """Two sellers with an owner each, a packer who works for both, and platform ops; found again at a later start.

    Then each may log in and is what the welcome says, whatever somebody tried out in between: the demo itself comes in
    as the owners, and would find the page of a person who must change the password, or one without its buttons.
    """
    with everyone_scope("the demo makes its people"), transaction.atomic():
        packer = _person(PACKER, password)
        _person(OPS, password, is_ops=True)
        for demo in SELLERS:
            seller, _made = Seller.objects.get_or_create(slug=demo.slug, defaults={"name": demo.name, "is_demo": True})
            for user, role in ((_person(demo.owner, password), Role.OWNER), (packer, Role.STAFF)):
                Member.objects.update_or_create(seller=seller, user=user, defaults={"role": role})


def _person(username: str, password: str, *, is_ops: bool = False) -> User:
    found = User.objects.filter(username=username).first()
    if found is None:
        found = User.objects.create_user(username, password=password)
    elif not found.check_password(password):  # set only then: it ends the sessions of browsers that are logged in
        found.set_password(password)
    found.is_active, found.must_change_password = True, False
    found.is_staff = found.is_superuser = is_ops
    found.save()
    reset(username=username)  # of too many wrong passwords
    return found
