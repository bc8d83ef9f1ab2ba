"""A parcel that must not leave stays in attention until somebody has it in hands; then it goes on as it should."""

from uuid import uuid4

import pytest
from django.utils import timezone

from fulfillment import print_work, pulling
from fulfillment.models import Document, LabelRequest, PrintJob, PrintJobLine, Step
from fulfillment.pulling import Answer
from orders.models import Shipment
from orders.rules import in_indian_words
from orders.stages import Stage, ready_for_courier, stage_of
from sellers.models import Role
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import NoScope, seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.browsing import logged_in, statements, words
from tests.factories import as_ops, reload
from tests.fulfillment.warehouse import (
    ask_dispatch,
    ask_labels,
    ask_print,
    drain,
    only,
    papers,
    take_in,
    told,
    work_on,
)

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def printed(seller, account, flipkart, packer, clock) -> list[Shipment]:
    """Three parcels whose labels are printed."""
    ask_labels(seller, take_in(seller, flipkart.world.add_shipments(account, 3)), packer)
    work_on(clock)
    ask_print(seller, as_ops(Shipment, seller=seller), packer)
    drain()
    return as_ops(Shipment, seller=seller)


def change_quantity(flipkart, seller, shipment: Shipment, quantity: int) -> Shipment:
    flipkart.world.find(shipment.flipkart_shipment_id)[1].items[0].quantity = quantity
    return take_in(seller, [shipment.flipkart_shipment_id])[0]


def cancel(flipkart, seller, shipment: Shipment) -> Shipment:
    flipkart.world.cancel(shipment.flipkart_shipment_id)
    return take_in(seller, [shipment.flipkart_shipment_id])[0]


def scan(seller, scanned: str, by) -> Answer:
    with seller_scope(seller):
        return pulling.pull(seller=seller, scanned=scanned, by=by, now=timezone.now())


def waits_for_courier(seller) -> list[str]:
    with seller_scope(seller):
        waiting = Shipment.objects.filter(ready_for_courier(timezone.now()), seller=seller)
        return list(waiting.order_by("pk").values_list("tracking_id", flat=True))


def test_a_cancelled_parcel_is_in_attention_until_its_barcode_is_scanned(seller, printed, flipkart, packer):
    gone = cancel(flipkart, seller, printed[0])
    assert gone.attention == Attention.PULL

    answer = scan(seller, gone.tracking_id, packer)

    pulled = reload(gone)
    assert (answer.tone, answer.says) == ("good", "pulled: it stays here (cancelled after its label)")
    assert (pulled.attention, pulled.printed_at) == ("", None)
    assert stage_of(pulled, timezone.now()) is Stage.CANCELLED
    assert told(pulled)[-1] == "pulled out of the stack"
    assert all(paper.voided_at for paper in papers(pulled))
    assert only(LabelRequest, shipment=pulled).state == State.DONE
    assert [entry.by_id for entry in as_ops(AuditEntry, did="pulled a parcel")] == [packer.pk]


def test_a_parcel_whose_quantity_changed_gets_its_papers_anew_by_the_same_row(seller, printed, flipkart, packer, clock):
    changed = change_quantity(flipkart, seller, printed[0], 2)
    assert changed.attention_says == "its items changed since its label"

    answer = scan(seller, changed.tracking_id, packer)

    row = only(LabelRequest, shipment=changed)
    assert answer.says.startswith("pulled: its label is fetched anew")
    assert (row.state, row.step) == (State.DUE, Step.FETCH)
    waiting = reload(changed)
    assert (waiting.attention, waiting.label_stored_at, waiting.printed_at) == ("", None, None)
    work_on(clock)
    assert only(LabelRequest, shipment=changed).state == State.DONE
    assert stage_of(reload(changed), timezone.now()) is Stage.TO_PRINT
    versions = [(paper.paper, paper.version, paper.voided_at is None) for paper in papers(changed)]
    assert sorted(versions) == [
        *(("invoice", 1, False), ("invoice", 2, True)),
        *(("label", 1, False), ("label", 2, True)),
        *(("manifest", 1, False), ("manifest", 2, True)),
    ]
    assert len(flipkart.ledger.attempts_of("generate_labels")) == 3


def test_papers_that_a_worker_is_just_fetching_are_fetched_once_more(seller, printed, flipkart, packer, clock):
    """It waits for the invoice, say, while the label is stored: what it brings may be of before the change."""
    changed = change_quantity(flipkart, seller, printed[0], 2)
    with factories.ops():
        LabelRequest.objects.filter(shipment=changed).update(state=State.CLAIMED, claim_token=uuid4())

    scan(seller, changed.tracking_id, packer)
    work_on(clock)

    assert only(LabelRequest, shipment=changed).state == State.DONE
    assert reload(changed).label_stored_at is not None


