"""One call in the published format, and reading what it says: each mistake is refused with the path of its field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shipcrowd.simulator.api import ApiError

IST = ZoneInfo("Asia/Kolkata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`ids` are those in path or query; `body` is {} where there is none, None where it is no JSON."""

    operation: str
    method: str
    name: str = ""  # the end of its path
    ids: tuple[str, ...] = ()
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = ""


def refused(path: str, says: str, *, code: str = "INVALID_REQUEST_JSON") -> ApiError:
    return ApiError(400, code, f"{path} {says}", path)


def mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise refused(path or "body", "must be an object")
    return value


def texts(value: Any, path: str, *, among: frozenset[str] | None = None) -> list[str]:
    """A list of different texts."""
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise refused(path, "must be a list of texts")
    if len(set(value)) < len(value):
        raise refused(path, "must not name one twice")
    if among is not None and not set(value) <= among:
        raise refused(path, f"must be of {', '.join(sorted(among))}")
    return value


def flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise refused(path, "must be true or false")
    return value


def moment(value: Any, path: str) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise refused(path, "must be an ISO 8601 time") from None
    if found.tzinfo is None:
        raise refused(path, "must have a zone")
    return found


def rows(body: Any, path: str, *, most: int) -> list[Mapping[str, Any]]:
    """The objects of a list of 1 to `most`."""
    found = mapping(body, "").get(path)
    if not isinstance(found, list) or not 1 <= len(found) <= most or not all(isinstance(row, dict) for row in found):
        raise refused(path, f"must hold 1 to {most} objects")
    return found


def checked_ids(ids: tuple[str, ...], *, most: int) -> list[str]:
    if not 1 <= len(ids) <= most or not all(ids):
        raise refused("shipmentIds", f"must be 1 to {most} ids", code="INVALID_REQUEST_ITEM_ID")
    return list(dict.fromkeys(ids))


def wire_time(at: datetime) -> str:
    """2026-01-07T15:30:00.000+05:30, as Flipkart answers."""
    local = at.astimezone(IST)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}+05:30"
