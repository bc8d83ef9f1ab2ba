"""A shipment is one job's to print at a time, and printed once unless somebody says why it is printed again."""

import threading
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from fulfillment import laying_out, print_work, printing, retrying
from fulfillment.models import Document, Paper, PrintHabit, PrintJob, PrintJobLine, PrintStack
from fulfillment.options import Layout, Options
from orders.models import Shipment
from sellers.models import Member, Role
from shipcrowd.audit.models import AuditEntry
from shipcrowd.flipkart.types import State as ShipmentState
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import State
from tests import factories
from tests.browsing import logged_in, words
from tests.factories import as_ops, reload
from tests.fulfillment.stacks import left_out
from tests.fulfillment.warehouse import ask_labels, ask_print, drain, only, take_in, told, work_on

OPTIONS = {"layout": "thermal", "sorting": "sku", "stack_size": "200"}


@pytest.fixture
def labelled(seller, account, flipkart, packer, clock) -> list[Shipment]:
    """Four shipments with their labels stored."""
    ask_labels(seller, take_in(seller, flipkart.world.add_shipments(account, 4)), packer)
    work_on(clock)
    return as_ops(Shipment, seller=seller)


def clock_of(moment) -> str:
    return f"{timezone.localtime(moment):%H:%M}"


def ids(shipments) -> list[str]:
    return [shipment.flipkart_shipment_id for shipment in shipments]


def claimed() -> list[int]:
    return sorted(line.shipment_id for line in as_ops(PrintJobLine, is_claim=True))


def test_what_is_another_jobs_to_print_is_left_out_with_who_and_when(seller, labelled, packer):
    meena = factories.member(seller, Role.STAFF)
    first = ask_print(seller, labelled[:2], packer)

    second = ask_print(seller, labelled, meena)
    drain()

    says = f"in the print job of {clock_of(first.asked_at)} by {packer.username}"
    assert left_out(second) == dict.fromkeys(ids(labelled[:2]), says)
    assert (reload(first).says, reload(second).says) == ("2 labels", "2 labels; 2 left out")
    assert claimed() == []


def test_what_is_printed_is_left_out_with_who_and_when(seller, labelled, packer):
    ask_print(seller, labelled[:1], packer)
    drain()

    second = ask_print(seller, labelled[:2], packer)
    drain()

    at = clock_of(reload(labelled[0]).printed_at)
    assert left_out(second) == {labelled[0].flipkart_shipment_id: f"printed {at} by {packer.username}"}


def test_a_reprint_prints_it_again_and_says_why(seller, labelled, packer):
    ask_print(seller, labelled[:2], packer)
    drain()

    again = ask_print(seller, labelled[:2], packer, reprint_reason="the roll ran out")
    drain()

    assert (reload(again).says, reload(again).reprint_reason) == ("2 labels", "the roll ran out")
    assert [line.split(":")[0] for line in told(labelled[0]) if "printed" in line] == [
        "label printed",
        "label printed again (the roll ran out)",
    ]
    assert {entry.why for entry in as_ops(AuditEntry, did="printed labels")} == {"", "the roll ran out"}


def test_a_reprint_takes_over_what_another_job_has_not_printed_yet(seller, labelled, packer):
    stuck = ask_print(seller, labelled, packer)

    ask_print(seller, labelled[:1], packer, reprint_reason="needed now")
    drain()

    assert left_out(stuck) == {labelled[0].flipkart_shipment_id: f"taken over by {packer.username} for a reprint"}
    assert len([line for line in told(labelled[0]) if line.startswith("label printed")]) == 1


def test_what_is_taken_over_while_its_stack_is_laid_out_is_not_in_the_stack(seller, labelled, packer, monkeypatch):
    """The file is laid out anew without it, and never shown."""
    slow = ask_print(seller, labelled, packer)
    print_work.work_due(seller_id=seller.pk)  # planned
    lay_out = laying_out.lay_out

    def taken_meanwhile(stack, plan):
        stored = lay_out(stack, plan)
        if not as_ops(PrintJob, reprint_reason="needed now"):
            ask_print(seller, labelled[:1], packer, reprint_reason="needed now")
        return stored

    monkeypatch.setattr(laying_out, "lay_out", taken_meanwhile)
    drain()

    assert reload(slow).says == "3 labels; 1 left out"
    assert reload(only(PrintStack, job=slow)).printed == 3
    assert len([line for line in told(labelled[0]) if line.startswith("label printed")]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"state": ShipmentState.CANCELLED},
        {"is_on_hold": True},
        {"set_aside_at": timezone.now(), "set_aside_reason": "short"},
        {"attention": "pull", "attention_says": "pull this parcel"},
    ],
)
def test_what_changes_while_its_stack_is_laid_out_is_not_in_the_stack(seller, labelled, packer, monkeypatch, change):
    job = ask_print(seller, labelled, packer)
    lay_out = laying_out.lay_out

    def changed_meanwhile(stack, plan):
        stored = lay_out(stack, plan)
        with factories.ops():
            Shipment.objects.filter(pk=labelled[0].pk).update(**change)
        return stored

    monkeypatch.setattr(laying_out, "lay_out", changed_meanwhile)
    drain()

    assert reload(job).says == "3 labels; 1 left out"
    assert reload(labelled[0]).printed_at is None


