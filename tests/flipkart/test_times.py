"""Flipkart's ways of writing a time."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipcrowd.flipkart.times import format_time, parse_time

TEN = datetime(2026, 1, 7, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-07T10:00:00.000Z",
        "2026-01-07T10:00:00Z",
        "2026-01-07T10:00Z",
        "2026-01-07t10:00:00z",
        "2026-01-07T15:30:00.000+05:30",
        "2026-01-07T15:30:00+05:30",
        "2026-01-07T15:30:00+0530",
        "2026-01-07T05:00:00-05:00",
        "2026-01-07T15:30:00",
        "2026-01-07 15:30:00.000",
        "2026-01-07T15:30:00 IST",
        "2026-01-07T15:30:00 GMT+05:30",
        "2026-01-07T15:30:00GMT+05:30",
        "2026-01-07T10:00:00 GMT",
        "Wed, 07 Jan 2026 15:30:00 GMT+05:30",
        "Wed, 07 Jan 2026 10:00:00 GMT",
        " 2026-01-07T10:00:00Z ",
    ],
)
def test_ten_o_clock_in_all_its_forms(text):
    """trust.md 39; guide-gaps 23: without a zone it is Indian time."""
    assert parse_time(text) == TEN
    assert parse_time(text).tzinfo is UTC


def test_the_captured_header_is_not_read_five_and_a_half_hours_off():
    """The test vector of a real notification: its signature matches with this second only (trust.md 39)."""
    assert parse_time("Tue, 03 Aug 2021 11:51:47 GMT+05:30").timestamp() == 1627971707


def test_fractions_are_kept_to_the_microsecond():
    assert parse_time("2026-01-07T10:00:00.123456789Z").microsecond == 123456
    assert parse_time("2026-01-07T10:00:00.9Z").microsecond == 900000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-07",
        "07/01/2026 10:00",
        "2026-13-07T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-01-07T25:00:00Z",
        "2026-01-07T10:00:61Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "2026-01-07T10:00:00+99:99",
        "2026-01-07T10:00:00Zulu",
        "2026-01-07T10:00:00Z\n2026",
        "٢٠٢٦-01-07T10:00:00Z",
        "1767780000",
        "Wed, 07 Foo 2026 10:00:00 GMT",
    ],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError):
        parse_time(text)


EARLIEST, LATEST = TEN.replace(year=2001, tzinfo=None), TEN.replace(year=2100, tzinfo=None)


@given(st.datetimes(min_value=EARLIEST, max_value=LATEST, timezones=st.timezones()))
def test_what_we_write_we_read_back_to_the_millisecond(at):
    written = format_time(at)

    assert 0 <= (at - parse_time(written)).total_seconds() < 0.001
    assert written.endswith("Z")


def test_a_time_without_a_zone_is_not_written():
    with pytest.raises(ValueError):
        format_time(TEN.replace(tzinfo=None))


@given(st.text(max_size=70))
def test_no_text_makes_it_raise_anything_but_value_error(text):
    try:
        assert parse_time(text).tzinfo is UTC
    except ValueError:
        return
