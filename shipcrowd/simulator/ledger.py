"""What really happened at the simulated Flipkart: every call, every attempt and every effect, in order."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

#: Calls and attempts kept in a saved file; effects are kept whole.
CALLS_SAVED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP call as the server saw it; `account` is an account id or "", `status` 0 when no answer was sent."""

    operation: str
    account: str
    at: datetime
    status: int
    fault: str = ""
    ids: tuple[str, ...] = ()
    wire: str = ""  # guide or official; "" for what both share


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One shipment in one packing or dispatching call; `code` is "" when it had its effect.

    `shipment_id` is the guide's, whichever format it was asked in, as in an effect.
    """

    operation: str
    account: str
    shipment_id: str
    at: datetime
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Something that changed; `kind`: create, ready, pack, dispatch, ship, deliver, cancel, hold, return, dates …"""

    kind: str
    account: str
    shipment_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One answer of the token endpoint; `error` is RFC 6749's word, "" when a token was given."""

    grant_type: str
    account: str
    at: datetime
    error: str = ""


class Ledger:
    """Append-only; the lists may be read at any time (copies, so that a running server does not disturb a test)."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._attempts: list[Attempt] = []
        self._effects: list[Effect] = []
        self._grants: list[Grant] = []

    @property
    def calls(self) -> list[Call]:
        """Every call of the seller API, of the authorize page and of the token endpoint, in order of its end."""
        return list(self._calls)

    @property
    def attempts(self) -> list[Attempt]:
        return list(self._attempts)

    @property
    def effects(self) -> list[Effect]:
        return list(self._effects)

    @property
    def tokens(self) -> list[Grant]:
        """Every call of the token endpoint that reached it, refused ones too."""
        return list(self._grants)

    @property
    def dispatches(self) -> list[str]:
        """Shipment ids in the order in which they really became READY_TO_DISPATCH."""
        return self.effects_of("dispatch")

    @property
    def labels(self) -> list[str]:
        """Shipment ids in the order in which a label really was made for them."""
        return self.effects_of("pack")

    def calls_of(self, operation: str, *, account: str = "") -> list[Call]:
        """Calls of one operation, of one account if its id is given."""
        return [c for c in self._calls if c.operation == operation and account in ("", c.account)]

    def effects_of(self, kind: str) -> list[str]:
        return [effect.shipment_id for effect in self._effects if effect.kind == kind]

    def attempts_of(self, operation: str) -> list[str]:
        """Shipment ids as often as they were sent to generate_labels or dispatch, with effect or without."""
        return [attempt.shipment_id for attempt in self._attempts if attempt.operation == operation]

    def record_call(self, call: Call) -> None:
        self._calls.append(call)

    def record_attempt(self, attempt: Attempt) -> None:
        self._attempts.append(attempt)

    def record_effect(self, effect: Effect) -> None:
        self._effects.append(effect)

    def record_effects(self, effects: Iterable[Effect]) -> None:
        self._effects.extend(effects)

    def record_grant(self, grant: Grant) -> None:
        self._grants.append(grant)

    def saved(self) -> dict[str, Any]:
        """The ledger as JSON values, for the state file."""
        return {
            "calls": [_as_json(row) for row in self._calls[-CALLS_SAVED:]],
            "attempts": [_as_json(row) for row in self._attempts[-CALLS_SAVED:]],
            "effects": [_as_json(row) for row in self._effects],
            "grants": [_as_json(row) for row in self._grants[-CALLS_SAVED:]],
        }

    def restore(self, saved: dict[str, Any]) -> None:
        self._calls = [Call(**{**_with_time(row), "ids": tuple(row["ids"])}) for row in saved["calls"]]
        self._attempts = [Attempt(**_with_time(row)) for row in saved["attempts"]]
        self._effects = [Effect(**_with_time(row)) for row in saved["effects"]]
        self._grants = [Grant(**_with_time(row)) for row in saved["grants"]]


def _as_json(row: Call | Attempt | Effect | Grant) -> dict[str, Any]:
    return {**asdict(row), "at": row.at.isoformat()}


def _with_time(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "at": datetime.fromisoformat(row["at"])}
