"""What can go wrong in a call to somebody else's server, sorted by what the caller must do next.

Every text here may reach a log or a screen: it holds the operation, the status and our own words, never a token, a
secret, a name, a phone number or a body. What the other side wrote is kept only where it has the form of an error code
or of a path.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")
# Codes are of one case and hardly hold digits; tokens and phone numbers are not so.
_NO_CODE = re.compile(r"[a-z].*[A-Z]|[A-Z].*[a-z]|(?:[0-9].*){5}")
_PATH = re.compile(r"[A-Za-z_]{1,40}(?:\[[0-9]{1,4}\])?(?:\.[A-Za-z_]{1,40}(?:\[[0-9]{1,4}\])?){0,5}\Z")


def safe_code(word: object) -> str:
    """`word` if it looks like an error code ("INVALID_STATE", "invalid_token"), else "": their words' only way in."""
    return word if isinstance(word, str) and _CODE.match(word) and not _NO_CODE.search(word) else ""


def safe_path(word: object) -> str:
    """`word` if it looks like the path of a field ("shipmentIds[1]"), else ""."""
    return word if isinstance(word, str) and _PATH.match(word) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """One row that a refusal names: their error code, and the path of the field it is about, "" when not said."""

    code: str
    path: str = ""


class CallFailed(Exception):
    """A call failed. The text is safe to log and to show."""

    def __init__(self, operation: str, says: str = "") -> None:
        super().__init__(f"{operation}: {says}" if says else operation)
        self.operation = operation
        self.says = says


class Unreachable(CallFailed):
    """No answer, or half of one: nobody knows whether it arrived. Read back before sending an effect again."""


class Throttled(CallFailed):
    """Too many calls (429, or our own quota): it was not done. `retry_after` is theirs, bounded, None when not said."""

    def __init__(self, operation: str, says: str = "too many calls", *, retry_after: timedelta | None = None) -> None:
        super().__init__(operation, says)
        self.retry_after = retry_after


class NoToken(Throttled):
    """No token can be had just now, for a reason that is not the seller's: nothing else was sent. `says` tells why."""


class Broken(CallFailed):
    """Their server failed (5xx, or a time-out that it reports): a read may be sent again, an effect is read back."""

    def __init__(self, operation: str, says: str = "", *, status: int = 0) -> None:
        super().__init__(operation, says or f"their server failed (HTTP {status})")
        self.status = status


class NotAuthorized(CallFailed):
    """The token, the client or the grant is not accepted (401, 403, an OAuth refusal): a person must reconnect."""

    def __init__(self, operation: str, says: str = "", *, status: int = 0, code: str = "") -> None:
        self.status = status
        self.code = safe_code(code)
        super().__init__(operation, says or f"not authorized ({_status_and_code(status, self.code)})")


class Refused(CallFailed):
    """Understood and declined; a person must look. `code` is theirs, "" when they gave none that is safe to show."""

    def __init__(
        self, operation: str, says: str = "", *, status: int = 0, code: str = "", rows: Sequence[RowError] = ()
    ) -> None:
        self.status = status
        self.code = safe_code(code)
        self.rows = tuple(RowError(code=safe_code(row.code), path=safe_path(row.path)) for row in rows)
        super().__init__(operation, says or f"refused ({_status_and_code(status, self.code)})")


class UnexpectedPayload(CallFailed):
    """An answer that is not what the format promises. `path` says where ("shipments[3].dispatchByDate"), never what."""

    def __init__(self, operation: str, says: str = "not in the format that was agreed", *, path: str = "") -> None:
        super().__init__(operation, f"{path}: {says}" if path else says)
        self.path = path
        self.problem = says


class TooLarge(UnexpectedPayload):
    """The answer passed the cap and was cut; the same question will get the same answer, a smaller one may not."""


def _status_and_code(status: int, code: str) -> str:
    return f"HTTP {status}, {code}" if code else f"HTTP {status}"
