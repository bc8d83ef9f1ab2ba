"""Flipkart's ways of writing a time, into aware UTC times and back.

Accepted: ISO with Z or an offset, with or without fraction; without a zone it is Indian time (guide-gaps 23); and the
habit "GMT+05:30", in ISO and in HTTP dates, which Python's own parsers read five and a half hours off (wire.md 6).
"""

import re
from datetime import UTC, datetime, timedelta, timezone

INDIAN_TIME = timezone(timedelta(hours=5, minutes=30), "IST")
# Outside these years a time is a mistake, and moving it between zones may leave the calendar.
FIRST_YEAR, LAST_YEAR = 2000, 2199

_ZONE = r"(?:\s*(?:(?P<utc>Z|z|UTC|GMT)?(?P<offset>[+-][0-9]{2}:?[0-9]{2})|(?P<zulu>Z|z|UTC|GMT)|(?P<ist>IST)))?"
_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
_ISO = re.compile(rf"(?P<year>[0-9]{{4}})-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})[Tt ]{_CLOCK}{_ZONE}\Z")
_HTTP = re.compile(
    rf"(?:[A-Z][a-z]{{2}}, ?)?(?P<day>[0-9]{{1,2}}) (?P<month>[A-Z][a-z]{{2}}) (?P<year>[0-9]{{4}}) {_CLOCK}{_ZONE}\Z"
)
_MONTH_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES.split(" "), start=1)}


def parse_time(text: str) -> datetime:
    """The moment that `text` names, in UTC. Raises ValueError for a day without a clock and for anything else."""
    match = _ISO.match(text.strip()[:64]) or _HTTP.match(text.strip()[:64])
    if match is None:
        raise ValueError("not a time")
    part = match.groupdict()
    year = int(part["year"])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError("not a year of ours")
    return datetime(
        year,
        _MONTHS[part["month"]] if part["month"] in _MONTHS else int(part["month"]),
        int(part["day"]),
        int(part["hour"]),
        int(part["minute"]),
        int(part["second"] or 0),
        int((part["fraction"] or "0").ljust(6, "0")[:6]),
        tzinfo=_zone(part),
    ).astimezone(UTC)


def format_time(at: datetime) -> str:
    """`at` as the guide writes times: "2026-01-07T10:00:00.000Z", finer is cut off. Raises ValueError when naive."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_indian_time(at: datetime) -> str:
    """`at` in Indian time, to the second: "2026-01-07T15:30:00+05:30". Raises ValueError when naive."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(INDIAN_TIME).isoformat(timespec="seconds")


def _zone(part: dict[str, str | None]) -> timezone:
    if offset := part["offset"]:
        minutes = int(offset[1:3]) * 60 + int(offset[-2:])
        return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
    return UTC if part["zulu"] else INDIAN_TIME
