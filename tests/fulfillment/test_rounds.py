"""Print rounds: ops print for several sellers, each with a job of its own, and open one PDF."""

from uuid import uuid4

import pypdfium2
import pytest

from fulfillment.models import PrintJob, PrintStack
from orders.models import Shipment
from sellers.models import Facility
from shipcrowd.audit.models import AuditEntry
from tests import factories
from tests.browsing import logged_in, statements, words
from tests.factories import as_ops
from tests.fulfillment.warehouse import ask_labels, drain, take_in, work_on

PRESSED = {"layout": "thermal", "sorting": "sku", "has_separators": "on", "reason": "the warehouse prints for all"}


@pytest.fixture
def other(flipkart):
    return factories.connected_seller(flipkart, name="Brass Works", facilities=2)


@pytest.fixture
def ops():
    return logged_in(factories.user(username="ops", is_staff=True, is_superuser=True))


@pytest.fixture
def labelled(connected, other, flipkart, clock):
    """Two labelled parcels of each seller, the other's in two places."""
    for each in (connected, other):
        made = [*flipkart.world.add_shipments(each.account, 2)]
        ask_labels(each.seller, take_in(each.seller, made), factories.member(each.seller))
    work_on(clock)


def all_places(client) -> list[str]:
    return [str(place.public_id) for one in client.get("/print/").context["every"] for place in one.places]


def press(client, places, **said):
    return client.post("/print/", PRESSED | {"place": places, "round": str(uuid4())} | said)


def pages(response) -> list[str]:
    with pypdfium2.PdfDocument(b"".join(response.streaming_content)) as pdf:
        return [page.get_textpage().get_text_bounded() for page in pdf]


def test_each_seller_gets_a_job_and_all_of_them_one_pdf(connected, other, labelled, ops):
    response = press(ops, all_places(ops))
    drain()

    jobs = as_ops(PrintJob)
    assert {job.seller_id for job in jobs} == {connected.seller.pk, other.seller.pk}
    assert len({job.round_id for job in jobs}) == 1
    assert "Ready: 2 sellers" in words(ops.get(response["Location"]))
    joined = pages(ops.get(f"{response['Location']}labels.pdf"))
    heads = [number for number, text in enumerate(joined) if text.startswith("Print round")]
    assert [joined[number].split("\n")[1].strip() for number in heads] == sorted(
        [connected.seller.name, other.seller.name], key=str.casefold
    )
    assert len(joined) == 2 + sum(stack.pages for stack in as_ops(PrintStack))
    for shipment in as_ops(Shipment):
        first, last = (heads[0], heads[1]) if shipment.seller_id == other.seller.pk else (heads[1], len(joined))
        assert any(shipment.tracking_id in text for text in joined[first:last])


def test_opened_together_each_stack_says_who_has_it(labelled, ops):
    address = press(ops, all_places(ops))["Location"]
    drain()

    pages(ops.get(f"{address}labels.pdf"))

    assert {stack.opened_by.username for stack in factories.as_ops(PrintStack)} == {"ops"}


def test_the_labels_of_a_round_are_opened_with_a_reason_for_each_of_its_sellers(connected, other, labelled, ops):
    address = press(ops, all_places(ops))["Location"]
    drain()
    colleague = logged_in(factories.user(username="colleague", is_staff=True))

    refused = colleague.get(f"{address}labels.pdf")
    asks = colleague.get(refused["Location"])

    assert (refused.status_code, refused["Location"]) == (302, address)
    assert "say why you open them" in words(asks)
    assert "labels.pdf" not in asks.content.decode()
    assert {stack.opened_by_id for stack in as_ops(PrintStack)} == {None}

    assert "labels.pdf" not in colleague.post(address, {"reason": "x"}).content.decode()
    assert "labels.pdf" in colleague.post(address, {"reason": "the printer jammed"}, follow=True).content.decode()
    pages(colleague.get(f"{address}labels.pdf"))

    opened = as_ops(AuditEntry, did="opened the labels of a print round")
    assert {(entry.about_id, entry.by.username, entry.why) for entry in opened} == {
        (each.seller.pk, "colleague", "the printer jammed") for each in (connected, other)
    }


def test_a_reason_for_one_seller_opens_no_round_of_two(connected, labelled, ops):
    address = press(ops, all_places(ops))["Location"]
    drain()
    colleague = logged_in(factories.user(is_staff=True))

    colleague.post(f"/sellers/{connected.seller.slug}/reason/", {"reason": "a call about labels"})

    assert colleague.get(f"{address}labels.pdf")["Location"] == address


def test_only_the_places_that_were_ticked_are_printed(connected, other, labelled, ops):
    place = as_ops(Facility, seller=other.seller)[0]

    press(ops, [str(place.public_id)])
    drain()

    assert [job.seller_id for job in as_ops(PrintJob)] == [other.seller.pk]
    assert {s.facility_id for s in as_ops(Shipment, printed_at__isnull=False)} == {place.pk}


def test_the_reason_is_said_once_and_each_seller_reads_it(connected, other, labelled, ops):
    press(ops, all_places(ops))

    said = as_ops(AuditEntry, why="the warehouse prints for all")
    assert {(entry.about_id, entry.by_id is not None) for entry in said} == {
        (connected.seller.pk, True),
        (other.seller.pk, True),
    }


def test_a_second_press_of_the_same_page_is_the_same_round(labelled, ops):
    places, once = all_places(ops), str(uuid4())

    first, again = press(ops, places, round=once), press(ops, places, round=once)

    assert first["Location"] == again["Location"]
    assert len(as_ops(PrintJob)) == 2


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"place": []}, "Choose at least one place to print for."),
        ({"reason": "x"}, "Ensure this value has at least 5 characters"),
        ({"place": ["nonsense"]}, "nonsense"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_printed(labelled, ops, said, says):
    assert says in words(ops.post("/print/", PRESSED | {"place": all_places(ops), "round": str(uuid4())} | said))
    assert as_ops(PrintJob) == []


def test_what_was_printed_meanwhile_gives_words_and_no_round(labelled, ops):
    places = all_places(ops)
    press(ops, places)
    drain()

    response = ops.post("/print/", PRESSED | {"place": places, "round": str(uuid4())}, follow=True)

    assert "Nothing of what you chose waits to be printed any more." in words(response)
    assert "Nothing waits to be printed" in words(response)
    assert len(as_ops(PrintJob)) == 2


def test_a_round_that_has_no_paper_yet_says_so(labelled, ops):
    address = press(ops, all_places(ops))["Location"]

    assert "0 of 2 sellers have paper" in words(ops.get(address))
    response = ops.get(f"{address}labels.pdf")
    assert (response.status_code, "there is nothing to print" in words(response).lower()) == (503, True)


def test_members_and_strangers_see_no_rounds(connected, labelled, ops):
    address = press(ops, all_places(ops))["Location"]
    owner = logged_in(factories.member(connected.seller))

    assert [owner.get(page).status_code for page in ("/print/", address, f"{address}labels.pdf")] == [404] * 3
    assert ops.get(f"/print/{uuid4()}/").status_code == 404


def test_the_page_takes_as_many_statements_for_many_sellers(labelled, ops, flipkart, clock):
    ops.get("/print/")
    before = statements(ops, "/print/")
    third = factories.connected_seller(flipkart, facilities=2)
    made = flipkart.world.add_shipments(third.account, 3)
    ask_labels(third.seller, take_in(third.seller, list(made)), factories.member(third.seller))
    work_on(clock)

    assert statements(ops, "/print/") == before
