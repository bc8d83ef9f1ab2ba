"""Every fault: what the caller meets, and what really happened."""

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from shipcrowd.simulator import State
from shipcrowd.simulator.faults import GUIDE_OPERATIONS, KINDS, OPERATIONS, Faults
from tests.simulator.calling import Caller


@pytest.fixture
def packed(simulator, account):
    return simulator.world.add_shipments(account, 4, states=State.PACKED)


def marker_of(answer):
    return parse_qs(urlsplit(answer.json()["nextPageUrl"]).query)["marker"][0]


@pytest.mark.parametrize("operation", GUIDE_OPERATIONS)
@pytest.mark.parametrize(
    ("kind", "status"),
    [("token_dead", 401), ("unauthorized", 401), ("forbidden", 403), ("throttled", 429), ("server_error", 500)],
)
def test_refusals_of_the_whole_call_have_no_effect(simulator, packed, caller, operation, kind, status):
    """trust.md 27, 28, 29."""
    simulator.faults.set(operation, kind, times=1)

    assert caller.call(operation, packed).status_code == status
    assert simulator.ledger.dispatches == []
    if kind == "token_dead":
        assert caller.call(operation, packed).status_code == 401
        caller.log_in()
    assert caller.call(operation, packed).status_code == 200


def test_unauthorized_lasts_until_cleared(simulator, caller):
    simulator.faults.set("search", "unauthorized")

    assert [caller.search().status_code for _ in range(5)] == [401] * 5
    caller.log_in()
    assert caller.search().status_code == 401
    simulator.faults.clear()
    assert caller.search().status_code == 200


@pytest.mark.parametrize("after", ["-1", "1000000000", "Wed, 07 Jan 2026 10:05:00 GMT", None])
def test_retry_after_says_whatever_it_is_told(simulator, caller, after):
    """trust.md 27."""
    simulator.faults.set("search", "throttled", retry_after=after)

    assert caller.search().headers.get("Retry-After") == after


@pytest.mark.parametrize(("kind", "happened"), [("drop_before", False), ("drop_after", True)])
def test_a_dropped_connection_before_and_after_the_effect(simulator, packed, caller, kind, happened):
    """trust.md 1 and 2."""
    simulator.faults.set("dispatch", kind)

    with pytest.raises(requests.exceptions.ConnectionError):
        caller.dispatch(packed)

    assert simulator.ledger.dispatches == (packed if happened else [])
    assert [(call.status, call.fault) for call in simulator.ledger.calls_of("dispatch")] == [(0, kind)]


@pytest.mark.parametrize(("effect", "at_once", "later"), [(True, 4, 4), ("late", 0, 4), (False, 0, 0)])
def test_a_slow_answer_is_a_time_out_and_its_effect_comes_at_once_late_or_never(
    simulator, packed, caller, clock, effect, at_once, later
):
    """trust.md 3."""
    simulator.faults.set("dispatch", "slow", seconds=40, effect=effect)

    with pytest.raises(requests.exceptions.ReadTimeout):
        caller.dispatch(packed)
    caller.search()
    assert len(simulator.ledger.dispatches) == at_once
    clock.moves(seconds=40)
    caller.search()

    assert len(simulator.ledger.dispatches) == later


def test_a_pause_shorter_than_the_time_out_is_not_noticed(simulator, packed, caller):
    simulator.faults.set("dispatch", "slow", seconds=29, effect="late")

    assert caller.dispatch(packed).json()["successful"] == packed


@pytest.mark.parametrize("operation", [*GUIDE_OPERATIONS, "token"])
def test_html_and_truncated_json_are_no_json(simulator, packed, caller, operation):
    """trust.md 32."""
    for kind in ("html", "truncated"):
        simulator.faults.set(operation, kind)
        answer = caller.call(operation, packed)

        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.text)
    assert simulator.ledger.dispatches == (packed if operation == "dispatch" else [])


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        *(("search", ("shipments", 0, "dispatchByDate")), ("shipments", ("shipments", 0, "dispatchByDate"))),
        *(("shipping_details", ("shippingDetails", 0, "shipmentId")), ("dispatch", ("successful",))),
        *(("download_labels", ("labelResponses", 0, "shipmentId")), ("token", ("access_token",))),
        ("generate_labels", ("status",)),
    ],
)
def test_a_missing_field(simulator, packed, caller, operation, path):
    simulator.faults.set(operation, "missing_field")

    spoilt, whole = (caller.call(operation, packed).json() for _ in range(2))

    for step in path[:-1]:
        spoilt, whole = spoilt[step], whole[step]
    assert path[-1] not in spoilt
    assert path[-1] in whole


