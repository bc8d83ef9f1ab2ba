"""The client: walks over pages, the single 401, the quota, and what reaches whom."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from shipcrowd.flipkart import client as client_module
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import Limits, Page, Span, State, Window
from shipcrowd.transport.errors import (
    Broken,
    NotAuthorized,
    Refused,
    RowError,
    Throttled,
    UnexpectedPayload,
)
from tests.flipkart.rows import page, parcels, row
from tests.flipkart.scripted import Tokens, flipkart_saying

FROM, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 8, tzinfo=UTC)


def walk(client: FlipkartClient, **changes: object) -> Iterator[Page]:
    (part,) = client.searches([State.APPROVED])
    return client.shipment_pages(part=part, window=Window(of=Span.ORDERED, begins_at=FROM, ends_at=UNTIL), **changes)


def read_until_it_ends(pages: Iterator[Page], *, says: str) -> list[Page]:
    """The pages that came before the error that says so."""
    found: list[Page] = []
    with pytest.raises(UnexpectedPayload, match=says):
        found.extend(pages)  # keeps what came before the error
    return found


def by_id(shipment_id: str) -> dict[str, object]:
    """Flipkart's answer to who asks for this one."""
    return {"shipments": [row(shipment_id)]}


def ids(pages: list[Page]) -> list[list[str]]:
    return [[shipment.flipkart_shipment_id for shipment in found.shipments] for found in pages]


def items(pages: list[Page], shipment_id: str) -> list[list[str]]:
    """The items of that shipment, each time it was handed out."""
    return [
        [item.flipkart_order_item_id for item in shipment.items]
        for found in pages
        for shipment in found.shipments
        if shipment.flipkart_shipment_id == shipment_id
    ]


# Walks


def test_pages_are_walked_by_their_markers_to_the_last():
    with flipkart_saying(
        page(row("A"), row("B"), marker="m1"), page(row("C"), marker="m2"), page(row("D"))
    ) as flipkart:
        client, asked, taken = flipkart
        pages = list(walk(client))

    assert ids(pages) == [["A"], ["B"], ["C", "D"]]
    assert asked.markers == [None, "m1", "m2"]
    assert [found.marker for found in pages] == [None, "m1", "m2"]
    assert [found.has_more for found in pages] == [True, True, False]
    assert taken == ["search", "search", "search"]


def test_an_item_on_the_next_page_is_not_lost():
    """guide-gaps 22."""
    with flipkart_saying(page(row("A"), row("B", "001"), marker="m1"), page(row("B", "002"), row("C"))) as (
        client,
        _,
        _,
    ):
        pages = list(walk(client))

    assert ids(pages) == [["A"], ["B", "C"]]
    assert items(pages, "B") == [["001", "002"]]


def test_a_shipment_over_three_pages_is_one():
    with flipkart_saying(
        page(row("A", "001"), marker="m1"), page(row("A", "002"), marker="m2"), page(row("A", "003"), row("B"))
    ) as (client, _, _):
        pages = list(walk(client))

    assert ids(pages) == [[], [], ["A", "B"]]
    assert items(pages, "A") == [["001", "002", "003"]]


def test_a_list_that_moved_by_one_row_does_not_tear_a_shipment_apart():
    """trust.md 37: the second item comes again alone, after both were handed out or held."""
    with flipkart_saying(
        page(row("A", "001"), row("A", "002"), row("B"), marker="m1"), page(row("A", "002"), row("B"), row("C"))
    ) as (client, _, _):
        pages = list(walk(client))

    assert items(pages, "A") == [["001", "002"], ["001", "002"]]
    assert items(pages, "B") == [["001"]]


def test_a_later_copy_of_a_row_is_the_one_that_counts():
    with flipkart_saying(page(row("A"), marker="m1"), page(row("A", state="CANCELLED"))) as (client, _, _):
        pages = list(walk(client))

    assert ids(pages) == [[], ["A"]]
    assert pages[1].shipments[0].state is State.CANCELLED


def test_a_walk_resumed_at_the_last_page_that_came_loses_nothing():
    first, second, third = page(row("A"), row("B"), marker="m1"), page(row("C"), row("D"), marker="m2"), page(row("E"))
    by_id = {"shipments": [row("C")]}
    with flipkart_saying(first, second, (503, {}), second, by_id, third) as (client, asked, _):
        before: list[Page] = []
        with pytest.raises(Broken):
            before.extend(walk(client))  # keeps what came before the error
        after = list(walk(client, marker=before[-1].marker))

    assert {shipment_id for found in ids(before + after) for shipment_id in found} == set("ABCDE")
    assert asked.markers == [None, "m1", "m2", "m1", "m2"]


