"""The sellers app alone, and a Flipkart that knows the portal's application."""

from collections.abc import Iterator

import pytest

from shipcrowd import transport
from shipcrowd.simulator import Simulator, mounted
from tests.conftest import SIMULATOR, Clock
from tests.overheard import OVERHEARD
from tests.sellers import hooks


@pytest.fixture(autouse=True)
def told(settings) -> Iterator[object]:
    """What the apps above were told: `connected`, `parked`, and `on_their_way` to be listed."""
    settings.ON_CONNECTED = ["tests.sellers.hooks.start_polling"]
    settings.ON_DISCONNECT = ["tests.sellers.hooks"]
    yield hooks
    for noted in (hooks.connected, hooks.parked, hooks.on_their_way):
        noted.clear()


@pytest.fixture
def flipkart(clock: Clock, settings) -> Iterator[Simulator]:
    simulator = Simulator(
        clock=clock,
        portal_secret=settings.FLIPKART_CLIENT_SECRET,
        redirect_uris=[f"{settings.PUBLIC_URL}/auth/flipkart/callback"],
    )
    transport.mount(SIMULATOR, mounted(simulator))
    yield simulator
    transport.mount(SIMULATOR, None)
    OVERHEARD.plant(simulator)


@pytest.fixture
def shipment_id(connected, flipkart: Simulator) -> str:
    """Of a shipment that the connected seller may read at Flipkart."""
    return flipkart.world.add_shipments(connected.account, 1)[0]