def test_a_missing_field_of_choice(simulator, packed, caller):
    simulator.faults.set("search", "missing_field", field="sku", row=2)

    assert ["sku" in row for row in caller.search().json()["shipments"]] == [True, True, False, True]


def test_an_unknown_state(simulator, packed, caller):
    """trust.md 40."""
    simulator.faults.set("shipments", "unknown_state", word="IN_ORBIT")

    states = [row["state"] for row in caller.shipments(packed).json()["shipments"]]

    assert states == ["IN_ORBIT", "PACKED", "PACKED", "PACKED"]


def test_a_shipment_on_two_pages(simulator, packed, caller):
    simulator.faults.set("search", "repeat_on_two_pages")

    first = caller.search(size=2)
    second = caller.search(marker_of(first), size=2)

    pages = [[row["shipmentId"] for row in page.json()["shipments"]] for page in (first, second)]
    assert pages == [packed[0:2], packed[1:3]]


def test_a_page_that_shifts_loses_one_between_two_pages(simulator, packed, caller):
    """trust.md 37."""
    simulator.faults.set("search", "shifting_page")

    first = caller.search(size=2)
    second = caller.search(marker_of(first), size=2)

    pages = [[row["shipmentId"] for row in page.json()["shipments"]] for page in (first, second)]
    assert pages == [packed[0:2], packed[3:4]]


def test_a_fault_of_paging_waits_for_a_search_of_several_pages(simulator, packed, caller):
    simulator.faults.set("search", "shifting_page")

    caller.search()
    caller.search()
    first = caller.search(size=2)

    assert [row["shipmentId"] for row in caller.search(marker_of(first)).json()["shipments"]] == packed[3:]
    assert simulator.faults.switched_on == []


def test_a_marker_that_repeats_for_ever(simulator, packed, caller):
    """trust.md 36."""
    simulator.faults.set("search", "repeating_marker")

    markers = [marker_of(caller.search(size=2))]
    markers += [marker_of(caller.search(markers[0], size=2)) for _ in range(3)]

    assert len(set(markers)) == 1


def test_has_more_without_a_marker(simulator, packed, caller):
    """trust.md 36."""
    simulator.faults.set("search", "has_more_without_marker")

    answer = caller.search().json()

    assert (answer["hasMore"], answer["nextPageUrl"]) == (True, None)


def test_a_next_page_elsewhere(simulator, packed, caller):
    """trust.md 34."""
    simulator.faults.set("search", "foreign_next_page", prefix="http://169.254.169.254")

    assert caller.search(size=2).json()["nextPageUrl"].startswith("http://169.254.169.254/v3/orders/search?marker=")


@pytest.mark.parametrize(("kind", "begins"), [("not_a_pdf", b'{"errorCode"'), ("cut_pdf", b"%PDF")])
def test_a_paper_that_is_none_or_half_of_one(simulator, packed, caller, kind, begins):
    """trust.md 42."""
    simulator.faults.set("download_labels", kind)

    spoilt, whole = (
        base64.b64decode(caller.download_labels(packed[:1]).json()["labelResponses"][0]["label"]["base64String"])
        for _ in range(2)
    )

    assert spoilt.startswith(begins)
    assert b"startxref" not in spoilt
    assert b"startxref" in whole


def test_a_spoilt_paper_waits_until_there_is_one(simulator, account, caller, clock):
    ids = simulator.world.add_shipments(account, 1)
    caller.generate_labels(ids)
    simulator.faults.set("download_labels", "not_a_pdf")

    assert not caller.download_labels(ids).json()["labelResponses"][0].get("label")
    clock.moves(seconds=5)
    spoilt = caller.download_labels(ids).json()["labelResponses"][0]["label"]["base64String"]

    assert base64.b64decode(spoilt).startswith(b'{"errorCode"')


def test_late_labels(simulator, account, caller, clock):
    ids = simulator.world.add_shipments(account, 1)
    simulator.faults.set("generate_labels", "late_labels", seconds=90)
    caller.generate_labels(ids)

    clock.moves(seconds=89)
    early = caller.download_labels(ids).json()["labelResponses"][0]
    clock.moves(seconds=1)
    late = caller.download_labels(ids).json()["labelResponses"][0]

    assert not early.get("label")
    assert late["label"]