@pytest.mark.parametrize(
    ("by_id", "items_of_it"),
    [({"shipments": [row("B", "001"), row("B", "002")]}, [["001", "002"]]), ((404, {"code": "NOT_FOUND"}), [])],
)
def test_a_resumed_walk_hands_out_no_half_of_a_shipment_that_began_on_the_page_before(by_id, items_of_it):
    second = page(row("B", "002"), row("C"), row("D"), marker="m2")
    with flipkart_saying(second, by_id, page(row("E"))) as (client, _, _):
        pages = list(walk(client, marker="m1"))

    assert items(pages, "B") == items_of_it
    assert [hole.flipkart_shipment_id for found in pages for hole in found.unreadable] == ([] if items_of_it else ["B"])
    assert {shipment_id for found in ids(pages) for shipment_id in found} >= set("CDE")


def test_a_hole_on_the_next_page_takes_the_shipment_that_was_held_back_with_it():
    with flipkart_saying(
        page(row("A"), row("B", "001"), marker="m1"), page(row("B", "002", quantity=None), row("C"))
    ) as (client, _, _):
        pages = list(walk(client))

    assert ids(pages) == [["A"], ["C"]]
    assert [hole.flipkart_shipment_id for hole in pages[1].unreadable] == ["B"]


def test_the_other_half_of_a_shipment_with_a_hole_does_not_pass_for_whole():
    with flipkart_saying(
        page(row("A"), row("B", "001", quantity=None), marker="m1"), page(row("B", "002"), row("C"))
    ) as (client, _, _):
        pages = list(walk(client))

    assert ids(pages) == [[], ["A", "C"]]
    assert [hole.flipkart_shipment_id for hole in pages[0].unreadable] == ["B"]


def test_halves_of_a_shipment_that_contradict_each_other_are_unreadable():
    with flipkart_saying(page(row("A", "001"), marker="m1"), page(row("A", "002", orderId="OD9"), row("B"))) as (
        client,
        _,
        _,
    ):
        pages = list(walk(client))

    assert ids(pages) == [[], ["B"]]
    assert [hole.flipkart_shipment_id for hole in pages[1].unreadable] == ["A"]


@pytest.mark.parametrize(
    ("script", "handed_out", "says"),
    [
        ([page(row("A"), marker="m1"), page(row("B"), marker="m1"), by_id("B")], [[], ["A"], ["B"]], "circle"),
        (
            [page(row("A"), marker="m1"), page(row("B"), marker="m2"), page(row("C"), marker="m1"), by_id("C")],
            [[], ["A"], ["B"], ["C"]],
            "circle",
        ),
        ([{"shipments": [row("A")], "hasMore": True}, by_id("A")], [[], ["A"]], "nextPageUrl: missing"),
        ([{"shipments": [row("A")], "hasMore": True, "nextPageUrl": "/x"}, by_id("A")], [[], ["A"]], "no marker"),
        ([{"shipments": [row("A")]}, by_id("A")], [[], ["A"]], "hasMore: missing"),
        ([page(marker=f"m{number}") for number in range(20)], [[]] * 20, "20 empty pages"),
    ],
    ids=["at once", "later", "no url", "no marker", "no hasMore", "empty pages"],
)
def test_a_walk_that_cannot_go_on_says_so_after_all_that_was_read(script, handed_out, says):
    """trust.md 36."""
    with flipkart_saying(*script) as (client, asked, _):
        pages = read_until_it_ends(walk(client), says=says)

    assert ids(pages) == handed_out
    assert len(asked.asked) == len(script)


@pytest.mark.parametrize(
    ("answer", "items_of_it"),
    [({"shipments": [row("B", "001"), row("B", "002")]}, [["001", "002"]]), ((404, {"code": "NOT_FOUND"}), [])],
)
def test_a_walk_that_cannot_go_on_hands_out_no_half_of_its_last_shipment(answer, items_of_it):
    last = {"shipments": [row("A"), row("B", "001")], "hasMore": True}
    with flipkart_saying(last, answer) as (client, _, _):
        pages = read_until_it_ends(walk(client), says="nextPageUrl: missing")

    assert items(pages, "A") == [["001"]]
    assert items(pages, "B") == items_of_it
    assert [hole.flipkart_shipment_id for found in pages for hole in found.unreadable] == ([] if items_of_it else ["B"])


def test_a_resumed_walk_notices_a_marker_that_points_at_itself():
    with flipkart_saying(page(row("A"), marker="m1"), by_id("A"), by_id("A")) as (client, _, _):
        assert ids(read_until_it_ends(walk(client, marker="m1"), says="circle")) == [[], ["A"]]