def test_the_newer_label_is_the_one_that_is_printed(seller, printed, flipkart, packer, clock):
    changed = change_quantity(flipkart, seller, printed[0], 2)
    scan(seller, changed.tracking_id, packer)
    work_on(clock)

    job = ask_print(seller, [changed], packer)
    drain()

    (line,) = as_ops(PrintJobLine, job=job)
    assert only(Document, pk=line.document_id).version == 2


def test_a_void_label_is_not_printed_while_the_new_one_has_not_come(seller, printed, flipkart, packer):
    changed = change_quantity(flipkart, seller, printed[0], 2)
    scan(seller, changed.tracking_id, packer)

    job = ask_print(seller, [changed], packer)
    print_work.work_due(seller_id=seller.pk)  # before the label has its own turn

    assert reload(job).says == "0 labels; 1 left out"


def test_a_ready_parcel_that_was_pulled_leaves_only_with_its_new_label_on_it(seller, printed, flipkart, packer, clock):
    ask_dispatch(seller, printed, packer)
    work_on(clock)
    changed = change_quantity(flipkart, seller, printed[0], 2)
    others = [shipment.tracking_id for shipment in printed[1:]]

    scan(seller, changed.tracking_id, packer)
    pulled = (stage_of(reload(changed), timezone.now()), waits_for_courier(seller))
    work_on(clock)
    labelled = (stage_of(reload(changed), timezone.now()), waits_for_courier(seller))
    ask_print(seller, [changed], packer)
    drain()
    reprinted = (stage_of(reload(changed), timezone.now()), waits_for_courier(seller))

    assert pulled == (Stage.TO_LABEL, others)
    assert labelled == (Stage.TO_PRINT, others)
    assert reprinted == (Stage.AWAITING_PICKUP, [changed.tracking_id, *others])


def test_what_must_be_pulled_is_refused_at_dispatch_and_print(seller, printed, flipkart, packer):
    changed = change_quantity(flipkart, seller, printed[0], 2)
    words_ = "must be pulled: its items changed since its label"

    assert ask_dispatch(seller, [changed], packer).left_out == [(words_, [changed.flipkart_shipment_id])]
    job = ask_print(seller, [changed], packer)
    drain()

    assert reload(job).says == "0 labels; 1 left out"
    assert flipkart.ledger.dispatches == []


def test_one_that_was_packed_outside_gets_a_row_that_fetches_its_papers(seller, account, flipkart, packer, clock):
    (outside,) = take_in(seller, flipkart.world.add_shipments(account, 1, states="PACKED"))
    assert outside.labelled_outside
    changed = change_quantity(flipkart, seller, outside, 3)
    assert changed.attention == Attention.PULL

    scan(seller, changed.tracking_id, packer)
    work_on(clock)

    assert only(LabelRequest, shipment=changed).state == State.DONE
    assert reload(changed).label_stored_at is not None
    assert flipkart.ledger.attempts_of("generate_labels") == []


@pytest.mark.parametrize(
    "form", ["{tracking_id}", "{flipkart_shipment_id}", "{flipkart_order_id}", "{tracking_id},OD9,560001,COD,849.00"]
)
def test_any_id_of_the_parcel_is_understood_in_any_case(seller, printed, flipkart, packer, form):
    gone = cancel(flipkart, seller, printed[0])

    answer = scan(seller, f" {form.format(**vars(gone)).lower()} ", packer)

    assert (answer.tone, answer.shipment.pk) == ("good", gone.pk)


def test_a_second_scan_says_who_pulled_it(seller, printed, flipkart, packer):
    gone = cancel(flipkart, seller, printed[0])
    scan(seller, gone.tracking_id, packer)

    answer = scan(seller, gone.tracking_id, packer)

    assert answer.tone == "note"
    assert answer.says.startswith("pulled already, ")
    assert answer.says.endswith(f" by {packer.username}")
    assert told(gone).count("pulled out of the stack") == 1


def test_a_parcel_that_may_leave_is_said_to_need_no_pulling(seller, printed, packer):
    answer = scan(seller, printed[0].tracking_id, packer)

    assert (answer.tone, answer.says) == ("warn", "needs no pulling: put it back into its stack")
    assert reload(printed[0]).printed_at is not None


@pytest.mark.parametrize("scanned", ["FMPP0000000000", "x", "\0", "FMPP", "' or 1=1 --"])
def test_what_is_no_parcel_of_the_seller_is_said(seller, printed, packer, scanned):
    assert scan(seller, scanned, packer).tone == "bad"


