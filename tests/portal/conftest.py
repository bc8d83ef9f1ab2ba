"""People before a browser: logged in as a role of a seller, as a stranger, as platform ops."""

import pytest
from django.test import Client

from sellers.models import Role
from tests import factories
from tests.browsing import logged_in


@pytest.fixture
def owner(seller) -> Client:
    return logged_in(factories.member(seller, Role.OWNER))


@pytest.fixture
def packer(seller) -> Client:
    return logged_in(factories.member(seller, Role.STAFF))


@pytest.fixture
def viewer(seller) -> Client:
    return logged_in(factories.member(seller, Role.VIEWER))


@pytest.fixture
def stranger(other_seller) -> Client:
    return logged_in(factories.member(other_seller, Role.OWNER))


@pytest.fixture
def ops(db) -> Client:
    return logged_in(factories.user(username="ops", is_staff=True))
