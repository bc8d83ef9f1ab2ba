"""What every test may ask for: sellers, a Flipkart to talk to, and reading past the fence."""

import logging
import secrets
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from sellers.models import Seller
from shipcrowd import transport
from shipcrowd.simulator import Simulator, mounted
from tests import factories
from tests.factories import ConnectedSeller
from tests.overheard import OVERHEARD

SIMULATOR = "http://simulator.test"
# What the driver throws when it meets a page that is going, or a browser that is starved of its machine: the test is
# run once more, and says so (RERUN in the summary). An assertion that fails is not tried again.
THROWN_BY_THE_DRIVER = ["WebDriverException", "StaleElementReferenceException", "TimeoutException"]


def pytest_configure(config: pytest.Config) -> None:
    logging.getLogger().addHandler(OVERHEARD)
    logging.getLogger().setLevel(logging.DEBUG)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests begin first: they mostly wait, and at the end one process would wait for them alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=THROWN_BY_THE_DRIVER))


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No token, secret, phone or name of the test's simulator stands in anything that it logged (trust 66).

    Nor does what was drawn by chance as text: the state of a consent and the link of an invitation, of which only a
    digest is kept.
    """
    OVERHEARD.begin()
    monkeypatch.setattr(secrets, "token_urlsafe", OVERHEARD.plant_each(secrets.token_urlsafe))
    yield
    assert OVERHEARD.spoken() == set()


class Clock:
    """Time that moves only when a test says so."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def __call__(self):
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flipkart(clock: Clock) -> Iterator[Simulator]:
    """The simulator, mounted in place of the network."""
    simulator = Simulator(clock=clock)
    transport.mount(SIMULATOR, mounted(simulator))
    yield simulator
    transport.mount(SIMULATOR, None)
    OVERHEARD.plant(simulator)


@pytest.fixture
def seller(db) -> Seller:
    return factories.seller()


@pytest.fixture
def other_seller(db) -> Seller:
    return factories.seller()


@pytest.fixture
def connected(db, flipkart: Simulator) -> ConnectedSeller:
    """A seller connected to an account of the simulator: `.seller` and `.account`."""
    return factories.connected_seller(flipkart)