def test_the_database_allows_one_claim_at_a_time(seller, labelled, packer):
    ask_print(seller, labelled[:1], packer)

    with seller_scope(seller):
        other = PrintJob.objects.create(seller=seller)
        with pytest.raises(IntegrityError, match="claimed_once"), transaction.atomic():
            PrintJobLine.objects.create(seller=seller, job=other, shipment=labelled[0], is_claim=True)


def test_what_is_left_out_is_free_for_the_next_job(seller, labelled, packer, flipkart):
    flipkart.world.hold(labelled[0].flipkart_shipment_id)
    take_in(seller, ids(labelled[:1]))
    held = ask_print(seller, labelled[:1], packer)
    drain()
    assert reload(held).says == "0 labels; 1 left out"
    flipkart.world.release(labelled[0].flipkart_shipment_id)
    take_in(seller, ids(labelled[:1]))

    after = ask_print(seller, labelled[:1], packer)
    drain()

    assert reload(after).says == "1 label"


def test_a_withdrawn_job_gives_back_what_it_has_not_printed(seller, labelled, packer):
    job = ask_print(seller, labelled, packer, options=Options(stack_size=3))
    print_work.work_due(seller_id=seller.pk)  # planned
    print_work.work_due(seller_id=seller.pk)  # stack A is printed

    with seller_scope(seller):
        assert printing.withdraw(seller=seller, job=job, by=packer)
        assert not printing.withdraw(seller=seller, job=job, by=packer)
    assert claimed() == []
    drain()

    assert (reload(job).state, reload(job).says) == (State.WITHDRAWN, "withdrawn")
    rest = ask_print(seller, labelled, packer)
    drain()
    assert reload(rest).says == "1 label; 3 left out"


def test_a_withdrawn_job_is_not_taken_up_again_by_a_retry(seller, labelled, packer):
    """Another tab still shows it under Attention."""
    job = ask_print(seller, labelled, packer)
    with seller_scope(seller):
        printing.withdraw(seller=seller, job=job, by=packer)
        taken_up = retrying.retry(seller=seller, row_ids=[job.public_id], by=packer)
    drain()

    assert (taken_up, reload(job).state, as_ops(PrintStack)) == (0, State.WITHDRAWN, [])


def test_a_job_that_is_done_is_not_withdrawn(seller, labelled, packer):
    job = ask_print(seller, labelled, packer)
    drain()

    with seller_scope(seller):
        assert not printing.withdraw(seller=seller, job=job, by=packer)
    assert reload(job).state == State.DONE


