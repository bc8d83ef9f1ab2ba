"""What a person presses: consequences first, one act, words about the outcome; and papers for members only."""

import io
import re
from uuid import uuid4

import pytest
import zxingcpp
from django.test import Client
from django.utils import timezone
from PIL import Image

from fulfillment.models import Dispatch, Document, LabelRequest, PrintJob, PrintStack
from orders.models import Shipment
from sellers.models import Role
from shipcrowd import files
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention, State
from tests import factories
from tests.factories import as_ops, reload
from tests.fulfillment.warehouse import ask_labels, ask_print, drain, only, papers, read_long_ago, take_in, work_on

HTMX = {"HTTP_HX_REQUEST": "true"}
OPTIONS = {"layout": "thermal", "sorting": "sku", "stack_size": "200"}


@pytest.fixture
def shipments(seller, account, flipkart) -> list[Shipment]:
    return take_in(seller, flipkart.world.add_shipments(account, 3))


@pytest.fixture
def client(packer) -> Client:
    return logged_in(packer)


def logged_in(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def address(seller, path: str) -> str:
    return f"/s/{seller.slug}/{path}"


def public_ids(shipments) -> list[str]:
    return [str(shipment.public_id) for shipment in shipments]


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def labelled(seller, shipments, packer, clock) -> None:
    ask_labels(seller, shipments, packer)
    work_on(clock)


# --- Two steps -------------------------------------------------------------------------------------------------------


def test_requesting_labels_first_says_what_becomes_impossible_and_does_nothing(client, seller, shipments):
    response = client.post(address(seller, "labels/request/"), {"shipment": public_ids(shipments)})

    page = response.content.decode()
    assert response.status_code == 200
    assert "a packed shipment can no longer be cancelled by you" in page
    assert "Request labels: 3 shipments" in page
    assert as_ops(LabelRequest) == []


def test_the_consequences_name_what_will_be_left_out(client, seller, account, flipkart, shipments):
    held = take_in(seller, flipkart.world.add_shipments(account, 1, held=True))

    page = client.post(
        address(seller, "labels/request/"), {"shipment": public_ids([*shipments, *held])}
    ).content.decode()

    assert "1 on hold at Flipkart" in page
    assert held[0].flipkart_shipment_id in page


def test_confirmed_labels_are_requested_and_the_outcome_is_said_on_the_page_one_came_from(
    client, seller, shipments, packer
):
    back = address(seller, "shipments/?stage=to_label")

    response = client.post(
        address(seller, "labels/request/"),
        {"shipment": public_ids(shipments), "confirmed": "1", "back": back},
        follow=True,
    )

    assert response.redirect_chain == [(back, 302)]
    assert said(response) == ["3 on their way"]
    assert {row.asked_by_id for row in as_ops(LabelRequest)} == {packer.pk}


def test_the_forms_own_fields_lead_from_the_consequences_to_the_act(client, seller, shipments):
    page = client.post(address(seller, "labels/request/"), {"shipment": public_ids(shipments)}).content.decode()
    form = page[page.index('name="confirmed"') :]
    fields = re.findall(r'name="(confirmed|once|shipment)" value="([^"]+)"', 'name="confirmed"' + form[16:])

    client.post(
        address(seller, "labels/request/"),
        {name: [value for other, value in fields if other == name] for name, _ in fields},
    )

    assert len(as_ops(LabelRequest)) == 3


def test_all_that_match_the_list_are_taken_with_its_filters(client, seller, account, flipkart, shipments):
    cod = take_in(seller, flipkart.world.add_shipments(account, 2, cod=True))

    client.post(
        address(seller, "labels/request/"),
        {"all_matching": "1", "query": "stage=to_label&payment=COD&facility=", "confirmed": "1"},
    )

    assert sorted(row.shipment_id for row in as_ops(LabelRequest)) == sorted(shipment.pk for shipment in cod)


def test_more_than_can_be_ticked_goes_by_all_that_match(client, seller, account, flipkart):
    take_in(seller, flipkart.world.add_shipments(account, 700))

    response = client.post(
        address(seller, "labels/request/"),
        {"all_matching": "1", "query": "stage=to_label&facility=", "confirmed": "1"},
        follow=True,
    )

    assert said(response) == ["700 on their way"]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({}, "Choose at least one shipment."),
        ({"shipment": ["not an id"]}, "Select a valid choice. not an id is not one of the available choices."),
        ({"shipment": [str(uuid4()) for _ in range(501)]}, "Choose at most 500, or all that match."),
        ({"all_matching": "1", "query": "stage=nowhere"}, None),
        ({"all_matching": "1", "query": "q=x"}, "Give at least 3 characters of the id."),
    ],
)
@pytest.mark.parametrize("path", ["labels/request/", "print/request/", "dispatch/request/"])
def test_bad_input_is_answered_in_words_and_changes_nothing(client, seller, path, sent, words):
    response = client.post(address(seller, path), sent | {"confirmed": "1"}, follow=True)

    assert response.status_code == 200
    assert said(response) == [words] if words else len(said(response)) == 1
    assert as_ops(LabelRequest) == as_ops(Dispatch) == as_ops(PrintJob) == []


