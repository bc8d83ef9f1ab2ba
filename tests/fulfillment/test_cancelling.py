"""Cancelling by the seller: before it is packed, all that is left of a shipment, once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fulfillment import cancelling, parking, retrying
from fulfillment.models import CancelReason, LabelRequest, SellerCancellation
from orders.models import Shipment, ShipmentItem
from orders.outcome import Outcome
from sellers.models import WireName
from shipcrowd.audit.models import AuditEntry
from shipcrowd.simulator import State as Theirs
from shipcrowd.tenancy import NoScope, seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.browsing import logged_in, words
from tests.factories import as_ops, reload
from tests.fulfillment.test_official import bring, enter_sizes, theirs
from tests.fulfillment.warehouse import (
    ask_labels,
    drain,
    keys,
    only,
    read_long_ago,
    states,
    take_in,
    told,
    wait,
    work_on,
)

NO_STOCK = CancelReason.NOT_ENOUGH_INVENTORY


@pytest.fixture
def connected(db, flipkart):
    found = factories.connected_seller(flipkart, facilities=2, wire=WireName.OFFICIAL)
    enter_sizes(found.seller)
    return found


def ask_to_cancel(seller, shipments, by, reason=NO_STOCK, **chosen) -> Outcome:
    with seller_scope(seller):
        return cancelling.request_cancellation(
            seller=seller, shipment_ids=keys(shipments), reason=reason, by=by, now=timezone.now(), **chosen
        )


def parts_of(seller, shipment) -> list[str]:
    with seller_scope(seller):
        return [part.group_id for part in cancelling.parts(seller, shipment.pk)]


def cancelled(flipkart) -> list[str]:
    """By the simulator's own ids, once for each item."""
    return flipkart.ledger.effects_of("cancel")


def test_shipments_are_cancelled_and_read_at_once(connected, seller, flipkart, packer, clock):
    shipments = bring(connected, flipkart, 30, items=2)

    assert ask_to_cancel(seller, shipments, packer).in_words() == "30 on their way"
    work_on(clock)

    assert states(SellerCancellation) == [State.DONE] * 30
    assert {flipkart.world.state_of(theirs(connected, one)) for one in shipments} == {Theirs.CANCELLED}
    assert {row.state for row in as_ops(Shipment)} == {"CANCELLED"}
    assert [len(call.ids) for call in flipkart.ledger.calls_of("cancel")] == [25, 5]
    assert {item.cancelled_by for one in connected.account.shipments.values() for item in one.items} == {"seller"}
    assert "cancelled at Flipkart by us" in told(shipments[0])


def test_who_cancelled_and_why_stands_in_the_audit(connected, seller, flipkart, packer):
    shipments = bring(connected, flipkart, 2)

    ask_to_cancel(seller, shipments, packer)

    (entry,) = as_ops(AuditEntry, did="asked to cancel shipments")
    assert (entry.by_id, entry.row_count, entry.why) == (packer.pk, 2, "not_enough_inventory")


def test_of_a_partly_cancelled_shipment_the_rest_is_cancelled(connected, seller, flipkart, packer, clock):
    (made,) = flipkart.world.add_shipments(connected.account, 1, items=2)
    flipkart.world.cancel_item(made, 1)
    (shipment,) = take_in(seller, [connected.account.shipments[made].official_id])

    ask_to_cancel(seller, [shipment], packer)
    work_on(clock)

    assert only(SellerCancellation).state == State.DONE
    assert [item.cancelled_by for item in connected.account.shipments[made].items] == ["buyer", "seller"]


# --- A part of it ----------------------------------------------------------------------------------------------------


def cancelled_items(connected, shipment) -> list[bool]:
    return [item.is_cancelled for item in connected.account.shipments[theirs(connected, shipment)].items]


def test_a_part_is_cancelled_and_the_rest_is_packed(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart, items=3)
    first, second, _third = parts_of(seller, shipment)

    ask_to_cancel(seller, [shipment], packer, group_ids=[first])
    assert ask_labels(seller, [shipment], packer).left_out[0][0] == "its cancellation was asked for here"
    work_on(clock)
    ask_labels(seller, [shipment], packer)
    work_on(clock)

    assert cancelled_items(connected, shipment) == [True, False, False]
    assert parts_of(seller, shipment)[0] == second
    assert "a part of it cancelled at Flipkart by us" in told(shipment)
    assert only(LabelRequest).state == State.DONE


