"""Stacks: each a PDF of its own, the first ready while the rest is built, continued where the paper jammed."""

import re

import pytest
from django.utils import timezone

from fulfillment import pick_lists, print_views, print_work, printing, queries
from fulfillment.models import PrintJob, PrintJobLine, PrintStack
from fulfillment.options import Layout, Options, Sorting
from fulfillment.printing import AlreadyContinued, CannotContinue
from orders.models import Shipment
from sellers.models import Facility, Role
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import State
from tests import factories
from tests.browsing import logged_in, statements, words
from tests.factories import as_ops, reload
from tests.fulfillment.stacks import barcodes, left_out, texts
from tests.fulfillment.warehouse import ask_labels, ask_print, drain, only, read_long_ago, take_in, told, work_on


@pytest.fixture
def labelled(seller, account, flipkart, packer, clock) -> list[Shipment]:
    """Six shipments with their labels stored, of two SKUs."""
    world = flipkart.world
    skus = [goods.sku for goods in account.goods[:2]]
    made = [world.add_shipments(account, 1, sku=skus[at % 2])[0] for at in range(6)]
    ask_labels(seller, take_in(seller, made), packer)
    work_on(clock)
    return as_ops(Shipment, seller=seller)


def stacks(job: PrintJob) -> list[PrintStack]:
    return as_ops(PrintStack, job=job)


def in_order(stack: PrintStack) -> list[PrintJobLine]:
    with factories.ops():
        lines = PrintJobLine.objects.filter(stack=stack, page__isnull=False).select_related("shipment")
        return list(lines.order_by("place"))


def continue_after(seller, stack: PrintStack, scanned: str, by) -> PrintJob:
    with seller_scope(seller):
        stack = PrintStack.objects.select_related("job__asked_by", "job__seller").get(pk=stack.pk)
        return printing.continue_after(seller=seller, stack=stack, scanned=scanned, by=by, now=timezone.now())


def test_a_job_is_split_into_stacks_with_a_letter_a_packer_and_a_file_each(seller, labelled, packer):
    job = ask_print(seller, labelled, packer, options=Options(stack_size=4, packers=["Ravi", "Meena"]))
    drain()

    first, second = stacks(job)
    assert [(s.letter, s.packer, s.printed) for s in (first, second)] == [("A", "Ravi", 4), ("B", "Meena", 2)]
    assert reload(job).says == "6 labels in 2 stacks"
    on_paper = [
        [line.shipment.tracking_id in barcodes(stack)[line.page - 1] for line in in_order(stack)]
        for stack in (first, second)
    ]
    assert on_paper == [[True] * 4, [True] * 2]
    assert "Stack A, Ravi" in texts(first)[0]
    assert "Stack B, Meena" in texts(second)[0]
    assert {line.shipment_id for stack in (first, second) for line in in_order(stack)} == {s.pk for s in labelled}


def test_the_first_stack_opens_while_the_rest_is_built(seller, labelled, packer):
    job = ask_print(seller, labelled, packer, options=Options(stack_size=2))
    print_work.work_due(seller_id=seller.pk)  # planned
    print_work.work_due(seller_id=seller.pk)  # stack A
    client = logged_in(packer)

    page = client.get(f"/s/{seller.slug}/print/{job.public_id}/")
    pdf = client.get(f"/s/{seller.slug}/print/{job.public_id}/A/labels.pdf")

    assert "Stack A is ready; 2 more to lay out" in words(page)
    assert pdf.content.startswith(b"%PDF")
    assert 'hx-trigger="every 1s' in page.content.decode()
    assert client.get(f"/s/{seller.slug}/print/{job.public_id}/B/labels.pdf").status_code == 404
    assert [stack.laid_out_at is None for stack in stacks(job)] == [False, True, True]


def test_a_large_job_gives_the_turn_back_after_each_stack(seller, labelled, packer):
    large = ask_print(seller, labelled[:5], packer, options=Options(stack_size=1))
    small = ask_print(seller, labelled[5:], packer)

    for _ in range(4):
        print_work.work_due(seller_id=seller.pk)

    assert reload(small).state == State.DONE
    assert len(as_ops(PrintStack, job=large, laid_out_at__isnull=False)) == 1


