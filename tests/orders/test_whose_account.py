"""On Flipkart's consent page anybody may choose another seller's account: nothing of it is stored here."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from orders import looking_up, polling
from orders.models import Buyer, Order, Reading, Shipment, TimelineEntry, Unreadable
from orders.reading import read_again
from sellers.connecting import disconnect
from sellers.models import Connection, Facility, Member, Role, Seller, Standing
from shipcrowd import transport
from shipcrowd.simulator import Simulator, mounted
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.browsing import logged_in, words
from tests.conftest import SIMULATOR, Clock
from tests.factories import as_ops, reload, run_due_work
from tests.overheard import OVERHEARD

TAKEN = "This Flipkart account is already connected to another seller here."
WHAT_WALKS_STORE = (Facility, Order, Shipment, Buyer, Reading, TimelineEntry, Unreadable)


@pytest.fixture
def flipkart(clock: Clock, settings) -> Iterator[Simulator]:
    """It knows the portal's own application."""
    callback = f"{settings.PUBLIC_URL}/auth/flipkart/callback"
    simulator = Simulator(clock=clock, portal_secret=settings.FLIPKART_CLIENT_SECRET, redirect_uris=[callback])
    transport.mount(SIMULATOR, mounted(simulator))
    yield simulator
    transport.mount(SIMULATOR, None)
    OVERHEARD.plant(simulator)


@pytest.fixture(params=["guide", "official"])
def wire(request, settings) -> str:
    settings.FLIPKART_WIRE = request.param
    settings.QUOTA_BURST = 1000  # several walks at once
    return request.param


def connect(browser: Client, seller: Seller, flipkart: Simulator, account) -> None:
    """Presses Connect and chooses `account` on the consent page; then the workers do what is due."""
    answer = browser.post(f"/s/{seller.slug}/connect/")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}
    code = flipkart.oauth.allow(account.account_id, asked["redirect_uri"], asked["state"])
    assert browser.get("/auth/flipkart/callback", {"code": code, "state": asked["state"]}).status_code == 302
    run_due_work()


def cut(seller: Seller) -> None:
    with seller_scope(seller):
        disconnect(seller=seller, by=Member.objects.get().user)


def fall_asunder(seller: Seller) -> None:
    """Flipkart has ended the consent."""
    with seller_scope(seller):
        Connection.objects.update(standing=Standing.RECONNECT, says="The grant is gone.")


def poll(seller: Seller) -> None:
    with seller_scope(seller):
        assert polling.poll_now(seller) == ""
    run_due_work()


def stored(seller: Seller) -> list[list]:
    """All that came from Flipkart, by key; times of reading change, and keys do not."""
    return [[row.pk for row in as_ops(model, seller=seller)] for model in WHAT_WALKS_STORE]


def line(seller: Seller) -> Connection:
    (row,) = as_ops(Connection, seller=seller)
    return row


def ids(seller: Seller, account) -> set[str]:
    """By the simulator's own ids."""
    return {
        account.by_official_id[one].shipment_id if one in account.by_official_id else one
        for one in (row.flipkart_shipment_id for row in as_ops(Shipment, seller=seller))
    }


@pytest.fixture
def mine(db, flipkart, wire):
    """Seller and account of who will choose wrongly, with two shipments read."""
    seller, account = factories.seller(), flipkart.world.add_seller("Asha Textiles")
    flipkart.world.add_shipments(account, 2)
    connect(logged_in(factories.member(seller, Role.OWNER)), seller, flipkart, account)
    return seller, account


@pytest.fixture
def theirs(mine, flipkart):
    """Another seller and its account of two places, connected later, all of it read."""
    seller, account = factories.seller(), flipkart.world.add_seller("Bhiwandi Books", facilities=2)
    flipkart.world.add_shipments(account, 6)
    flipkart.world.add_shipments(account, 2, held=True)
    connect(logged_in(factories.member(seller, Role.OWNER)), seller, flipkart, account)
    assert len(ids(seller, account)) == 8
    return seller, account


@pytest.fixture
def owner(mine) -> Client:
    (member,) = as_ops(Member, seller=mine[0])
    return logged_in(member.user)