def test_pages_without_end_end(monkeypatch):
    """trust.md 36."""
    monkeypatch.setattr(client_module, "MOST_PAGES", 5)
    without_end = [page(row(f"S{number}"), marker=f"m{number}") for number in range(5)]
    with flipkart_saying(*without_end, by_id("S4")) as (client, asked, _):
        pages = read_until_it_ends(walk(client), says="more than 5 pages")

    assert ids(pages) == [[], ["S0"], ["S1"], ["S2"], ["S3"], ["S4"]]
    assert len(asked.asked) == 6


def test_an_empty_answer_is_one_empty_page():
    with flipkart_saying(page()) as (client, _, _):
        assert list(walk(client)) == [Page(shipments=())]


# The token


def test_a_401_renews_the_token_that_failed_and_asks_once_more():
    """Guide 1.7."""
    tokens = Tokens("token-1", "token-2")
    with flipkart_saying((401, {"error": "invalid_token"}), {"shipments": []}, tokens=tokens) as (client, asked, taken):
        client.fetch_shipments(["A"])

    assert tokens.failed == ["token-1"]
    assert asked.bearers == ["Bearer token-1", "Bearer token-2"]
    assert taken == ["shipments", "shipments"]


def test_a_second_401_goes_to_the_caller():
    tokens = Tokens("token-1", "token-2", "token-3")
    with (
        flipkart_saying((401, {"error": "invalid_token"}), (401, {}), tokens=tokens) as (client, asked, _),
        pytest.raises(NotAuthorized) as failure,
    ):
        client.dispatch(["A"])

    assert failure.value.status == 401
    assert len(asked.asked) == 2


def test_a_renewal_that_brings_the_same_token_is_not_tried():
    with (
        flipkart_saying((401, {"error": "invalid_token"})) as (client, asked, _),
        pytest.raises(NotAuthorized) as failure,
    ):
        client.dispatch(["A"])

    assert failure.value.code == "invalid_token"
    assert len(asked.asked) == 1


def test_a_403_is_not_mended_by_a_new_token():
    tokens = Tokens("token-1", "token-2")
    with (
        flipkart_saying((403, {"errors": [{"code": "FORBIDDEN"}]}), tokens=tokens) as (client, _, _),
        pytest.raises(NotAuthorized) as failure,
    ):
        client.fetch_shipments(["A"])

    assert (failure.value.status, failure.value.code, tokens.failed) == (403, "FORBIDDEN", [])


# The rest


def test_the_quota_may_refuse_a_call_before_it_is_made():
    def no_more(operation: str) -> None:
        raise Throttled(operation)

    with flipkart_saying() as (client, asked, _):
        client._before_call = no_more
        with pytest.raises(Throttled):
            client.fetch_shipments(["A"])

    assert asked.asked == []


def test_nothing_is_sent_again_but_after_a_401():
    with flipkart_saying((500, {}), (429, {})) as (client, asked, _):
        with pytest.raises(Broken):
            client.dispatch(["A"])
        with pytest.raises(Throttled):
            client.dispatch(["A"])

    assert len(asked.asked) == 2


def test_a_refusal_brings_its_code_and_its_rows_and_not_its_words():
    said = {"errors": [{"code": "INVALID_STATE", "message": "Asha is angry", "path": "shipmentIds[0]"}]}
    with flipkart_saying((422, said)) as (client, _, _), pytest.raises(Refused) as failure:
        client.dispatch(["A"])

    assert str(failure.value) == "dispatch: refused (HTTP 422, INVALID_STATE)"
    assert failure.value.rows == (RowError(code="INVALID_STATE", path="shipmentIds[0]"),)


def test_the_limits_are_those_of_the_wire():
    with flipkart_saying() as (client, _, _):
        assert client.limits == Limits(page=50, ids=50, details=50, labels=20, papers=20, dispatch=25)


def test_a_batch_beyond_its_limit_costs_no_call():
    with flipkart_saying() as (client, _, taken):
        for call, most in ((client.dispatch, 25), (client.generate_labels, 20), (client.fetch_shipments, 50)):
            ids = [f"SHIP{number}" for number in range(most + 1)]
            with pytest.raises(ValueError):
                call(parcels(ids) if call == client.generate_labels else ids)

    assert taken == []


def test_shipping_details_are_an_error_only_when_none_can_be_read():
    rows = [{"shipmentId": "A", "trackingId": 1.5}, {"shipmentId": "B"}]
    with flipkart_saying({"shippingDetails": rows}, {"shippingDetails": rows[:1]}, {"shippingDetails": []}) as flipkart:
        client, _, _ = flipkart
        assert [details.flipkart_shipment_id for details in client.fetch_shipping_details(["A", "B"])] == ["B"]
        with pytest.raises(UnexpectedPayload, match=r"shippingDetails\[0\].trackingId: not a text"):
            client.fetch_shipping_details(["A"])
        assert client.fetch_shipping_details(["A"]) == ()