def test_each_stack_is_read_again_just_before_it_is_laid_out(seller, labelled, packer, flipkart):
    """A buyer who cancels while stack A comes out of the printer is not in stack B."""
    job = ask_print(seller, labelled, packer, options=Options(stack_size=3))
    print_work.work_due(seller_id=seller.pk)
    print_work.work_due(seller_id=seller.pk)
    gone = as_ops(PrintJobLine, stack=stacks(job)[1])[0].shipment_id
    flipkart.world.cancel(as_ops(Shipment, pk=gone)[0].flipkart_shipment_id)
    read_long_ago()

    drain()

    assert [stack.printed for stack in stacks(job)] == [3, 2]
    assert reload(job).says == "5 labels in 2 stacks; 1 left out"
    assert list(left_out(job).values()) == ["cancelled"]
    assert "cancelled: 1" in texts(stacks(job)[1])[0]


def test_what_was_left_out_when_the_job_was_planned_stands_on_the_first_stack(
    seller, account, labelled, packer, flipkart
):
    (unlabelled,) = take_in(seller, flipkart.world.add_shipments(account, 1))

    job = ask_print(seller, [*labelled, unlabelled], packer, options=Options(stack_size=3))
    drain()

    first, second = (texts(stack)[0] for stack in stacks(job))
    assert unlabelled.flipkart_shipment_id in first
    assert unlabelled.flipkart_shipment_id not in second
    assert "Nothing was left out." in second


def test_what_a_stack_without_paper_left_out_stands_on_the_next_that_has_one(
    seller, account, labelled, packer, flipkart
):
    """All of A and of C is cancelled after the job was planned: B tells what is out of A and of the plan, D of C."""
    (unlabelled,) = take_in(seller, flipkart.world.add_shipments(account, 1))
    job = ask_print(seller, [*labelled, unlabelled], packer, options=Options(stack_size=1))
    print_work.work_due(seller_id=seller.pk)  # planned
    of_stack = [as_ops(Shipment, print_lines__stack=stack)[0].flipkart_shipment_id for stack in stacks(job)]
    for gone in (of_stack[0], of_stack[2]):
        flipkart.world.cancel(gone)
    read_long_ago()

    drain()

    assert [stack.printed for stack in stacks(job)] == [0, 1, 0, 1, 1, 1]
    told = {unlabelled.flipkart_shipment_id, of_stack[0], of_stack[2]}
    pages = [texts(stack)[0] for stack in stacks(job) if stack.storage_key]
    assert [{one for one in told if one in page} for page in pages] == [
        {unlabelled.flipkart_shipment_id, of_stack[0]},
        {of_stack[2]},
        set(),
        set(),
    ]


def test_what_is_left_out_can_be_seen_whole_on_the_page_where_no_paper_tells_it(
    seller, account, packer, flipkart, monkeypatch
):
    monkeypatch.setattr(print_views, "LEFT_OUT_SHOWN", 2)
    unlabelled = take_in(seller, flipkart.world.add_shipments(account, 4))
    job = ask_print(seller, unlabelled, packer)
    drain()
    client, address = logged_in(packer), f"/s/{seller.slug}/print/{job.public_id}/"

    some = client.get(address)
    whole = words(client.get(re.search(rf'href="({address}[^"]+)">show all', some.content.decode())[1]))

    ids = {shipment.flipkart_shipment_id for shipment in unlabelled}
    assert "and 2 more: show all" in words(some)
    assert len([one for one in ids if one in words(some)]) == 2
    assert all(one in whole for one in ids)
    assert "show all" not in whole


