"""What tests of fulfillment may ask for beside the common fixtures."""

import pytest

from sellers.models import Role
from tests import factories


@pytest.fixture(autouse=True)
def documents(settings, tmp_path):
    """Papers go to a folder of the test's own."""
    settings.MEDIA_ROOT = tmp_path / "documents"
    return settings.MEDIA_ROOT


@pytest.fixture
def seller(connected):
    """Connected to an account of the simulator."""
    return connected.seller


@pytest.fixture
def account(connected):
    return connected.account


@pytest.fixture
def packer(seller):
    return factories.member(seller, Role.STAFF)