def test_after_a_part_another_is_cancelled_and_at_last_all_of_it(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart, items=3)

    for _ in range(2):
        ask_to_cancel(seller, [shipment], packer, group_ids=parts_of(seller, shipment)[:1])
        work_on(clock)
    assert cancelled_items(connected, shipment) == [True, True, False]
    ask_to_cancel(seller, [shipment], packer)
    work_on(clock)

    assert states(SellerCancellation) == [State.DONE] * 3
    assert reload(shipment).state == "CANCELLED"


@pytest.mark.parametrize("kind", ["drop_after", "truncated", "silent"])
def test_a_part_whose_answer_was_lost_is_read_back_and_not_sent_twice(connected, seller, flipkart, packer, clock, kind):
    (shipment,) = bring(connected, flipkart, items=2)
    flipkart.faults.set("cancel", kind)

    ask_to_cancel(seller, [shipment], packer, group_ids=parts_of(seller, shipment)[:1])
    work_on(clock)

    assert only(SellerCancellation).state == State.DONE
    assert flipkart.ledger.attempts_of("cancel") == [theirs(connected, shipment)]
    assert cancelled_items(connected, shipment) == [True, False]


def test_what_is_left_is_not_packed_before_a_read_has_shown_what_that_is(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart, items=2)
    ask_to_cancel(seller, [shipment], packer, group_ids=parts_of(seller, shipment)[:1])
    work_on(clock)
    with factories.ops():
        ShipmentItem.objects.update(state_word="APPROVED")

    label = ask_labels(seller, [shipment], packer)

    assert [reason for reason, _ids in label.left_out] == ["its cancellation was asked for here"]


def test_a_part_that_never_arrived_is_sent_again(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart, items=2)
    flipkart.faults.set("cancel", "drop_before")

    ask_to_cancel(seller, [shipment], packer, group_ids=parts_of(seller, shipment)[:1])
    work_on(clock)

    assert only(SellerCancellation).state == State.DONE
    assert cancelled_items(connected, shipment) == [True, False]


def test_a_part_that_the_buyer_cancelled_first_is_done_and_takes_nothing_else_along(
    connected, seller, flipkart, packer, clock
):
    (shipment,) = bring(connected, flipkart, items=2)
    ask_to_cancel(seller, [shipment], packer, group_ids=parts_of(seller, shipment)[:1])
    flipkart.world.cancel_item(theirs(connected, shipment), 1)
    read_long_ago()

    work_on(clock)

    assert only(SellerCancellation).says == "was cancelled at Flipkart already"
    assert cancelled_items(connected, shipment) == [True, False]


def test_the_page_offers_the_parts_of_one_shipment(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart, items=2)
    client, path = logged_in(packer), f"/s/{seller.slug}/cancel/request/"
    chosen = {"shipment": str(shipment.public_id), "confirmed": "1", "reason": "not_enough_inventory"}

    asked = client.post(path, {"shipment": chosen["shipment"]})
    nothing = client.post(path, chosen)
    strange = client.post(path, chosen | {"parts": "no-such-group"})
    assert as_ops(SellerCancellation) == []
    client.post(path, chosen | {"parts": parts_of(seller, shipment)[1]})
    work_on(clock)

    assert asked.content.decode().count('name="parts"') == 2
    assert "Choose what is cancelled." in words(nothing)
    assert "It has changed meanwhile. Look once more." in words(strange)
    assert cancelled_items(connected, shipment) == [False, True]


def test_all_parts_chosen_is_all_that_is_left(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart, items=2)
    chosen = {"shipment": str(shipment.public_id), "confirmed": "1", "reason": "not_enough_inventory"}

    path = f"/s/{seller.slug}/cancel/request/"
    logged_in(packer).post(path, chosen | {"parts": parts_of(seller, shipment)})
    work_on(clock)

    assert only(SellerCancellation).group_ids == []
    assert reload(shipment).state == "CANCELLED"


