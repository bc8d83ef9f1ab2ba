"""What the headless demo finds wrong with a day, held against the simulator's ledger."""

import pytest

from shipcrowd.portal.headless import ALL, DUE, HELD, MOST_CALLS, NOT_YET_DUE, Job

FAULTS = [
    ("search", "unauthorized"),
    ("search", "throttled"),
    ("generate_labels", "drop_after"),
    ("generate_labels", "late_labels"),
    ("generate_labels", "late_labels"),
    ("dispatch", "drop_after"),
]


@pytest.fixture
def job() -> Job:
    """A day on which everything went as it should."""
    job = Job(say=str)
    job.ledger = {"effects": [], "calls": [{"operation": at, "fault": kind} for at, kind in FAULTS]}
    for number, day in enumerate(job.days):
        ids = [f"SHIP{number}{at:03}" for at in range(DUE)]
        day.account, day.cancelled, day.left_out = f"account {number}", ids[-1], [[ids[-1], "cancelled"]]
        day.ingested, day.held, day.not_yet_due, day.labels = ALL, HELD, NOT_YET_DUE, DUE
        day.pages = day.dispatched = DUE - 1
        day.calls = day.fewest_calls
        job.ledger["effects"] += [
            {"kind": kind, "account": day.account, "shipment_id": shipment_id}
            for kind, some in (("pack", ids), ("cancel", ids[-1:]), ("dispatch", ids[:-1]))
            for shipment_id in some
        ]
    return job


def test_a_day_as_it_should_be(job):
    assert job.what_is_wrong() == []


@pytest.mark.parametrize(("operation", "kind"), dict.fromkeys(FAULTS))
def test_a_fault_that_did_not_come_is_named(job, operation, kind):
    times = FAULTS.count((operation, kind))
    job.ledger["calls"].remove({"operation": operation, "fault": kind})

    assert job.what_is_wrong() == [f"The fault {kind} befell {times - 1} calls of {operation}, expected {times}"]


def test_a_fault_that_nobody_planted_is_named(job):
    job.ledger["calls"].append({"operation": "search", "fault": "html"})

    assert job.what_is_wrong() == ["The fault html befell 1 calls of search, expected 0"]


def test_a_buyer_who_did_not_cancel_is_told(job):
    job.ledger["effects"] = [effect for effect in job.ledger["effects"] if effect["shipment_id"] != "SHIP1114"] + [
        effect for effect in job.ledger["effects"] if (effect["shipment_id"], effect["kind"]) == ("SHIP1114", "pack")
    ]

    assert job.what_is_wrong() == ["Cancelled were SHIP0114, and not one of each seller"]


def test_more_calls_than_the_job_can_take_are_told_and_fewer_too(job):
    first, second = job.days
    fewest = first.fewest_calls
    first.calls, second.calls = MOST_CALLS * fewest + 1, fewest - 1

    assert job.what_is_wrong() == [
        f"Asha Textiles: {MOST_CALLS * fewest + 1} calls, where {fewest} can do",
        f"Bharat Kitchenware: {fewest - 1} calls, where {fewest} can do",
    ]


def test_a_parcel_that_was_dispatched_twice_is_told(job):
    job.ledger["effects"].append({"kind": "dispatch", "account": "account 0", "shipment_id": "SHIP0000"})

    assert job.what_is_wrong() == [f"Asha Textiles: Flipkart counts {DUE} of dispatch, expected {DUE - 1}"]
