"""A row of Flipkart's without a readable id stays in sight as long as it comes, and no longer."""

from datetime import timedelta

from django.utils import timezone

from orders import polling
from orders.models import PollCursor, Unreadable
from orders.tasks import poll
from shipcrowd.tenancy import seller_scope
from tests import factories
from tests.factories import as_ops


def walk_all_that_is_open(connected) -> None:
    """The daily walk, to its end."""
    with seller_scope(connected.seller):
        PollCursor.objects.update(last_full_at=timezone.now() - timedelta(days=1))
    factories.wake(PollCursor)
    while poll(seller_id=connected.seller.pk):
        pass


def test_a_row_without_an_id_is_forgotten_once_a_whole_walk_did_not_meet_it(connected, flipkart):
    flipkart.world.add_shipments(connected.account, 3)
    with seller_scope(connected.seller):
        polling.start_polling(connected.seller, connected.connection)
    flipkart.faults.set("search", "missing_field", times=2, field="shipmentId", row=0)

    walk_all_that_is_open(connected)
    first = as_ops(Unreadable)
    walk_all_that_is_open(connected)
    still = as_ops(Unreadable)
    walk_all_that_is_open(connected)

    assert [hole.flipkart_shipment_id for hole in first] == [""]
    assert [hole.pk for hole in still] == [hole.pk for hole in first]
    assert as_ops(Unreadable) == []
