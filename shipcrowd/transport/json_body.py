"""JSON of an answer into values, whatever the other side sends; and typed reading of those values by path.

Money comes as Decimal straight from the text. A reader knows the path of what it reads ("shipments[3].dispatchByDate")
and raises UnexpectedPayload with that path, never with the content.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from shipcrowd.transport.errors import UnexpectedPayload

# NUL cannot be stored in PostgreSQL, a lone surrogate cannot be encoded, and the other controls belong in no name.
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_MOST_RUPEES = Decimal(10) ** 10  # no parcel; a column of 12 digits holds it
_MOST_DIGITS = 30
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}\Z")
_LONGEST = Decimal(10) ** 6  # in any unit: no parcel is ten kilometres long
_FINEST = -30  # decimal places: room for a sum that was made with floats (0.30000000000000004), not for more


class Twice(dict[str, Any]):
    """An object that says `key` twice with different values: nobody knows which is meant."""

    key: str = ""


class Noted(dict[str, Any]):
    """An object that remembers which of its fields were asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


_noting: ContextVar[list[Any] | None] = ContextVar("noting", default=None)


@contextmanager
def noting() -> Iterator[list[Any]]:
    """The answers that are parsed meanwhile; their objects are `Noted`, for `unread` to tell afterwards."""
    answers: list[Any] = []
    token = _noting.set(answers)
    try:
        yield answers
    finally:
        _noting.reset(token)


def unread(answer: Any, path: str = "") -> dict[str, str]:
    """What a noted answer holds and nobody asked for: what sort of value it is, by path ("shipments[].mps").

    Names and sorts only, never a value; a key that is no name, such as an id, is shown as "…".
    """
    found: dict[str, str] = {}
    if isinstance(answer, list):
        for one in answer:
            found |= unread(one, f"{path}[]")
    elif isinstance(answer, Noted):
        for key, value in answer.items():
            inner = f"{path}.{_shown(key)}".lstrip(".")
            found |= unread(value, inner) if key in answer.asked else {inner: sort_of(value)}
    return found


def shape_of(answer: Any) -> str:
    """What it has in it, a line: "hasMore: true or false, shipments: list of 20"."""
    if not isinstance(answer, dict):
        return sort_of(answer)
    return ", ".join(f"{_shown(key)}: {sort_of(value)}" for key, value in answer.items())


def sort_of(value: Any) -> str:
    """What sort of value it is, in a word; of a list how many."""
    if isinstance(value, list):
        return f"list of {len(value)}"
    sorts = {bool: "true or false", str: "text", type(None): "null"}
    return sorts.get(type(value)) or ("object" if isinstance(value, dict) else "number")


class NoNumber:
    """NaN, Infinity, or a number too long to be one: refused where it is read, so that the rows beside it live."""

    __slots__ = ()


def parse_json(body: bytes, *, operation: str) -> Any:
    """The value that `body` holds: dict, list, str, int, Decimal, bool or None.

    Raises UnexpectedPayload for an empty body, HTML, half a text, another charset than UTF-8 (a byte order mark is
    tolerated), and nesting beyond Python's stack. NaN and Infinity are a `NoNumber`, an object with a doubled key a
    `Twice`: both are refused by whoever reads them, with their path.
    """
    if not body.strip():
        raise UnexpectedPayload(operation, "an empty answer")
    try:
        text = body.decode("utf-8-sig")
        noted = _noting.get()
        value = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_whole_number,
            parse_constant=lambda _constant: NoNumber(),
            object_pairs_hook=_object_of_pairs if noted is None else _noted_of_pairs,
        )
        if noted is not None:
            noted.append(value)
        return value
    except (ValueError, RecursionError) as error:
        # JSONDecodeError and UnicodeDecodeError carry the whole text: they must not travel along as __context__.
        says = f"not JSON ({type(error).__name__})"
    raise UnexpectedPayload(operation, says)


