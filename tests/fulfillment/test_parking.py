"""Cutting the connection: what is on its way is listed, parked, and goes on by a person's retry, once."""

from fulfillment import parking, retrying
from fulfillment.models import Dispatch, LabelRequest
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, State
from tests.factories import as_ops
from tests.fulfillment.warehouse import ask_dispatch, ask_labels, drain, only, states, take_in, work_on


def park(seller, packer) -> int:
    with seller_scope(seller):
        return parking.park(seller, packer)


def retry(seller, rows, packer) -> int:
    with seller_scope(seller):
        return retrying.retry(seller=seller, row_ids=[row.public_id for row in rows], by=packer)


def test_what_is_on_its_way_is_listed_with_its_count(seller, account, flipkart, packer):
    with seller_scope(seller):
        assert parking.open_effects(seller) == []
    ask_labels(seller, take_in(seller, flipkart.world.add_shipments(account, 2)), packer)
    ask_dispatch(seller, take_in(seller, flipkart.world.add_shipments(account, 1, states="PACKED")), packer)

    with seller_scope(seller):
        assert parking.open_effects(seller) == [("label requests", 2), ("dispatch", 1)]


def test_parked_work_is_not_done_and_stands_in_attention(seller, account, flipkart, packer, clock):
    shipments = take_in(seller, flipkart.world.add_shipments(account, 2))
    ask_labels(seller, shipments, packer)

    assert park(seller, packer) == 2
    work_on(clock)

    assert flipkart.ledger.calls_of("generate_labels") == []
    assert {(row.state, row.attention) for row in as_ops(LabelRequest)} == {(State.GIVEN_UP, Attention.PARKED)}
    assert len(as_ops(AuditEntry, did="parked what was on its way to Flipkart")) == 1


def test_a_retry_after_connecting_again_goes_on_where_it_stood(seller, account, flipkart, packer, clock):
    shipments = take_in(seller, flipkart.world.add_shipments(account, 2))
    ask_labels(seller, shipments, packer)
    park(seller, packer)

    assert retry(seller, as_ops(LabelRequest), packer) == 2
    work_on(clock)

    assert states(LabelRequest) == [State.DONE] * 2
    assert len(flipkart.ledger.labels) == 2


def test_what_was_in_doubt_when_it_was_parked_is_read_back_and_not_sent_again(seller, account, flipkart, packer, clock):
    parcels = take_in(seller, flipkart.world.add_shipments(account, 1, states="PACKED"))
    flipkart.faults.set("dispatch", "drop_after")
    ask_dispatch(seller, parcels, packer)
    drain()
    park(seller, packer)
    assert only(Dispatch).in_doubt

    retry(seller, as_ops(Dispatch), packer)
    work_on(clock)

    assert only(Dispatch).state == State.DONE
    assert len(flipkart.ledger.attempts_of("dispatch")) == 1


def test_another_sellers_work_is_not_parked(seller, other_seller, account, flipkart, packer):
    ask_labels(seller, take_in(seller, flipkart.world.add_shipments(account, 1)), packer)

    with seller_scope(other_seller):
        assert parking.open_effects(other_seller) == []
        assert parking.park(other_seller, packer) == 0

    assert states(LabelRequest) == [State.DUE]