def test_a_partial_dispatch_leaves_the_failed_half_as_it_was(simulator, packed, caller):
    simulator.faults.set("dispatch", "partial")

    answer = caller.dispatch(packed).json()

    assert answer["successful"] == simulator.ledger.dispatches == packed[2:]
    assert [row["shipmentId"] for row in answer["failed"]] == packed[:2]
    assert caller.dispatch(packed[:2]).json()["successful"] == packed[:2]


def test_failed_rows_may_be_bare_ids(simulator, packed, caller):
    simulator.faults.set("dispatch", "partial", as_strings=True)

    assert caller.dispatch(packed).json()["failed"] == packed[:2]


def test_a_silent_dispatch_does_all_and_names_half(simulator, packed, caller):
    """trust.md 4."""
    simulator.faults.set("dispatch", "silent")

    assert caller.dispatch(packed).json() == {"successful": packed[2:], "failed": []}
    assert simulator.ledger.dispatches == packed


def test_silent_labels_are_accepted_and_half_of_them_never_come(simulator, account, caller):
    ids = simulator.world.add_shipments(account, 4)
    simulator.faults.set("generate_labels", "silent")

    assert caller.generate_labels(ids).json()["status"] == "SUCCESS"
    assert simulator.ledger.labels == ids[2:]


@pytest.mark.parametrize("operation", ["shipments", "shipping_details", "download_labels"])
def test_reads_that_leave_half_out(simulator, packed, caller, operation):
    simulator.faults.set(operation, "silent")

    (rows,) = caller.call(operation, packed).json().values()

    assert [row["shipmentId"] for row in rows] == packed[2:]


def test_an_answer_that_contradicts_itself_and_one_that_names_strangers(simulator, packed, caller):
    """trust.md 5."""
    simulator.faults.set("dispatch", "contradicting")
    simulator.faults.set("dispatch", "foreign_ids", ids=["SHIP404"])

    contradicting = caller.dispatch(packed[:2]).json()
    foreign = caller.dispatch(packed[2:]).json()

    assert contradicting["successful"] == packed[:2]
    assert [row["shipmentId"] for row in contradicting["failed"]] == packed[:1]
    assert foreign["successful"] == [*packed[2:], "SHIP404"]
    assert simulator.ledger.dispatches == packed


@pytest.mark.parametrize("operation", ["token", "authorize"])
def test_oauth_can_fail_too(simulator, caller, operation):
    simulator.faults.set(operation, "server_error")
    simulator.faults.set(operation, "drop_before")
    url = f"{caller.base}/oauth-service/oauth/authorize"

    def ask():
        return caller.call("token", []) if operation == "token" else caller.session.get(url)

    assert ask().status_code == 500
    with pytest.raises(requests.exceptions.ConnectionError):
        ask()
    assert ask().status_code in (200, 400)


def test_a_fault_befalls_one_account_and_as_often_as_it_was_set(simulator, account, caller):
    other = Caller(simulator, simulator.world.add_seller("Malabar Home"))
    simulator.faults.set("search", "server_error", times=2, account=account)

    assert other.search().status_code == 200
    assert [caller.search().status_code for _ in range(3)] == [500, 500, 200]


def test_any_operation(simulator, packed, caller):
    simulator.faults.set("*", "server_error", times=None)

    assert {caller.call(operation, packed).status_code for operation in (*GUIDE_OPERATIONS, "token")} == {500}


def test_random_faults_follow_their_seed_and_their_share():
    def drawn(seed):
        faults = Faults()
        faults.randomly(share=0.2, kinds=["drop_after", "shifting_page"], seed=seed)
        return [(fault := faults.take("dispatch")) and fault.kind for _ in range(2_000)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert set(drawn(1)) == {None, "drop_after"}
    assert 320 < sum(kind is not None for kind in drawn(1)) < 480


def test_clear_ends_random_faults_as_well():
    faults = Faults()
    faults.randomly(share=1.0)
    faults.clear()

    assert faults.take("dispatch") is None


@pytest.mark.parametrize(
    ("operation", "kind"),
    [("nothing", "slow"), ("dispatch", "gremlins"), ("dispatch", "cut_pdf"), ("search", "partial")],
)
def test_a_fault_that_cannot_be_is_refused_when_it_is_set(operation, kind):
    with pytest.raises(ValueError):
        Faults().set(operation, kind)


def test_every_kind_names_operations_that_exist():
    assert all(operation in OPERATIONS for operations in KINDS.values() for operation in operations)