def test_one_is_never_sent_back_to_somebody_elses_page(client, seller, shipments):
    response = client.post(
        address(seller, "labels/request/"),
        {"shipment": public_ids(shipments), "confirmed": "1", "back": "https://evil.example/"},
    )

    assert response["Location"] == address(seller, "")


def test_dispatch_is_confirmed_and_asked_for(client, seller, account, flipkart):
    packed = take_in(seller, flipkart.world.add_shipments(account, 2, states="PACKED"))
    page = client.post(address(seller, "dispatch/request/"), {"shipment": public_ids(packed)}).content.decode()
    assert "tells the courier to collect" in page

    client.post(address(seller, "dispatch/request/"), {"shipment": public_ids(packed), "confirmed": "1"})
    drain()

    assert len(flipkart.ledger.dispatches) == 2


# --- Print -----------------------------------------------------------------------------------------------------------


def test_a_print_job_is_shown_while_it_works_and_opens_when_it_is_done(
    client, seller, account, flipkart, shipments, packer, clock
):
    labelled(seller, shipments, packer, clock)
    unlabelled = take_in(seller, flipkart.world.add_shipments(account, 1))
    response = client.post(
        address(seller, "print/request/"),
        {"shipment": public_ids([*shipments, *unlabelled]), "confirmed": "1", "once": str(uuid4()), **OPTIONS},
    )
    (job,) = as_ops(PrintJob)
    assert response["Location"] == address(seller, f"print/{job.public_id}/")
    working = client.get(response["Location"]).content.decode()
    assert 'hx-trigger="every 1s' in working
    assert "Waiting for its turn" in working

    drain()
    part = client.get(response["Location"], **HTMX).content.decode()

    assert "<html" not in part
    assert "hx-trigger" not in part
    assert "3 labels; 1 left out" in part
    assert unlabelled[0].flipkart_shipment_id in part
    pdf = client.get(address(seller, f"print/{job.public_id}/A/labels.pdf"))
    assert pdf.status_code == 200
    assert pdf.content.startswith(b"%PDF")
    stack = only(PrintStack)
    assert (stack.opened_by_id, stack.opened_at is not None) == (packer.pk, True)


def test_a_double_click_on_print_is_one_job(client, seller, shipments):
    """trust.md 18."""
    sent = {"shipment": public_ids(shipments), "confirmed": "1", "once": str(uuid4()), **OPTIONS}

    first, second = (client.post(address(seller, "print/request/"), sent) for _ in range(2))

    assert first["Location"] == second["Location"]
    assert len(as_ops(PrintJob)) == 1


def test_a_job_that_waits_for_flipkart_offers_to_print_unchecked(client, seller, shipments, packer, clock, flipkart):
    labelled(seller, shipments, packer, clock)
    read_long_ago()
    flipkart.faults.set("shipments", "drop_before")
    job = ask_print(seller, shipments, packer)
    drain()
    page = client.get(address(seller, f"print/{job.public_id}/")).content.decode()
    assert "Flipkart did not answer at" in page
    assert re.search(r"Print unchecked, last read \d\d:\d\d", page)
    flipkart.faults.set("shipments", "drop_before")

    client.post(address(seller, f"print/{job.public_id}/unchecked/"))
    drain()

    assert only(PrintStack).storage_key
    assert "Unchecked since" in client.get(address(seller, f"print/{job.public_id}/")).content.decode()