def test_another_sellers_parcel_is_no_parcel_here(seller, other_seller, packer):
    theirs = factories.shipment(other_seller, tracking_id="FMPP2600009999", attention="pull")

    assert scan(seller, "FMPP2600009999", packer).tone == "bad"
    assert reload(theirs).attention == Attention.PULL


def test_of_an_order_with_two_parcels_to_pull_the_barcode_is_wanted(seller, packer):
    for number in (1, 2):
        factories.shipment(seller, flipkart_order_id="OD1", tracking_id=f"FMPP260000000{number}", attention="pull")

    assert scan(seller, "OD1", packer).says == "Several parcels of this order must be pulled: scan their tracking ids"
    assert scan(seller, "FMPP2600000001", packer).tone == "good"
    assert scan(seller, "OD1", packer).shipment.tracking_id == "FMPP2600000002"


@pytest.fixture
def in_parcels(seller) -> Shipment:
    """Cancelled after its label, in three parcels."""
    ids = ["FMPP1000000001", "FMPP2000000002", "FMPP3000000003"]
    several = {"is_multi_parcel": True, "tracking_id": ids[0], "tracking_ids": ids}
    return factories.shipment(
        seller, **several, state="CANCELLED", attention="pull", attention_says="cancelled after its label"
    )


def test_a_shipment_in_several_parcels_is_pulled_with_the_last_of_them(seller, in_parcels, packer):
    first, second, third = in_parcels.tracking_ids

    answers = [scan(seller, one, packer) for one in (second, second.lower(), first)]
    attention = reload(in_parcels).attention
    last = scan(seller, third, packer)

    pulled = reload(in_parcels)
    assert [(answer.tone, answer.says) for answer in answers] == [
        ("warn", f"1 of 3 pulled, scan the others: {first}, {third}"),
        ("note", f"this one is pulled already; 1 of 3 pulled, scan the others: {first}, {third}"),
        ("warn", f"2 of 3 pulled, scan the others: {third}"),
    ]
    assert attention == Attention.PULL
    assert (last.tone, last.says) == ("good", "pulled: it stays here (cancelled after its label)")
    assert (pulled.attention, pulled.pulled_ids) == ("", [])
    assert told(pulled) == [
        f"parcel {second} pulled; 1 of 3 pulled",
        f"parcel {first} pulled; 2 of 3 pulled",
        "pulled out of the stack",
    ]


@pytest.mark.parametrize("form", ["{flipkart_shipment_id}", "{flipkart_order_id}"])
def test_of_several_parcels_the_tracking_ids_are_wanted(seller, in_parcels, packer, form):
    answer = scan(seller, form.format(**vars(in_parcels)), packer)

    wanted = ", ".join(in_parcels.tracking_ids)
    assert (answer.tone, answer.says) == (
        "warn",
        f"it travels in 3 parcels: scan the tracking id of each, {wanted}",
    )
    assert reload(in_parcels).attention == Attention.PULL


def test_of_several_parcels_that_have_become_fewer_no_scan_is_wanted_that_nobody_can_give(seller, in_parcels, packer):
    first, second, _third = in_parcels.tracking_ids
    for one in (first, second):
        scan(seller, one, packer)
    with factories.ops():
        Shipment.objects.filter(pk=in_parcels.pk).update(tracking_ids=[first, second])

    shown = words(logged_in(packer).get(f"/s/{seller.slug}/pull/"))
    answer = scan(seller, in_parcels.flipkart_shipment_id, packer)

    assert in_parcels.flipkart_shipment_id in shown
    assert answer.tone == "good"
    assert reload(in_parcels).attention == ""


def test_what_was_pulled_of_several_parcels_stays_pulled_while_it_is_read_again_and_is_forgotten_with_the_pull(
    seller, account, flipkart, packer
):
    (several,) = take_in(seller, flipkart.world.add_shipments(account, 1, states="PACKED"))
    with factories.ops():
        Shipment.objects.filter(pk=several.pk).update(
            tracking_ids=[several.tracking_id, "FMPP2000000002"], is_multi_parcel=True
        )
    changed = change_quantity(flipkart, seller, several, 2)
    scan(seller, changed.tracking_id, packer)

    held = change_quantity(flipkart, seller, several, 3)
    flipkart.world.dispatch(account, several.flipkart_shipment_id)
    flipkart.world.ship(several.flipkart_shipment_id)
    (left,) = take_in(seller, [several.flipkart_shipment_id])

    assert (held.attention, held.pulled_ids) == (Attention.PULL, [several.tracking_id])
    assert (left.attention, left.pulled_ids) == ("", [])


