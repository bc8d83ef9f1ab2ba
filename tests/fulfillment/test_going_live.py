"""The go-live checklist runs for real, keeps what came of it, and leaves a production account's parcels alone."""

import pytest

from fulfillment import going_live
from fulfillment.models import CheckName, GoLiveCheck, LabelRequest
from sellers.models import Connection, Environment
from shipcrowd import queue, work
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import State
from tests import factories
from tests.browsing import logged_in, statements, words
from tests.factories import as_ops
from tests.fulfillment.warehouse import KINDS, ask_labels, only, take_in, work_on
from tests.fulfillment.warehouse import wait as time_passes

TOKEN, LABELS, PAYMENTS, INVOICES = CheckName.TOKEN, CheckName.LABELS, CheckName.PAYMENTS, CheckName.INVOICES


@pytest.fixture
def owner(seller):
    return factories.member(seller)


def run(seller, owner, clock, *names) -> dict[str, tuple[bool | None, str]]:
    """What each check says once all have come to their end."""
    with seller_scope(seller):
        going_live.ask(seller=seller, names=names, by=owner)
    for _ in range(40):
        due = [pair for pair in work.look_for_due() if pair[1] in (*KINDS, "checks")]
        for seller_id, kind in due:
            queue.work_batch(seller_id=seller_id, kind=kind)
        rows = as_ops(GoLiveCheck)
        if not any(row.is_open for row in rows):
            return {row.name: (row.passed, row.says) for row in rows}
        time_passes(clock, seconds=3)
        factories.wake(GoLiveCheck)
    raise AssertionError("the checks do not come to an end")


def world_of_all_kinds(flipkart, account, seller) -> None:
    add = flipkart.world.add_shipments
    take_in(seller, add(account, 1) + add(account, 1, cod=True) + add(account, 1, items=2))


def test_the_token_check_gives_the_token_up_and_works_with_a_new_one(seller, owner, flipkart, clock):
    found = run(seller, owner, clock, TOKEN)

    assert found == {TOKEN: (True, "a new token was fetched, and Flipkart answered with it")}
    assert len(flipkart.ledger.tokens) == 2


def test_the_token_check_fails_where_the_secret_is_no_longer_good(seller, account, owner, flipkart, clock):
    take_in(seller, flipkart.world.add_shipments(account, 1))
    flipkart.world.regenerate_secret(account)

    ((passed, says),) = run(seller, owner, clock, TOKEN).values()

    assert (passed, "not authorized" in says) == (False, True)


def test_labels_of_every_kind_are_made_and_stored(seller, account, owner, flipkart, clock):
    world_of_all_kinds(flipkart, account, seller)

    ((passed, says),) = run(seller, owner, clock, LABELS).values()

    assert (passed, says[:33]) == (True, "labels were made and stored for S"), says
    assert len(flipkart.ledger.labels) == 3


def test_a_kind_that_is_not_there_is_named_and_nothing_is_labelled(seller, account, owner, flipkart, clock):
    take_in(seller, flipkart.world.add_shipments(account, 3))

    ((passed, says),) = run(seller, owner, clock, LABELS).values()

    assert passed is False
    assert says.startswith("no shipment to label of this kind: cash on delivery, several items.")
    assert as_ops(LabelRequest) == []


def test_a_label_that_never_comes_fails_the_check(seller, account, owner, flipkart, clock, monkeypatch):
    monkeypatch.setattr(going_live, "PATIENCE", going_live.timedelta(0))
    world_of_all_kinds(flipkart, account, seller)
    flipkart.faults.set("download_labels", "late_labels", times=None)

    ((passed, says),) = run(seller, owner, clock, LABELS).values()

    assert (passed, "they did not come" in says) == (False, True)


def test_payments_are_compared_with_what_flipkart_says_now(seller, account, owner, flipkart, clock):
    take_in(seller, flipkart.world.add_shipments(account, 1))
    assert run(seller, owner, clock, PAYMENTS) == {PAYMENTS: (False, "no cash-on-delivery order was read yet")}

    take_in(seller, flipkart.world.add_shipments(account, 1, cod=True))
    ((passed, says),) = run(seller, owner, clock, PAYMENTS).values()

    assert (passed, "to collect" in says) == (True, True), says


def test_an_invoice_is_taken_out_of_the_storage_and_must_be_whole(
    seller, account, owner, packer, flipkart, clock, documents
):
    assert run(seller, owner, clock, INVOICES) == {INVOICES: (False, "no invoice is stored yet: request a label first")}
    ask_labels(seller, take_in(seller, flipkart.world.add_shipments(account, 1)), packer)
    work_on(clock)
    ((passed, says),) = run(seller, owner, clock, INVOICES).values()
    assert (passed, "is stored and whole" in says) == (True, True), says

    for path in documents.rglob("invoice/*.pdf"):
        path.write_bytes(b"%PDF-1.4 cut off")
    assert run(seller, owner, clock, INVOICES) == {INVOICES: (False, "the stored file is not what was put there")}


def test_on_a_production_connection_only_what_reads_runs(seller, account, owner, flipkart, clock):
    world_of_all_kinds(flipkart, account, seller)
    with seller_scope(seller):
        Connection.objects.update(environment=Environment.PRODUCTION)
        asked = going_live.ask(seller=seller, names=list(CheckName), by=owner)
        reasons = {point.check.name: point.why_not for point in going_live.points(seller)}

    assert asked == 3
    assert {row.name for row in as_ops(GoLiveCheck)} == {TOKEN, PAYMENTS, INVOICES}
    assert reasons[LABELS] == "it has effects, so it runs on simulator and sandbox only"
    assert reasons[CheckName.SELF_SHIP] == "comes with self-ship"


def test_a_check_with_effects_sends_nothing_where_the_connection_is_production_by_the_time_it_runs(
    seller, account, owner, flipkart, clock
):
    world_of_all_kinds(flipkart, account, seller)
    with seller_scope(seller):
        Connection.objects.update(environment=Environment.SANDBOX)
        assert going_live.ask(seller=seller, names=[LABELS], by=owner) == 1
        Connection.objects.update(environment=Environment.PRODUCTION)
    calls = len(flipkart.ledger.calls)

    queue.work_batch(seller_id=seller.pk, kind="checks")

    row = only(GoLiveCheck)
    assert (row.passed, row.says) == (False, "it has effects, so it runs on simulator and sandbox only")
    assert as_ops(LabelRequest) == []
    assert len(flipkart.ledger.calls) == calls


def test_the_page_runs_all_that_can_run_and_shows_how_each_ended(seller, owner, clock):
    browser, address = logged_in(owner), f"/s/{seller.slug}/connection/checklist/"

    page = browser.get(address)
    assert words(page).count("never ran") == 4
    assert words(page).count("not yet") == 4
    browser.post(address, {"check": page.context["can_run"]})
    run(seller, owner, clock)

    assert words(browser.get(address)).count("failed") == 3
    assert "passed Token refresh on expiry" in words(browser.get(address))
    assert only(GoLiveCheck, name=TOKEN).state == State.DONE


def test_the_page_takes_as_many_statements_with_results_as_without(seller, owner, clock):
    browser, address = logged_in(owner), f"/s/{seller.slug}/connection/checklist/"
    without = statements(browser, address)

    run(seller, owner, clock, *CheckName)

    assert statements(browser, address) == without
