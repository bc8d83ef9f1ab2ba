"""Forms that a state wants: a person tells their numbers, and Flipkart packs on."""

import pytest
from django.utils import timezone

from fulfillment import acknowledging
from fulfillment.acknowledging import MayNotAcknowledge
from fulfillment.models import FormAcknowledgement, LabelRequest
from orders.models import Shipment
from sellers.models import WireName
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.factories import as_ops, reload
from tests.fulfillment.test_official import enter_sizes
from tests.fulfillment.warehouse import ask_labels, drain, only, take_in, told, work_on

NUMBERS = {"e-Way Bill": "EWB-1", "Form 38": " 77 "}


@pytest.fixture
def connected(db, flipkart):
    found = factories.connected_seller(flipkart, wire=WireName.OFFICIAL)
    enter_sizes(found.seller)
    return found


@pytest.fixture
def made(connected, flipkart) -> str:
    (made,) = flipkart.world.add_shipments(connected.account, 1)
    for name in NUMBERS:
        flipkart.world.want_form(made, name)
    return made


@pytest.fixture
def shipment(connected, seller, packer, made, clock) -> Shipment:
    """Packing it has failed for want of two forms."""
    (found,) = take_in(seller, [connected.account.shipments[made].official_id])
    ask_labels(seller, [found], packer)
    work_on(clock)
    assert (reload(found).state, only(LabelRequest).attention) == ("FORM_FAILED", Attention.FORM)
    return reload(found)


def tell(seller, shipment, by, numbers=NUMBERS) -> None:
    with seller_scope(seller):
        acknowledging.request(seller=seller, shipment_id=shipment.pk, numbers=numbers, by=by, now=timezone.now())


def test_its_numbers_are_told_and_it_is_packed_and_labelled(connected, seller, shipment, flipkart, made, packer, clock):
    tell(seller, shipment, packer)
    drain()

    assert only(FormAcknowledgement).state == State.DONE
    assert [form.ack_number for form in connected.account.shipments[made].forms] == ["EWB-1", "77"]
    assert (reload(shipment).state, only(LabelRequest).attention) == ("PACKING_IN_PROGRESS", "")
    work_on(clock)

    assert only(LabelRequest).state == State.DONE
    assert flipkart.ledger.attempts_of("generate_labels") == [made]
    assert {"acknowledged: e-Way Bill, Form 38", "acknowledged: Flipkart packs it now"} <= set(told(shipment))
    (entry,) = as_ops(AuditEntry, did="acknowledged forms")
    assert entry.by_id == packer.pk


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "server_error", "truncated", "silent", "partial"])
def test_a_lost_answer_costs_time_and_nothing_else(connected, seller, shipment, flipkart, made, packer, clock, kind):
    flipkart.faults.set("acknowledge_forms", kind)

    tell(seller, shipment, packer)
    work_on(clock, looks=40)

    assert (only(FormAcknowledgement).state, only(LabelRequest).state) == (State.DONE, State.DONE)
    assert [form.ack_number for form in connected.account.shipments[made].forms] == ["EWB-1", "77"]


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"e-Way Bill": "EWB-1"}, "give the number of Form 38"),
        ({"e-Way Bill": " ", "Form 38": "x" * 101}, "give the number of e-Way Bill, Form 38"),
    ],
)
def test_every_form_wants_its_number(seller, shipment, packer, numbers, says):
    with pytest.raises(MayNotAcknowledge, match=says):
        tell(seller, shipment, packer, numbers)

    assert as_ops(FormAcknowledgement) == []


def test_where_none_is_waited_for_nothing_is_told(connected, seller, flipkart, packer):
    (found,) = take_in(
        seller,
        [connected.account.shipments[one].official_id for one in flipkart.world.add_shipments(connected.account, 1)],
    )
    with pytest.raises(MayNotAcknowledge, match="Flipkart does not wait for a form of it"):
        tell(seller, found, packer)


def test_twice_at_once_it_is_told_once(seller, shipment, packer):
    tell(seller, shipment, packer)

    with pytest.raises(MayNotAcknowledge, match="on their way"):
        tell(seller, shipment, packer)


def test_one_that_flipkart_refused_is_told_again_by_the_same_row(connected, seller, shipment, flipkart, packer, clock):
    flipkart.faults.set("acknowledge_forms", "partial", code="INVALID_FORM")
    tell(seller, shipment, packer, {"e-Way Bill": "wrong", "Form 38": "wrong"})
    drain()
    row = only(FormAcknowledgement)
    assert (row.state, row.attention) == (State.REFUSED, Attention.REFUSED)

    tell(seller, shipment, packer)
    work_on(clock)

    assert (only(FormAcknowledgement).pk, only(FormAcknowledgement).state) == (row.pk, State.DONE)
    assert reload(shipment).label_stored_at is not None


def test_where_flipkart_wants_another_form_after_the_first_its_number_is_told_too(
    connected, seller, shipment, flipkart, packer, clock
):
    """The row is done, and the state has a next wish: what a person tells goes out again."""
    tell(seller, shipment, packer)
    drain()
    assert only(FormAcknowledgement).state == State.DONE
    with factories.ops():
        Shipment.objects.filter(pk=shipment.pk).update(state="FORM_FAILED", forms=[{"name": "Form 402"}])

    tell(seller, reload(shipment), packer, {"Form 402": "F-402"})

    row = only(FormAcknowledgement)
    assert (row.state, row.numbers) == (State.DUE, {"Form 402": "F-402"})


def test_another_sellers_shipment_is_not_there(seller, other_seller, packer):
    foreign = factories.shipment(other_seller, state="FORM_FAILED", forms=[{"name": "e-Way Bill"}])

    with pytest.raises(MayNotAcknowledge, match="no such shipment"):
        tell(seller, foreign, packer)