def test_the_summary_lies_on_top_in_the_order_of_the_stack(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()

    (stack,) = stacks(job)
    one, other = sorted({shipment.sku for shipment in labelled})
    lines = [line.strip() for line in texts(stack)[0].splitlines()]
    assert lines.index(f"{one}: 3 parcels, pages 2 to 4") < lines.index(f"{other}: 3 parcels, pages 6 to 8")
    assert "Printed: 6 labels; 6 pieces" in lines


def test_without_separators_the_groups_lie_close(seller, labelled, packer):
    job = ask_print(seller, labelled, packer, options=Options(has_separators=False))
    drain()

    assert only(PrintStack, job=job).pages == 7


def test_a_sheet_between_groups_says_what_comes_next(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()

    pages = texts(only(PrintStack, job=job))
    other = max(shipment.sku for shipment in labelled)
    assert other in pages[4]
    assert "3 parcels" in pages[4]


def test_facilities_are_never_mixed_without_a_sheet_between(seller, labelled, packer):
    place = factories.facility(seller, name="Zirakpur godown")
    with factories.ops():
        Shipment.objects.filter(pk__in=[shipment.pk for shipment in labelled[:2]]).update(facility=place)

    options = Options(has_separators=False, sorting=Sorting.DISPATCH_BY)
    job = ask_print(seller, labelled, packer, options=options)
    drain()

    (stack,) = stacks(job)
    assert "Zirakpur godown" in texts(stack)[5]
    assert barcodes(stack)[5] == set()
    assert [line.shipment.facility_id == place.pk for line in in_order(stack)] == [False] * 4 + [True] * 2
    assert len(as_ops(Facility, seller=seller)) == 2


def test_reversed_the_last_page_is_the_summary_and_the_first_parcel_before_it(seller, labelled, packer):
    job = ask_print(seller, labelled, packer, options=Options(is_reversed=True))
    drain()

    (stack,) = stacks(job)
    lines = in_order(stack)
    codes = barcodes(stack)
    assert "Stack A" in texts(stack)[-1]
    assert [line.page for line in lines] == [7, 6, 5, 3, 2, 1]
    assert [line.shipment.tracking_id in codes[line.page - 1] for line in lines] == [True] * 6


def test_a_line_under_the_label_says_what_to_take_and_where_it_lies(seller, account, packer, flipkart, clock):
    take = take_in(seller, flipkart.world.add_shipments(account, 1, quantity=3))
    ask_labels(seller, take, packer)
    work_on(clock)

    job = ask_print(seller, take, packer)
    drain()

    assert f"A 2 {reload(take[0]).sku} x 3" in texts(only(PrintStack, job=job))[1]


# --- The paper jams --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_stack_is_continued_behind_the_last_good_label(seller, labelled, packer, is_reversed):
    options = Options(is_reversed=is_reversed, packers=["Ravi", "Meena"], has_separators=False)
    job = ask_print(seller, labelled, packer, options=options)
    drain()
    (stack,) = stacks(job)
    printed = sorted(in_order(stack), key=lambda line: line.page)
    last_good = printed[3]

    rest = continue_after(seller, stack, last_good.shipment.tracking_id, packer)
    drain()

    reason = f"continued after {last_good.shipment.tracking_id}, stack A page {last_good.page}"
    assert (reload(rest).reprint_reason, reload(rest).says) == (reason, "2 labels")
    (again,) = stacks(rest)
    assert again.packer == "Ravi"
    came_out = sorted(in_order(again), key=lambda line: line.page)
    assert [line.shipment_id for line in came_out] == [line.shipment_id for line in printed[4:]]
    assert any(reason in line for line in told(came_out[0].shipment))


@pytest.mark.parametrize(("last_good", "rest"), [(6, [1, 2, 3, 4]), (5, [1, 2, 3, 4, 6]), (2, [3, 4]), (3, [4])])
def test_of_sheets_of_four_in_reverse_no_label_comes_twice(seller, labelled, packer, last_good, rest):
    """The sheet with the fifth and the sixth label comes out first, the fifth before the sixth."""
    options = Options(layout=Layout.FOUR_ON_A4, is_reversed=True, has_separators=False)
    job = ask_print(seller, labelled, packer, options=options)
    drain()
    (stack,) = stacks(job)
    lines = in_order(stack)
    assert [line.page for line in lines] == [2, 2, 2, 2, 1, 1]

    again = continue_after(seller, stack, lines[last_good - 1].shipment.tracking_id, packer)
    drain()

    assert [line.shipment_id for line in in_order(only(PrintStack, job=again))] == [
        lines[number - 1].shipment_id for number in rest
    ]


@pytest.fixture
def with_invoices(seller, labelled, packer) -> PrintStack:
    """Three labels, each with its invoice on the next page."""
    options = Options(layout=Layout.WITH_INVOICE, has_separators=False)
    job = ask_print(seller, labelled[:3], packer, options=options)
    drain()
    return only(PrintStack, job=job)


def test_an_invoice_that_may_have_jammed_behind_its_label_comes_first(seller, packer, with_invoices):
    first, second, third = in_order(with_invoices)

    rest = continue_after(seller, with_invoices, second.shipment.tracking_id, packer)
    drain()

    again = only(PrintStack, job=rest)
    assert [line.shipment_id for line in in_order(again)] == [second.shipment_id, third.shipment_id]
    codes, pages = barcodes(again), texts(again)
    assert [second.shipment.tracking_id in page for page in codes] == [False] * 4
    assert [second.shipment.invoice_number in page for page in pages] == [False, True, False, False]
    assert [third.shipment.tracking_id in page for page in codes] == [False, False, True, False]
    name = second.shipment.tracking_id
    reason = f"continued after {name}, stack A page {second.page}, its other pages first"
    page = words(logged_in(packer).get(f"/s/{seller.slug}/print/{rest.public_id}/"))
    assert f"Printed again: {reason}" in page
    assert "1 label and the other pages of 1 parcel" in page
    assert told(second.shipment)[-1].startswith(f"its other pages printed ({reason})")
    assert told(third.shipment)[-1].startswith(f"label printed again ({reason})")
    with seller_scope(seller):
        where = queries.last_prints(seller.pk, [second.shipment_id])[second.shipment_id]
        assert pick_lists.of_stack(PrintStack.objects.select_related("job__seller").get(pk=again.pk)).shipments == 1
    assert where.stack_id == with_invoices.pk
    assert first.shipment_id not in {line.shipment_id for line in in_order(again)}


def test_the_invoice_behind_the_last_label_of_a_stack_can_be_had(seller, packer, with_invoices):
    last = in_order(with_invoices)[-1].shipment

    rest = continue_after(seller, with_invoices, last.tracking_id, packer)
    drain()

    again = only(PrintStack, job=rest)
    assert reload(rest).says == "0 labels and the other pages of 1 parcel"
    assert [last.invoice_number in page for page in texts(again)] == [False, True]
    assert not any(barcodes(again)[0])
    once_more = continue_after(seller, again, last.tracking_id, packer)
    drain()
    assert [last.invoice_number in page for page in texts(only(PrintStack, job=once_more))] == [False, True]


def test_in_reverse_an_invoice_has_come_before_its_label(seller, labelled, packer):
    options = Options(layout=Layout.WITH_INVOICE, has_separators=False, is_reversed=True)
    job = ask_print(seller, labelled[:3], packer, options=options)
    drain()
    (stack,) = stacks(job)
    first, second, _third = in_order(stack)

    rest = continue_after(seller, stack, second.shipment.tracking_id, packer)

    (line,) = as_ops(PrintJobLine, job=rest)
    assert (line.shipment_id, line.first_page_is_out) == (first.shipment_id, False)
    with pytest.raises(CannotContinue, match="This was the last parcel of stack A"):
        continue_after(seller, stack, first.shipment.tracking_id, packer)


def test_the_rest_is_checked_again_before_it_is_printed(seller, labelled, packer, flipkart):
    job = ask_print(seller, labelled, packer)
    drain()
    lines = in_order(only(PrintStack, job=job))
    gone = lines[-1].shipment
    flipkart.world.cancel(gone.flipkart_shipment_id)
    take_in(seller, [gone.flipkart_shipment_id])

    rest = continue_after(seller, only(PrintStack, job=job), lines[2].shipment.tracking_id, packer)
    drain()

    assert reload(rest).says == "2 labels; 1 left out"


def test_what_was_left_out_is_not_continued_with(seller, labelled, packer, flipkart):
    flipkart.world.cancel(labelled[0].flipkart_shipment_id)
    take_in(seller, [labelled[0].flipkart_shipment_id])
    job = ask_print(seller, labelled, packer)
    drain()
    lines = in_order(only(PrintStack, job=job))

    rest = continue_after(seller, only(PrintStack, job=job), lines[0].shipment.tracking_id, packer)

    assert reload(rest).asked_for == 4


@pytest.mark.parametrize(
    ("scanned", "complaint"),
    [
        ("FMPP0000000000", "“FMPP0000000000” is not in stack A: scan the last label that came out well"),
        ("last", "This was the last parcel of stack A."),
    ],
)
def test_a_stack_that_cannot_be_continued_says_why(seller, labelled, packer, scanned, complaint):
    job = ask_print(seller, labelled, packer)
    drain()
    (stack,) = stacks(job)
    scanned = in_order(stack)[-1].shipment.tracking_id if scanned == "last" else scanned

    with pytest.raises(CannotContinue, match=complaint.replace("?", ".")):
        continue_after(seller, stack, scanned, packer)
    page = logged_in(packer).post(
        f"/s/{seller.slug}/print/{job.public_id}/A/continue/", {"scanned": scanned}, follow=True
    )

    assert complaint in words(page)
    assert len(as_ops(PrintJob)) == 1


def test_the_rest_behind_a_label_is_printed_once_however_often_it_is_scanned(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()
    first = in_order(only(PrintStack, job=job))[0].shipment
    page = f"/s/{seller.slug}/print/{job.public_id}/"
    client = logged_in(packer)
    client.post(f"{page}A/continue/", {"scanned": first.tracking_id})
    drain()

    again = client.post(f"{page}A/continue/", {"scanned": first.tracking_id}, follow=True)

    assert len(as_ops(PrintJob)) == 2
    assert "Nothing new is printed: stack A was continued after this label before, by this job." in words(again)
    assert f"continued after {first.tracking_id}, stack A page 2" in words(client.get(page))
    with pytest.raises(AlreadyContinued):
        continue_after(seller, only(PrintStack, job=job), first.tracking_id, packer)


def test_a_label_of_another_stack_is_said_to_lie_there(seller, labelled, packer):
    job = ask_print(seller, labelled, packer, options=Options(stack_size=3, has_separators=False))
    drain()
    one, other = stacks(job)

    with pytest.raises(CannotContinue, match="lies in stack B: scan it there"):
        continue_after(seller, one, in_order(other)[0].shipment.tracking_id, packer)


def test_the_box_on_the_jobs_page_leads_to_the_job_of_the_rest(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()
    first = in_order(only(PrintStack, job=job))[0].shipment
    page = f"/s/{seller.slug}/print/{job.public_id}/"
    client = logged_in(packer)

    answer = client.post(f"{page}A/continue/", {"scanned": first.tracking_id}, follow=True)

    assert "Continue after" in words(client.get(page))
    assert f"Printed again: continued after {first.tracking_id}, stack A page 2" in words(answer)
    assert as_ops(PrintJob)[-1].asked_for == 5


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_the_page_takes_the_same_statements_for_one_stack_and_for_many(seller, labelled, packer, account, flipkart):
    unlabelled = take_in(seller, flipkart.world.add_shipments(account, 4))
    client = logged_in(packer)
    one = ask_print(seller, [*labelled[:2], unlabelled[0]], packer)
    many = ask_print(seller, [*labelled[2:], *unlabelled], packer, options=Options(stack_size=1))
    drain()

    counts = [statements(client, f"/s/{seller.slug}/print/{job.public_id}/") for job in (one, many)]

    assert counts[0] == counts[1]
    assert len(stacks(many)) == 4


def test_who_only_looks_sees_the_stacks_and_may_not_act(seller, labelled, packer):
    job = ask_print(seller, labelled, packer, options=Options(packers=["Ravi"]))
    drain()
    viewer = logged_in(factories.member(seller, Role.VIEWER))
    page = f"/s/{seller.slug}/print/{job.public_id}/"

    shown = viewer.get(page)

    assert "Stack A, Ravi" in words(shown)
    assert "labels.pdf" not in shown.content.decode()
    assert {viewer.post(page + path).status_code for path in ("unchecked/", "again/", "withdraw/", "A/continue/")} == {
        403
    }
    assert viewer.get(page + "A/labels.pdf").status_code == 403
