"""What every wire reads alike: ids, times, error codes, markers of pages. Strict, and never quoting what it refuses."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from shipcrowd.flipkart.times import parse_time
from shipcrowd.flipkart.types import PaymentType, RowOutcome, Unreadable
from shipcrowd.transport import Answer
from shipcrowd.transport.errors import RowError, UnexpectedPayload, safe_code, safe_path
from shipcrowd.transport.json_body import Node, Twice, parse_json, storable

# Guide 1.4 and 8.1, wire.md 1.
HOSTS: Mapping[str, str] = MappingProxyType(
    {"production": "https://api.flipkart.net", "sandbox": "https://sandbox-api.flipkart.net"}
)
# An id goes into a path: dots alone would climb out of it, and a comma or a slash would make two of one.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}\Z")
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}\Z")
MARKER_LENGTH = 8192
_MESSAGE_LENGTH = 500
_MOST_ERRORS = 100


def root_of(answer: Answer, operation: str) -> Node:
    return Node(value=parse_json(answer.body, operation=operation), operation=operation)


# -- ids ------------------------------------------------------------------------------------------------------------


def checked_ids(ids: Sequence[str], limit: int) -> list[str]:
    """The ids, each once. Raises ValueError for none, for more than `limit`, and for one that is no id."""
    each = once(ids)
    if not 1 <= len(each) <= limit:
        raise ValueError(f"one call carries 1 to {limit} shipments, not {len(each)}")
    if not all(_ID.match(one) for one in each):
        raise ValueError("a shipment id holds letters, digits and . _ : - only")
    return each


def once(ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(ids))


def id_of(node: Node) -> str:
    text = node.required_text()
    return text if _ID.match(text) else node.fail("not an id")


def unreadable(row: Node, error: UnexpectedPayload) -> Unreadable:
    """The hole that `error` leaves, with the shipment's id where that can be read."""
    shipment_id = ""
    is_told_once = not (isinstance(row.value, Twice) and row.value.key == "shipmentId")
    if isinstance(row.value, dict) and is_told_once:
        try:
            shipment_id = id_of(Node(value=row.value.get("shipmentId"), operation=row.operation))
        except UnexpectedPayload:
            shipment_id = ""  # the id itself is what cannot be read
    return Unreadable(flipkart_shipment_id=shipment_id, path=error.path, says=error.problem)


# -- words and times ------------------------------------------------------------------------------------------------


def payment_type_of(node: Node) -> PaymentType:
    """Absent or another word is unknown."""
    word = node.text()
    return PaymentType(word) if word in PaymentType.__members__ else PaymentType.UNKNOWN


def token_of(node: Node) -> str:
    """A token that may stand in a header."""
    token = node.word()
    return token if _TOKEN.match(token) else node.fail("not a token")


def time_of(node: Node) -> datetime | None:
    if node.is_absent:
        return None
    try:
        return parse_time(node.word())
    except ValueError:
        says = "not a time"
    return node.fail(says)


def required_time_of(node: Node) -> datetime:
    return time_of(node) or node.fail("missing")


def ceiling(at: datetime) -> datetime:
    """The next whole millisecond: wires cut the rest off, and a window must not end early."""
    return at + timedelta(microseconds=-at.microsecond % 1000)


# -- pages ----------------------------------------------------------------------------------------------------------


def next_marker(root: Node, marker_of: Callable[[str], str | None]) -> str | None:
    """The marker of the next page, None at the end; raises UnexpectedPayload when more is claimed without one.

    `marker_of` finds it in nextPageUrl, in the manner of the wire; None where there is none that can be used.
    """
    has_more = root.get("hasMore")
    if has_more.is_absent:
        has_more.fail("missing")
    if not has_more.flag():
        return None
    url = root.get("nextPageUrl")
    marker = marker_of(url.required_text())
    return marker if marker is not None else url.fail("no marker, though more is claimed")


def marker_in(next_page_url: str, *, name: str) -> str | None:
    """The value of `name` in the query of `next_page_url`, None unless there is exactly one.

    Host and path are not looked at: they are ours to say. "+" stays "+": markers are base64, in which a space has no
    place.
    """
    query = next_page_url.partition("#")[0].partition("?")[2]
    pairs = [part.partition("=") for part in query.split("&")]
    markers = {unquote(value) for key, _, value in pairs if key == name and value}
    if len(markers) != 1:
        return None
    marker = markers.pop()
    is_storable = marker.isprintable() and "\ufffd" not in marker
    return marker if is_storable and len(marker) <= MARKER_LENGTH else None


# -- refusals -------------------------------------------------------------------------------------------------------


def read_errors(body: bytes) -> tuple[RowError, ...]:
    """The codes in an error body, as far as they look like codes.

    They stand in `errors` rows, in OAuth's `error` (guide-gaps 10), or, where a paper was asked for, in `errorCode`,
    of the whole or of `orderItems` (wire.md 1).
    """
    try:
        root = parse_json(body, operation="error")
    except UnexpectedPayload:
        return ()
    if not isinstance(root, dict):
        return ()
    for name, key in (("errors", "code"), ("orderItems", "errorCode")):
        rows = root.get(name)
        if isinstance(rows, list):
            return tuple(
                RowError(code=safe_code(row.get(key)), path=safe_path(row.get("path")))
                for row in rows[:_MOST_ERRORS]
                if isinstance(row, dict)
            )
    code = safe_code(root.get("error")) or safe_code(root.get("errorCode"))
    return (RowError(code=code),) if code else ()


def outcome_of(shipment_id: str, row: Mapping[str, Any], *, ok: bool | None) -> RowOutcome:
    """What a row says of a shipment, with its errorCode and errorMessage."""
    message = row.get("errorMessage")
    return RowOutcome(
        id=shipment_id,
        ok=ok,
        code=safe_code(row.get("errorCode")),
        message=storable(message)[:_MESSAGE_LENGTH] if isinstance(message, str) else "",
    )
