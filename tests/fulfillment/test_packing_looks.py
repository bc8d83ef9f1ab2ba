"""Packing is looked at for many shipments by one call, and for none twice in a turn."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.models import LabelRequest
from fulfillment.packing_looks import STILL_SO, Look
from orders.models import Shipment
from sellers.models import WireName
from shipcrowd.work import State
from tests import factories
from tests.fulfillment.test_official import bring, enter_sizes
from tests.fulfillment.warehouse import ask_labels, drain, states, wait, work_on

NOW = datetime(2026, 1, 7, 10, tzinfo=UTC)
moments = st.integers(min_value=-3600, max_value=0).map(lambda seconds: NOW + timedelta(seconds=seconds))


@pytest.fixture
def connected(db, flipkart):
    found = factories.connected_seller(flipkart, wire=WireName.OFFICIAL)
    enter_sizes(found.seller)
    return found


@pytest.mark.slow
def test_sixty_shipments_in_packing_are_one_look(connected, seller, flipkart, packer, clock):
    flipkart.world.take_to_pack(60, 60)
    shipments = bring(connected, flipkart, 60)
    ask_labels(seller, shipments, packer)
    drain()
    before = len(flipkart.ledger.calls_of("shipments"))

    wait(clock, seconds=6)
    drain()

    assert [len(call.ids) for call in flipkart.ledger.calls_of("shipments")[before:]] == [60]
    assert set(states(LabelRequest)) == {State.DUE}

    wait(clock, seconds=60)
    work_on(clock)

    assert states(LabelRequest) == [State.DONE] * 60
    assert len(flipkart.ledger.calls_of("shipments")) == before + 2
    assert len(flipkart.ledger.calls_of("download_labels")) == 3


def test_the_other_sellers_shipments_are_not_read_along(connected, seller, other_seller, flipkart, packer, clock):
    elsewhere = factories.connected_seller(flipkart, wire=WireName.OFFICIAL)
    enter_sizes(elsewhere.seller)
    both = [(connected, packer), (elsewhere, factories.member(elsewhere.seller))]
    for each, by in both:
        ask_labels(each.seller, bring(each, flipkart, 2), by)
    drain()
    before = len(flipkart.ledger.calls_of("shipments"))

    wait(clock, seconds=4)
    drain()

    assert [len(call.ids) for call in flipkart.ledger.calls_of("shipments")[before:]] == [2, 2]


@given(st.sampled_from(["APPROVED", "PACKING_IN_PROGRESS", "PACKED"]), moments, st.none() | moments)
def test_a_look_is_wanted_once_a_turn_and_of_what_goes_on_every_few_seconds(state, due_at, read_at):
    look = Look(Shipment(state=state), due_at, read_at)

    if read_at is None or read_at < due_at:
        assert look.is_wanted(NOW)
    elif state == "PACKED":
        assert not look.is_wanted(NOW)
    else:
        assert look.is_wanted(NOW) is (NOW - read_at > STILL_SO)