def test_invoices_are_printed_as_often_as_one_likes_and_do_not_count_as_labels(seller, labelled, packer):
    invoices = Options(layout=Layout.INVOICES)
    first = ask_print(seller, labelled, packer, options=invoices)
    second = ask_print(seller, labelled, packer, options=invoices)
    third = ask_print(seller, labelled, packer)
    drain()

    assert [reload(job).says for job in (first, second, third)] == ["4 invoices", "4 invoices", "4 labels"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_twenty_presses_at_once_print_each_parcel_once(flipkart, clock, documents):
    """trust.md 13, 18."""
    connected = factories.connected_seller(flipkart)
    packer = factories.member(connected.seller, Role.STAFF)
    parcels = take_in(connected.seller, flipkart.world.add_shipments(connected.account, 12))
    ask_labels(connected.seller, parcels, packer)
    work_on(clock)
    start = threading.Barrier(12)
    jobs = []

    def at_once(act) -> None:
        start.wait()
        try:
            act()
        finally:
            connection.close()

    def press(at: int) -> None:
        jobs.append(ask_print(connected.seller, parcels[at % 4 :], packer))

    def work_off() -> None:
        for _ in range(20):
            print_work.work_due(seller_id=connected.seller.pk)

    acts = [lambda at=at: press(at) for at in range(10)] + [work_off] * 2
    threads = [threading.Thread(target=at_once, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    drain()

    assert len(jobs) == 10
    prints = [line.shipment_id for line in as_ops(PrintJobLine, page__isnull=False)]
    assert sorted(prints) == sorted(parcel.pk for parcel in parcels)
    assert claimed() == []


# --- Pages -----------------------------------------------------------------------------------------------------------


def address(seller, path: str) -> str:
    return f"/s/{seller.slug}/{path}"


def public_ids(shipments) -> list[str]:
    return [str(shipment.public_id) for shipment in shipments]


def test_the_consequences_name_what_is_printed_already_and_one_field_includes_it(seller, labelled, packer):
    ask_print(seller, labelled[:3], packer)
    drain()
    printed_at = reload(labelled[0]).printed_at
    client = logged_in(packer)
    chosen = {"shipment": public_ids(labelled)}

    asked = client.post(address(seller, "print/request/"), chosen)
    client.post(
        address(seller, "print/request/"),
        chosen | OPTIONS | {"confirmed": "1", "once": str(uuid4()), "reprint_reason": "the roll ran out"},
    )
    drain()

    assert "Print: 1 shipment" in words(asked)
    assert f"3 printed {clock_of(printed_at)} by {packer.username}" in words(asked)
    assert "Print those again too, because" in words(asked)
    assert as_ops(PrintJob)[-1].says == "4 labels"


@pytest.mark.parametrize("route", ["request", "label-and-print"])
def test_what_sheets_between_groups_cost_is_said_before_it_is_pressed(seller, labelled, packer, route):
    with factories.ops():
        for number, parcel in enumerate(labelled):
            Shipment.objects.filter(pk=parcel.pk).update(sku=f"SKU-{number // 2}")

    asked = logged_in(packer).post(address(seller, f"print/{route}/"), {"shipment": public_ids(labelled)})

    assert "By SKU this is 1 sheet more." in words(asked)


def test_when_all_is_printed_the_button_still_works_for_a_reprint(seller, labelled, packer):
    ask_print(seller, labelled, packer)
    drain()

    page = logged_in(packer).post(address(seller, "print/request/"), {"shipment": public_ids(labelled)})

    assert "Print: 0 shipments" in words(page)
    assert "disabled" not in page.content.decode().split('name="confirmed"')[1].split("</form>")[0]


def test_when_all_is_printed_no_job_is_made_without_a_reason(seller, labelled, packer):
    ask_print(seller, labelled, packer)
    drain()
    pressed = {"shipment": public_ids(labelled), "confirmed": "1", "once": str(uuid4())} | OPTIONS

    page = logged_in(packer).post(address(seller, "print/request/"), pressed)

    assert "Say why: all of them were printed before, or are being printed." in words(page)
    assert len(as_ops(PrintJob)) == 1


def consequences(page) -> str:
    """The page up to its form."""
    return words(page).split(" Layout ")[0]


@pytest.mark.parametrize("route", ["request", "label-and-print"])
@pytest.mark.parametrize("is_habit", [True, False])
def test_invoices_of_what_is_printed_are_promised_and_come(seller, labelled, packer, route, is_habit):
    ask_print(seller, labelled, packer)
    drain()
    client, page = logged_in(packer), address(seller, f"print/{route}/")
    chosen, invoices = {"shipment": public_ids(labelled)}, OPTIONS | {"layout": "invoices"}
    if is_habit:
        client.post(page, chosen | invoices | {"confirmed": "1", "once": str(uuid4())})
        drain()

    asked = client.post(page, chosen if is_habit else chosen | invoices | {"confirmed": ""})
    client.post(page, chosen | invoices | {"confirmed": "1", "once": str(uuid4())})
    drain()

    assert f": {len(labelled)} shipments" in consequences(asked)
    assert "are left out" not in consequences(asked)
    assert as_ops(PrintJob)[-1].says == f"{len(labelled)} invoices"


@pytest.mark.parametrize("route", ["request", "label-and-print"])
def test_labels_with_invoices_are_promised_only_where_an_invoice_is_there(seller, labelled, packer, route):
    with factories.ops():
        papers = Document.objects.filter(shipment__in=[shipment.pk for shipment in labelled[:2]])
        papers.filter(paper=Paper.INVOICE).update(voided_at=timezone.now())
        # Of one the label came with its invoice, from which it is cut; of the other alone.
        papers.filter(paper=Paper.LABEL, shipment=labelled[0]).update(original_key="", original_sha256="")
    client, page = logged_in(packer), address(seller, f"print/{route}/")
    sent = {"shipment": public_ids(labelled)} | OPTIONS | {"layout": "with_invoice"}

    asked = client.post(page, sent | {"confirmed": "", "stack_size": "150", "reprint_reason": "so far"})
    client.post(page, sent | {"confirmed": "1", "once": str(uuid4())})
    drain()

    assert f": {len(labelled) - 1} shipments" in consequences(asked)
    assert f"1 its invoice has not come {labelled[0].flipkart_shipment_id}" in consequences(asked)
    assert 'value="150"' in asked.content.decode()
    assert as_ops(PrintJob)[-1].says == f"{len(labelled) - 1} labels; 1 left out"
    assert left_out(as_ops(PrintJob)[-1]) == {labelled[0].flipkart_shipment_id: "its invoice has not come"}


def test_when_nothing_that_matched_is_left_it_is_said_and_no_job_is_made(seller, labelled, packer):
    ask_print(seller, labelled, packer)
    drain()
    sent = {"all_matching": "1", "query": "stage=to_print&facility=", "confirmed": "1", "once": str(uuid4())}

    page = logged_in(packer).post(address(seller, "print/request/"), sent | OPTIONS)

    assert "Nothing that you had chosen matches any more." in words(page)
    assert len(as_ops(PrintJob)) == 1


def test_one_click_on_the_jobs_page_prints_the_left_out_again_with_its_reason(seller, labelled, packer):
    ask_print(seller, labelled[:2], packer)
    drain()
    job = ask_print(seller, labelled, packer, options=Options(has_separators=False))
    drain()
    client = logged_in(packer)
    page = client.get(address(seller, f"print/{job.public_id}/"))
    (group,) = page.context["left_out"]

    answer = client.post(
        address(seller, f"print/{job.public_id}/again/"), {"left_out": group.reason, "reason": "label damaged"}
    )
    drain()

    again = as_ops(PrintJob)[-1]
    assert answer["Location"] == address(seller, f"print/{again.public_id}/")
    assert (group.count, group.may_reprint) == (2, True)
    assert "Print them again, because" in words(page)
    assert (again.says, again.reprint_reason, again.has_separators) == ("2 labels", "label damaged", False)


def test_without_a_reason_nothing_is_printed_again(seller, labelled, packer):
    ask_print(seller, labelled, packer)
    drain()
    job = ask_print(seller, labelled, packer)
    drain()

    answer = logged_in(packer).post(
        address(seller, f"print/{job.public_id}/again/"), {"left_out": "anything", "reason": " "}, follow=True
    )

    assert "Say why they are printed again." in words(answer)
    assert len(as_ops(PrintJob)) == 2


def test_what_must_not_leave_is_not_offered_for_a_reprint(seller, labelled, packer, flipkart):
    flipkart.world.cancel(labelled[0].flipkart_shipment_id)
    take_in(seller, ids(labelled[:1]))
    job = ask_print(seller, labelled, packer)
    drain()

    page = logged_in(packer).get(address(seller, f"print/{job.public_id}/"))

    assert "1 left out: cancelled" in words(page)
    assert "again/" not in page.content.decode()


def test_how_a_member_printed_last_is_how_the_next_form_opens(seller, labelled, packer):
    client = logged_in(packer)
    said = {"layout": "four_on_a4", "sorting": "facility", "stack_size": "50", "packers": "Ravi, Meena"}
    client.post(
        address(seller, "print/request/"), {"shipment": public_ids(labelled), "confirmed": "1", "once": uuid4()} | said
    )

    form = client.get(address(seller, "print/request/"), {"shipment": public_ids(labelled)}).context["asked"]
    theirs = logged_in(factories.member(seller, Role.STAFF)).get(
        address(seller, "print/request/"), {"shipment": public_ids(labelled)}
    )

    assert [form[name].value() for name in said] == ["four_on_a4", "facility", 50, "Ravi, Meena"]
    assert [form["has_separators"].value(), form["is_reversed"].value()] == [False, False]
    assert theirs.context["asked"]["layout"].value() == "thermal"
    with seller_scope(seller):
        assert PrintHabit.objects.get().member == Member.objects.get(user=packer)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"layout": "wallpaper"}, "Select a valid choice"),
        ({"stack_size": "0"}, "greater than or equal to 1"),
        ({"is_split_by_packers": "on"}, "Name the packers that the stacks are for."),
        ({"packers": ",".join(f"P{number}" for number in range(30))}, "Name at most 26 packers."),
    ],
)
def test_options_that_make_no_sense_are_asked_again(seller, labelled, packer, said, complaint):
    page = logged_in(packer).post(
        address(seller, "print/request/"), {"shipment": public_ids(labelled), "confirmed": "1"} | OPTIONS | said
    )

    assert complaint in words(page)
    assert as_ops(PrintJob) == []
