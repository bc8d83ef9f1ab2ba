"""The stages shut each other out, leave nothing over, and mean the same in the database and out of it."""

import itertools
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders import stages
from orders.models import Order, Shipment
from orders.stages import Stage, counts, in_stage, stage_of
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import NoScope, seller_scope
from tests import factories

NOW = timezone.now()
BEFORE, AFTER = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("stage", "facts"),
    [
        (Stage.UPCOMING, {"dispatch_after_at": AFTER}),
        (Stage.TO_LABEL, {}),
        (Stage.TO_LABEL, {"dispatch_after_at": None}),
        (Stage.TO_LABEL, {"label_requested_at": BEFORE}),
        (Stage.TO_LABEL, {"state": State.PACKING_IN_PROGRESS}),
        (Stage.TO_LABEL, {"state": State.PACKED, "label_requested_at": BEFORE}),
        (Stage.TO_PRINT, {"state": State.PACKED, "label_stored_at": BEFORE}),
        (Stage.TO_PRINT, {"state": State.APPROVED, "label_stored_at": BEFORE}),
        (Stage.TO_PRINT, {"state": State.PACKED, "labelled_outside": True}),
        (Stage.TO_DISPATCH, {"state": State.PACKED, "label_stored_at": BEFORE, "printed_at": BEFORE}),
        (Stage.TO_DISPATCH, {"state": State.PACKED, "labelled_outside": True, "packed_at_bench_at": BEFORE}),
        (Stage.AWAITING_PICKUP, {"state": State.READY_TO_DISPATCH, "label_stored_at": BEFORE}),
        (Stage.TO_LABEL, {"state": State.READY_TO_DISPATCH, "pulled_at": BEFORE}),
        (Stage.TO_PRINT, {"state": State.READY_TO_DISPATCH, "pulled_at": BEFORE, "label_stored_at": NOW}),
        (Stage.AWAITING_PICKUP, {"state": State.READY_TO_DISPATCH, "pulled_at": BEFORE, "printed_at": NOW}),
        (Stage.AWAITING_PICKUP, {"state": State.PICKUP_COMPLETE, "pulled_at": BEFORE, "label_stored_at": NOW}),
        (Stage.ON_HOLD, {"is_on_hold": True}),
        (Stage.ON_HOLD, {"is_on_hold": True, "state": State.READY_TO_DISPATCH}),
        (Stage.SET_ASIDE, {"set_aside_at": BEFORE}),
        (Stage.SET_ASIDE, {"set_aside_at": BEFORE, "is_on_hold": True, "state": State.PACKED, "printed_at": BEFORE}),
        (Stage.SET_ASIDE, {"set_aside_at": BEFORE, "state": State.READY_TO_DISPATCH}),
        (Stage.ATTENTION, {"set_aside_at": BEFORE, "attention": "pull"}),
        (Stage.CANCELLED, {"set_aside_at": BEFORE, "state": State.CANCELLED}),
        (Stage.ATTENTION, {"attention": "pull", "state": State.CANCELLED}),
        (Stage.ATTENTION, {"attention": "late", "is_on_hold": True}),
        (Stage.ATTENTION, {"state": State.UNKNOWN}),
        (Stage.HANDED_OVER, {"state": State.SHIPPED, "labelled_outside": True}),
        (Stage.HANDED_OVER, {"state": State.DELIVERED, "is_on_hold": True}),
        (Stage.CANCELLED, {"state": State.CANCELLED, "label_requested_at": BEFORE}),
    ],
)
def test_a_shipment_stands_where_a_person_would_look_for_it(seller, stage, facts):
    row = factories.shipment(seller, **facts)

    with seller_scope(seller):
        assert stage_of(row, NOW) is stage
        assert [one for one in Stage if in_stage(Shipment.objects.all(), one, NOW).exists()] == [stage]


def every_kind(seller) -> list[Shipment]:
    """One shipment for each way the columns can stand."""
    order = Order.objects.create(seller=seller, flipkart_order_id="OD1")
    ways = itertools.product(
        *(State, (False, True), (None, BEFORE, AFTER), (None, BEFORE), (False, True), (None, BEFORE), ("", "pull")),
        *((None, BEFORE), (None, BEFORE)),
    )
    return Shipment.objects.bulk_create(
        Shipment(
            seller=seller,
            order=order,
            flipkart_shipment_id=f"S{number}",
            flipkart_order_id="OD1",
            ordered_at=BEFORE,
            read_began_at=BEFORE,
            state=state,
            state_word=state,
            is_on_hold=held,
            dispatch_after_at=after,
            label_stored_at=stored,
            labelled_outside=outside,
            printed_at=printed,
            attention=attention,
            set_aside_at=aside,
            pulled_at=pulled,
        )
        for number, (state, held, after, stored, outside, printed, attention, aside, pulled) in enumerate(ways)
    )


@pytest.mark.slow
def test_every_shipment_stands_in_one_stage_the_same_one_everywhere(seller):
    with seller_scope(seller):
        rows = every_kind(seller)
        found = {
            stage: set(in_stage(Shipment.objects.all(), stage, NOW).values_list("pk", flat=True)) for stage in Stage
        }
        expected = {stage: {row.pk for row in rows if stage_of(row, NOW) is stage} for stage in Stage}

        assert found == expected
        assert sum(map(len, found.values())) == len(rows)
        assert counts(seller, NOW) == {stage: len(keys) for stage, keys in found.items()}


def test_counts_are_one_statement_and_cap_what_has_left(seller, other_seller, monkeypatch):
    monkeypatch.setattr(stages, "CAPPED_AT", 3)
    place = factories.facility(seller)
    for _ in range(4):
        factories.shipment(seller, state=State.SHIPPED)
    for _ in range(3):
        factories.shipment(seller, state=State.CANCELLED)
    factories.shipment(seller, facility=place)
    factories.shipment(seller)
    factories.shipment(other_seller)

    with seller_scope(seller), CaptureQueriesContext(connection) as queries:
        found = counts(seller, NOW)
        at_place = counts(seller, NOW, facilities=[place.pk])

    assert (found[Stage.HANDED_OVER], found[Stage.CANCELLED], found[Stage.TO_LABEL]) == ("3+", 3, 2)
    assert (at_place[Stage.HANDED_OVER], at_place[Stage.TO_LABEL]) == (0, 1)
    assert len(queries) == 2


def test_counting_needs_a_scope(seller):
    with pytest.raises(NoScope):
        counts(seller, NOW)