def storable(text: str) -> str:
    """`text` trimmed, without the characters that no database stores."""
    return _UNSTORABLE.sub("", text).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value of an answer with the path that leads to it. Absent and null are the same: the field says nothing."""

    value: Any
    operation: str
    path: str = ""

    def __repr__(self) -> str:
        return f"Node({self.path!r})"

    def get(self, key: str) -> "Node":
        """The field `key` of this object; a Node of None where it is absent. Raises when this is no object."""
        return Node(value=self.as_object().get(key), operation=self.operation, path=f"{self.path}.{key}".lstrip("."))

    def rows(self) -> Iterator["Node"]:
        """The elements of this list, with their paths. Raises when this is no list."""
        if self.value is None:
            self.fail("missing")
        if not isinstance(self.value, list):
            self.fail("not a list")
        for number, value in enumerate(self.value):
            yield Node(value=value, operation=self.operation, path=f"{self.path}[{number}]")

    @property
    def is_absent(self) -> bool:
        return self.value is None

    def as_object(self) -> Mapping[str, Any]:
        if self.value is None:
            self.fail("missing")
        if isinstance(self.value, Twice):
            self.fail("says one key twice, differently")
        if not isinstance(self.value, dict):
            self.fail("not an object")
        return self.value

    def text(self) -> str:
        """A text that may be absent (""), trimmed, without what no database stores. A whole number is taken as text."""
        if self.value is None:
            return ""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)  # pincodes and ids come as numbers from some servers
        if not isinstance(self.value, str):
            self.fail("not a text")
        return storable(self.value)

    def required_text(self) -> str:
        if self.value is None:
            self.fail("missing")
        return self.text() or self.fail("empty")

    def word(self) -> str:
        """A required text that must arrive unchanged, such as a state: a number or a control character is refused."""
        if self.value is None:
            self.fail("missing")
        if not isinstance(self.value, str) or not self.value or _UNSTORABLE.search(self.value):
            self.fail("not a word")
        return self.value

    def flag(self) -> bool:
        """True or false; absent is false."""
        if self.value is None:
            return False
        if not isinstance(self.value, bool):
            self.fail("not true or false")
        return self.value

    def count(self, *, most: int = 1_000_000) -> int:
        """A required whole number from 1 to `most`; 1.0 is 1."""
        number = self._number()
        if number is None:
            self.fail("missing")
        if not 1 <= number <= most or number != int(number):
            self.fail("not a whole number from 1 on")
        return int(number)

    def rupees(self) -> Decimal | None:
        """An amount of money as it was written, never negative; None when absent."""
        number = self._number()
        if number is None:
            return None
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < _FINEST or not 0 <= number < _MOST_RUPEES:
            self.fail("not an amount of money")
        return abs(number) if exponent <= 0 else Decimal(int(number))

    def measure(self) -> Decimal | None:
        """A length or a weight as it was written, never negative; None when absent."""
        number = self._number()
        if number is not None and not 0 <= number < _LONGEST:
            self.fail("not a length or weight")
        return number

    def percent(self) -> Decimal | None:
        """A rate from 0 to 100; None when absent."""
        number = self._number()
        if number is not None and not 0 <= number <= 100:
            self.fail("not a rate in percent")
        return number

    def fail(self, says: str) -> NoReturn:
        raise UnexpectedPayload(self.operation, says, path=self.path)

    def _number(self) -> Decimal | None:
        if self.value is None:
            return None
        if isinstance(self.value, bool) or not isinstance(self.value, (int, Decimal)):
            self.fail("not a number")
        return Decimal(self.value)


def _decimal(text: str) -> Decimal | NoNumber:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond what a Decimal can hold
        return NoNumber()


def _whole_number(text: str) -> int | NoNumber:
    # Ids have 18 digits; turning thousands of digits into a number takes long, and Python refuses from 4,300 on.
    return int(text) if len(text) <= _MOST_DIGITS else NoNumber()


def _shown(key: str) -> str:
    return key if _NAME.match(key) else "…"


def _noted_of_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = _object_of_pairs(pairs)
    return values if isinstance(values, Twice) else Noted(values)


def _object_of_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    for key, value in pairs:
        # repr tells 1 from 1.0 and from true, and never recurses into a comparison that could be slow or deep
        if value is not values[key] and repr(value) != repr(values[key]):
            twice = Twice(values)
            twice.key = key
            return twice
    return values