def test_nothing_is_pulled_outside_of_a_scope(seller, packer):
    with pytest.raises(NoScope):
        pulling.pull(seller=seller, scanned="FMPP2600000001", by=packer, now=timezone.now())


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_the_page_lists_what_must_be_pulled_and_answers_a_scan_in_place(seller, printed, flipkart, packer):
    gone = cancel(flipkart, seller, printed[0])
    client = logged_in(packer)
    before = client.get(f"/s/{seller.slug}/pull/")

    part = client.post(f"/s/{seller.slug}/pull/scan/", {"scanned": gone.tracking_id}, **HTMX)

    assert "1 parcel must be pulled" in words(before)
    assert gone.tracking_id in words(before)
    assert "autofocus" in before.content.decode()
    assert "<html" not in part.content.decode()
    assert "Pulled: it stays here" in words(part)
    assert "Nothing must be pulled" in words(part)
    assert "sc-answer sc-good" in part.content.decode()


def test_where_the_parcel_lies_is_said_wherever_it_must_be_pulled(seller, printed, flipkart, packer):
    gone = cancel(flipkart, seller, printed[1])
    line = only(PrintJobLine, shipment=gone)
    asked = in_indian_words(as_ops(PrintJob)[0].asked_at)
    place = f"stack A, page {line.page}, job of {asked}"
    client = logged_in(packer)

    assert f"S{place[1:]}" in words(client.get(f"/s/{seller.slug}/pull/"))
    assert f"cancelled after its label; {gone.tracking_id}; {place}" in words(
        client.get(f"/s/{seller.slug}/attention/")
    ).replace("Cancelled after", "cancelled after")
    assert f"S{place[1:]}, {gone.tracking_id}" in words(client.get(f"/s/{seller.slug}/shipments/{gone.public_id}/"))


def test_the_page_names_each_parcel_that_still_lies_in_a_stack(seller, in_parcels, packer):
    first, second, third = in_parcels.tracking_ids
    client, page = logged_in(packer), f"/s/{seller.slug}/pull/"
    before = client.get(page)

    part = client.post(f"{page}scan/", {"scanned": second}, **HTMX)

    assert "3 parcels must be pulled" in words(before)
    assert f"Pulled: {second}" in words(before)
    assert f"{first}, {third}" in words(part)
    assert f"Pulled: {third}" in words(part)
    assert f"Pulled: {second}" not in words(part)
    assert "2 parcels must be pulled" in words(part)
    assert "1 of 3 pulled" in words(part)
    assert f"{first}, {third}" in words(client.get(f"/s/{seller.slug}/attention/"))


def test_an_empty_scan_asks_for_one(seller, packer):
    assert "Scan a parcel, or type its tracking id." in words(
        logged_in(packer).post(f"/s/{seller.slug}/pull/scan/", {"scanned": " "})
    )


def test_the_shipments_own_page_and_attention_lead_to_pulling(seller, printed, flipkart, packer, clock):
    changed = change_quantity(flipkart, seller, printed[0], 2)
    page = f"/s/{seller.slug}/shipments/{changed.public_id}/"
    client = logged_in(packer)

    assert f"/s/{seller.slug}/pull/" in client.get(f"/s/{seller.slug}/attention/").content.decode()
    assert "Pulled: fetch its label anew" in words(client.get(page))
    answer = client.post(
        f"/s/{seller.slug}/pull/scan/", {"scanned": changed.flipkart_shipment_id, "back": page}, follow=True
    )

    assert answer.redirect_chain == [(page, 302)]
    assert "pulled: its label is fetched anew" in words(answer)
    assert "void" in words(answer)


def test_who_only_looks_sees_the_list_and_may_not_pull(seller):
    factories.shipment(seller, attention="pull", tracking_id="FMPP2600000001")
    viewer = logged_in(factories.member(seller, Role.VIEWER))

    page = viewer.get(f"/s/{seller.slug}/pull/")

    assert "FMPP2600000001" in words(page)
    assert "scanned" not in page.content.decode()
    assert viewer.post(f"/s/{seller.slug}/pull/scan/", {"scanned": "FMPP2600000001"}).status_code == 403


def test_the_page_takes_the_same_statements_for_one_parcel_and_for_many(seller, packer):
    client, page = logged_in(packer), f"/s/{seller.slug}/pull/"
    factories.shipment(seller, attention="pull", facility=factories.facility(seller))
    one = statements(client, page)
    for _ in range(6):
        factories.shipment(seller, attention="pull", facility=factories.facility(seller))

    assert statements(client, page) == one