def test_what_cannot_be_cancelled_is_left_out_with_its_reason(connected, seller, flipkart, packer, clock):
    (fresh,) = bring(connected, flipkart)
    (packed,) = bring(connected, flipkart, states="PACKED")
    (gone,) = bring(connected, flipkart, states="CANCELLED")
    (shipped,) = bring(connected, flipkart, states="SHIPPED")
    (asked,) = bring(connected, flipkart)
    ask_labels(seller, [asked], packer)

    outcome = ask_to_cancel(seller, [fresh, packed, gone, shipped, asked], packer)

    assert outcome.accepted == 1
    assert dict(outcome.left_out) == {
        "packed already: only the buyer can cancel it now": [packed.flipkart_shipment_id],
        "cancelled": [gone.flipkart_shipment_id],
        "already handed over (shipped)": [shipped.flipkart_shipment_id],
        "its label is on its way": [asked.flipkart_shipment_id],
    }


def test_what_is_being_cancelled_is_not_packed(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart)
    flipkart.faults.set("cancel", "drop_before", times=None)
    ask_to_cancel(seller, [shipment], packer)
    drain()

    outcome = ask_labels(seller, [shipment], packer)

    assert outcome.left_out == [("its cancellation was asked for here", [shipment.flipkart_shipment_id])]


def test_a_retried_label_request_looks_whether_it_is_being_cancelled(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart)
    flipkart.faults.set("generate_labels", "partial", code="INVALID_HSN")
    ask_labels(seller, [shipment], packer)
    drain()
    flipkart.faults.set("cancel", "drop_before", times=None)
    assert ask_to_cancel(seller, [shipment], packer).accepted == 1
    with factories.ops():
        LabelRequest.objects.update(state=State.DUE, wake_at=timezone.now(), attention="")

    drain()

    assert only(LabelRequest).says == "its cancellation was asked for here"
    assert flipkart.ledger.labels == []


def test_a_retried_cancellation_looks_whether_its_label_is_under_way(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart)
    flipkart.faults.set("cancel", "partial", code="NOT_NOW")
    ask_to_cancel(seller, [shipment], packer)
    drain()
    flipkart.faults.set("generate_labels", "drop_before", times=None)
    assert ask_labels(seller, [shipment], packer).accepted == 1
    drain()  # the answer is lost: it may be packed
    row = only(SellerCancellation)
    with seller_scope(seller):
        assert retrying.retry(seller=seller, row_ids=[row.public_id], by=packer) == 1

    drain()

    assert (reload(row).state, reload(row).says) == (State.REFUSED, "its label is on its way")
    assert cancelled(flipkart) == []


def test_a_held_or_early_or_kept_back_shipment_may_be_cancelled(connected, seller, flipkart, packer, clock):
    """A short parcel is set aside, and then cancelled."""
    (shipment,) = bring(connected, flipkart)
    with factories.ops():
        Shipment.objects.update(
            set_aside_at=timezone.now(),
            set_aside_reason="short",
            dispatch_after_at=timezone.now() + timedelta(days=1),
        )

    ask_to_cancel(seller, [shipment], packer)
    work_on(clock)

    assert reload(shipment).state == "CANCELLED"


@pytest.mark.parametrize("kind", ["drop_after", "server_error", "truncated", "html", "silent", "contradicting"])
def test_a_lost_answer_is_read_back_and_not_sent_twice(connected, seller, flipkart, packer, clock, kind):
    shipments = bring(connected, flipkart, 3)
    flipkart.faults.set("cancel", kind, **({"effect": True} if kind in ("server_error", "html") else {}))

    ask_to_cancel(seller, shipments, packer)
    work_on(clock)

    assert states(SellerCancellation) == [State.DONE] * 3
    assert sorted(flipkart.ledger.attempts_of("cancel")) == sorted(theirs(connected, one) for one in shipments)


def test_what_never_arrived_is_sent_again(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart)
    flipkart.faults.set("cancel", "drop_before")

    ask_to_cancel(seller, [shipment], packer)
    work_on(clock)

    assert only(SellerCancellation).state == State.DONE
    assert flipkart.ledger.attempts_of("cancel") == [theirs(connected, shipment)]


def test_what_the_buyer_cancelled_first_is_done(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart)
    flipkart.world.cancel(theirs(connected, shipment))

    ask_to_cancel(seller, [shipment], packer)
    work_on(clock)

    assert only(SellerCancellation).state == State.DONE
    assert reload(shipment).state == "CANCELLED"