def test_print_jobs_are_listed_in_a_constant_number_of_statements(
    client, seller, shipments, packer, django_assert_num_queries
):
    def statements() -> int:
        from django.db import connection  # noqa: PLC0415 - only this count needs it
        from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

        with CaptureQueriesContext(connection) as captured:
            assert client.get(address(seller, "print/")).status_code == 200
        return len(captured)

    ask_print(seller, shipments, packer)
    one = statements()
    for _ in range(6):
        ask_print(seller, shipments, packer)

    assert statements() == one


# --- Papers ----------------------------------------------------------------------------------------------------------


def test_a_paper_is_served_to_members_unsniffed_and_uncached(client, seller, shipments, packer, clock):
    """trust.md 72."""
    labelled(seller, shipments[:1], packer, clock)
    label = papers(shipments[0])[0]

    response = client.get(address(seller, f"documents/{label.public_id}.pdf"))

    assert response.content == files.read_checked(label.storage_key, label.sha256)
    assert response["Content-Type"] == "application/pdf"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, no-store"
    assert response["Content-Security-Policy"].startswith("sandbox;")
    assert response["Content-Disposition"] == (f'inline; filename="label-{shipments[0].flipkart_shipment_id}-1.pdf"')


def test_a_shipments_page_shows_pictures_of_its_newest_papers(client, seller, shipments, packer, clock):
    labelled(seller, shipments[:1], packer, clock)
    (label,) = [paper for paper in papers(shipments[0]) if paper.paper == "label"]

    page = client.get(address(seller, f"shipments/{shipments[0].public_id}/")).content.decode()
    picture = client.get(address(seller, f"documents/{label.public_id}.png"))

    assert page.count("documents/") == 9  # a link and a picture each, and the list's own links
    assert (picture["Content-Type"], picture.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert picture["Cache-Control"].startswith("private")
    width, height = Image.open(io.BytesIO(picture.content)).size
    assert (max(width, height), zxingcpp.read_barcodes(Image.open(io.BytesIO(picture.content))) != []) == (640, True)


def test_a_paper_that_cannot_be_drawn_has_no_picture(client, seller, shipments, packer, clock, documents):
    labelled(seller, shipments[:1], packer, clock)
    for path in documents.rglob("label/*.pdf"):
        path.write_bytes(b"%PDF-1.4 cut off")

    answers = [client.get(address(seller, f"documents/{paper.public_id}.png")) for paper in papers(shipments[0])]

    assert sorted(answer.status_code for answer in answers) == [200, 200, 404]


def test_a_paper_whose_file_is_gone_is_a_sentence_and_no_traceback(client, seller, shipments, packer, clock, documents):
    labelled(seller, shipments[:1], packer, clock)
    label = papers(shipments[0])[0]
    (documents / label.storage_key).unlink()

    response = client.get(address(seller, f"documents/{label.public_id}.pdf"))

    assert response.status_code == 503
    assert "The stored file is gone from the file storage" in response.content.decode()


@pytest.mark.parametrize("path", ["documents/{document}.pdf", "print/{job}/A/labels.pdf", "print/{job}/"])
def test_another_sellers_papers_do_not_exist(seller, other_seller, shipments, packer, clock, path):
    """trust.md 53: in their own address, and in the stranger's."""
    labelled(seller, shipments[:1], packer, clock)
    job = ask_print(seller, shipments[:1], packer)
    drain()
    path = path.format(document=papers(shipments[0])[0].public_id, job=job.public_id)
    stranger = logged_in(factories.member(other_seller, Role.OWNER))

    assert logged_in(packer).get(address(seller, path)).status_code == 200
    assert stranger.get(address(seller, path)).status_code == 404
    assert stranger.get(address(other_seller, path)).status_code == 404


def test_another_sellers_shipments_cannot_be_chosen(seller, other_seller, shipments):
    """trust.md 53, 55."""
    stranger = logged_in(factories.member(other_seller, Role.OWNER))

    for path in ("labels/request/", "print/request/", "dispatch/request/"):
        stranger.post(address(other_seller, path), {"shipment": public_ids(shipments), "confirmed": "1", **OPTIONS})

    assert as_ops(LabelRequest) == as_ops(Dispatch) == []
    assert {job.asked_for for job in as_ops(PrintJob)} <= {0}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "labels/request/"),
        ("post", "print/request/"),
        ("post", "dispatch/request/"),
        ("post", "work/retry/"),
        ("get", "documents/00000000-0000-4000-8000-000000000000.pdf"),
        ("get", "print/00000000-0000-4000-8000-000000000000/A/labels.pdf"),
    ],
)
def test_who_only_looks_may_not_act_nor_open_papers(seller, method, path):
    viewer = logged_in(factories.member(seller, Role.VIEWER))

    assert getattr(viewer, method)(address(seller, path)).status_code == 403


