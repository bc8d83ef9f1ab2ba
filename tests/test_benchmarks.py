"""What the benchmarks write past the models, in plain SQL, fits the tables as they are now."""

import pytest

from orders.models import Shipment, ShipmentItem
from tests import factories
from tests.benchmarks import lists
from tests.factories import as_ops


@pytest.mark.django_db(transaction=True)
def test_the_history_of_the_lists_benchmark_fits_the_tables():
    seller = factories.seller()
    factories.facility(seller)

    lists.fill_up_to(lists.SELLERS * (lists.OPEN + 40), [seller])

    rows = as_ops(Shipment)
    assert (sum(row.is_open for row in rows), len(rows)) == (lists.OPEN, lists.OPEN + 40)
    assert {row.state for row in rows} == {"APPROVED", "PACKED", "SHIPPED", "CANCELLED"}
    assert len(as_ops(ShipmentItem)) == len(rows)