def test_what_was_packed_meanwhile_is_not_cancelled_and_a_person_is_told(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart)
    ask_to_cancel(seller, [shipment], packer)
    flipkart.world.pack_outside(theirs(connected, shipment))

    work_on(clock, looks=40)

    row = only(SellerCancellation)
    assert (row.state, row.attention) == (State.REFUSED, Attention.REFUSED)
    assert row.says == "packed already: only the buyer can cancel it now"
    assert cancelled(flipkart) == []


def test_what_was_read_long_ago_is_read_before_it_is_cancelled(connected, seller, flipkart, packer, clock):
    (shipment,) = bring(connected, flipkart)
    flipkart.world.pack_outside(theirs(connected, shipment))
    ask_to_cancel(seller, [shipment], packer)
    read_long_ago()

    drain()

    assert only(SellerCancellation).says == "packed already: only the buyer can cancel it now"
    assert flipkart.ledger.attempts_of("cancel") == []


def test_pressed_twice_it_is_asked_once_and_refused_it_is_taken_up_by_the_same_row(
    connected, seller, flipkart, packer, clock
):
    (shipment,) = bring(connected, flipkart)
    flipkart.faults.set("cancel", "partial", code="EMPTY_OR_INVALID_REASON_FOR_CANCELLATION")
    ask_to_cancel(seller, [shipment], packer)
    assert ask_to_cancel(seller, [shipment], packer).in_words() == "0 on their way; 1 already on its way"
    drain()
    row = only(SellerCancellation)
    assert row.says.startswith("Flipkart does not accept this reason")

    ask_to_cancel(seller, [shipment], packer, CancelReason.B2B_ORDER)
    work_on(clock)

    again = only(SellerCancellation)
    assert (again.pk, again.state, again.reason) == (row.pk, State.DONE, "b2b_order")


def test_what_was_cancelled_here_is_neither_cancelled_again_nor_packed_though_no_read_has_shown_it(
    connected, seller, flipkart, packer, clock
):
    (shipment,) = bring(connected, flipkart)
    ask_to_cancel(seller, [shipment], packer)
    work_on(clock)
    with factories.ops():
        Shipment.objects.filter(pk=shipment.pk).update(state="APPROVED")
    shipment = reload(shipment)

    again, label = ask_to_cancel(seller, [shipment], packer), ask_labels(seller, [shipment], packer)

    assert (again.accepted, again.left_out) == (0, [("done already", [shipment.flipkart_shipment_id])])
    assert [reason for reason, _ids in label.left_out] == ["its cancellation was asked for here"]


def test_a_format_that_cannot_cancel_says_so(flipkart, db, seller, packer):
    old = factories.connected_seller(flipkart)
    shipment = factories.shipment(old.seller)
    by = factories.member(old.seller)

    outcome = ask_to_cancel(old.seller, [shipment], by)

    assert [reason for reason, _ids in outcome.left_out] == [
        "this connection's format of Flipkart's cannot cancel: do it in Flipkart's own panel"
    ]
    assert as_ops(SellerCancellation) == []


def test_it_needs_the_sellers_scope_and_does_not_touch_anothers(connected, seller, other_seller, packer):
    foreign = factories.shipment(other_seller)

    assert ask_to_cancel(seller, [foreign], packer).in_words() == "0 on their way"
    with pytest.raises(NoScope):
        cancelling.request_cancellation(
            seller=seller, shipment_ids=[foreign.pk], reason=NO_STOCK, by=packer, now=timezone.now()
        )
    assert as_ops(SellerCancellation) == []


def test_a_cut_connection_parks_it(connected, seller, flipkart, packer, clock):
    ask_to_cancel(seller, bring(connected, flipkart, 2), packer)

    with seller_scope(seller):
        assert parking.open_effects(seller) == [("cancellations", 2)]
        assert parking.park(seller, packer) == 2
    work_on(clock)

    assert cancelled(flipkart) == []
    assert {row.attention for row in as_ops(SellerCancellation)} == {Attention.PARKED}


def test_sending_switched_off_keeps_what_was_asked(connected, seller, flipkart, packer, clock, settings):
    settings.SENDING = False
    (shipment,) = bring(connected, flipkart)

    outcome = ask_to_cancel(seller, [shipment], packer)
    drain()
    assert outcome.in_words() == "1 on their way; sending is switched off: they wait"
    assert cancelled(flipkart) == []

    settings.SENDING = True
    wait(clock, seconds=60)
    work_on(clock)
    assert [item.state_word for item in as_ops(ShipmentItem)] == ["CANCELLED"]