@pytest.mark.parametrize("lose", [cut, fall_asunder])
def test_choosing_another_sellers_account_stores_nothing_of_it_and_stops_with_a_sentence(
    mine, theirs, owner, flipkart, clock, lose
):
    (seller, account), (other, their_account) = mine, theirs
    lose(seller)
    before = stored(seller)

    connect(owner, seller, flipkart, their_account)

    assert stored(seller) == before
    assert (line(seller).standing, line(other).standing) == (Standing.RECONNECT, Standing.CONNECTED)
    assert line(seller).says.startswith(TAKEN)
    for page in ("", "attention/", "connection/"):
        assert TAKEN in words(owner.get(f"/s/{seller.slug}/{page}"))

    (new,) = flipkart.world.add_shipments(their_account, 1, ordered_at=clock.now, approved_at=clock.now)
    poll(other)
    assert new in ids(other, their_account)

    (own,) = flipkart.world.add_shipments(account, 1)
    connect(owner, seller, flipkart, account)
    assert line(seller).is_connected
    assert ids(seller, account) == set(account.shipments)
    assert own in account.shipments
    assert {row.seller_id for row in as_ops(Facility)} == {seller.pk, other.pk}
    assert len(as_ops(Facility, seller=seller)) == 1


def test_renewing_with_the_same_account_goes_on_as_before(mine, theirs, owner, flipkart):
    seller, account = mine
    fall_asunder(seller)
    before = stored(seller)

    connect(owner, seller, flipkart, account)

    assert line(seller).is_connected
    assert stored(seller) == before


def test_another_account_that_nobody_else_has_is_taken_in(mine, owner, flipkart):
    seller, _account = mine
    cut(seller)
    fresh = flipkart.world.add_seller("Chandni Crafts")
    made = flipkart.world.add_shipments(fresh, 2)

    connect(owner, seller, flipkart, fresh)

    assert line(seller).is_connected
    assert set(made) <= ids(seller, fresh)


def test_an_account_that_another_seller_has_left_is_free(mine, theirs, owner, flipkart):
    (seller, _), (other, their_account) = mine, theirs
    cut(seller)
    cut(other)

    connect(owner, seller, flipkart, their_account)

    assert line(seller).is_connected
    assert set(their_account.shipments) <= ids(seller, their_account)


def test_who_comes_back_to_an_account_that_somebody_took_meanwhile_reads_nothing_more_of_it(mine, owner, flipkart):
    """Its places are known here from before."""
    seller, account = mine
    cut(seller)
    other = factories.seller()
    connect(logged_in(factories.member(other, Role.OWNER)), other, flipkart, account)
    flipkart.world.add_shipments(account, 1)
    before = stored(seller)

    connect(owner, seller, flipkart, account)

    assert stored(seller) == before
    assert line(seller).says.startswith(TAKEN)
    assert line(other).is_connected


@pytest.fixture
def at_theirs(mine, theirs) -> str:
    """The id of a shipment of theirs, which my line to Flipkart gives out, though no walk has been there yet."""
    with seller_scope(theirs[0]):
        their_line = Connection.objects.get()
    with seller_scope(mine[0]):
        my_line = Connection.objects.get()
        my_line.access_token, my_line.refresh_token = their_line.access_token, their_line.refresh_token
        my_line.save()
    return as_ops(Shipment, seller=theirs[0])[0].flipkart_shipment_id


def test_a_shipment_read_by_its_id_is_not_stored_from_another_sellers_account(mine, at_theirs):
    seller, _account = mine
    with seller_scope(seller):
        known = Shipment.objects.order_by("pk")[0]
        Shipment.objects.filter(pk=known.pk).update(flipkart_shipment_id=at_theirs)  # as an older version stored it
        known.refresh_from_db()
    before = stored(seller)

    again = read_again(seller_id=seller.pk, shipments=[known])

    assert "another seller" in str(again.failed)
    assert stored(seller) == before
    assert line(seller).says.startswith(TAKEN)


def test_an_id_that_is_looked_up_is_not_stored_from_another_sellers_account(mine, at_theirs):
    seller, _account = mine
    before = stored(seller)
    with seller_scope(seller):
        asked = looking_up.ask(seller=seller, flipkart_shipment_id=at_theirs, by=Member.objects.get().user)

    looking_up.work_due(seller_id=seller.pk)

    assert stored(seller) == before
    assert line(seller).says.startswith(TAKEN)
    assert (reload(asked).state, "another seller" in reload(asked).says) == ("done", True)
