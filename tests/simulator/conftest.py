"""A simulator with a clock that stands still, one seller account and somebody who calls it through `requests`."""

import pytest

from shipcrowd.simulator import Account, Simulator
from tests.simulator.calling import Caller, StandingClock


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def simulator(clock: StandingClock) -> Simulator:
    return Simulator(clock=clock, seed=7)


@pytest.fixture
def account(simulator: Simulator) -> Account:
    return simulator.world.add_seller("Asha Textiles", facilities=2)


@pytest.fixture
def caller(simulator: Simulator, account: Account) -> Caller:
    return Caller(simulator, account)