# --- Retry -----------------------------------------------------------------------------------------------------------


def test_rows_of_several_kinds_are_retried_with_one_press(client, seller, shipments, packer, clock, flipkart):
    flipkart.faults.set("generate_labels", "partial", code="INVALID_HSN")
    ask_labels(seller, shipments, packer)
    drain()
    refused = as_ops(LabelRequest, attention=Attention.REFUSED)
    with seller_scope(seller):
        parcel = Shipment.objects.get(pk=shipments[0].pk)
        given_up = Dispatch.objects.create(
            seller=seller, shipment=parcel, state=State.GIVEN_UP, attention=Attention.GIVEN_UP
        )

    response = client.post(
        address(seller, "work/retry/"), {"row": [str(row.public_id) for row in (*refused, given_up)]}, follow=True
    )
    assert said(response) == [f"{len(refused) + 1} tried again"]
    work_on(clock)

    assert {row.state for row in as_ops(LabelRequest)} == {State.DONE}
    assert reload(given_up).attention != Attention.GIVEN_UP


def test_a_row_that_waits_has_its_turn_at_once(client, seller, shipments, packer, flipkart):
    flipkart.faults.set("generate_labels", "late_labels", seconds=3600)
    ask_labels(seller, shipments[:1], packer)
    drain()
    asleep = only(LabelRequest)
    assert asleep.wake_at > timezone.now()

    client.post(address(seller, "work/retry/"), {"row": [str(asleep.public_id)]})

    assert only(LabelRequest).wake_at <= timezone.now()


def test_who_presses_again_and_again_does_not_shorten_the_grace_of_a_lost_answer(
    client, seller, shipments, packer, flipkart
):
    flipkart.faults.set("generate_labels", "drop_before")
    ask_labels(seller, shipments[:1], packer)
    with factories.ops():
        LabelRequest.objects.update(attention=Attention.RECONNECT)  # it waited for the connection before it was sent
    drain()
    assert (only(LabelRequest).state, only(LabelRequest).attention) == (State.UNKNOWN, "")

    for _ in range(3):
        client.post(address(seller, "work/retry/"), {"row": [str(only(LabelRequest).public_id)]})
        drain()

    row = only(LabelRequest)
    assert (row.state, row.read_backs) == (State.UNKNOWN, 1)
    assert row.wake_at > timezone.now()
    assert len(flipkart.ledger.calls_of("generate_labels")) == 1


def test_another_sellers_rows_are_not_retried(seller, other_seller, shipments, packer, flipkart):
    flipkart.faults.set("generate_labels", "partial", code="INVALID_HSN")
    ask_labels(seller, shipments[:1], packer)
    drain()
    stranger = logged_in(factories.member(other_seller, Role.OWNER))

    stranger.post(address(other_seller, "work/retry/"), {"row": [str(only(LabelRequest).public_id)]})

    assert only(LabelRequest).state == State.REFUSED


def test_nothing_to_retry_is_said(client, seller):
    response = client.post(address(seller, "work/retry/"), {}, follow=True)

    assert said(response) == ["Choose at least one row."]


def test_a_document_of_the_shipment_page_is_the_one_that_is_stored(client, seller, shipments, packer, clock):
    labelled(seller, shipments[:1], packer, clock)

    page = client.get(address(seller, f"shipments/{shipments[0].public_id}/")).content.decode()

    assert all(f"documents/{paper.public_id}.pdf" in page for paper in as_ops(Document))
