"""A Flipkart that says what a test wrote down, one answer after another, in place of the network."""

import contextlib
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from requests.adapters import BaseAdapter
from requests.models import PreparedRequest, Response
from urllib3 import HTTPResponse

from shipcrowd import transport
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.wire import wire_named

URL = "http://flipkart.invalid"


class Scripted(BaseAdapter):
    """Answers by `script` in order: values are JSON, (status, value) sets the status, exceptions are raised."""

    def __init__(self, script: Sequence[Any]) -> None:
        super().__init__()
        self._script = list(script)
        self.asked: list[PreparedRequest] = []

    @property
    def markers(self) -> list[str | None]:
        searches = [json.loads(asked.body) for asked in self.asked if asked.body]
        return [search["pagination"].get("marker") for search in searches]

    @property
    def bearers(self) -> list[str]:
        return [asked.headers["Authorization"] for asked in self.asked]

    def send(self, request: PreparedRequest, **_limits: Any) -> Response:
        self.asked.append(request)
        said = self._script.pop(0)
        if isinstance(said, Exception):
            raise said
        status, value = said if isinstance(said, tuple) else (200, said)
        response = Response()
        response.status_code = status
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        response.raw = HTTPResponse(body=io.BytesIO(body), preload_content=False)
        return response

    def close(self) -> None:
        """Nothing is open."""


class Tokens:
    """Hands out `first`, and the others one after another when one is renewed; remembers what failed."""

    def __init__(self, first: str = "token-1", *others: str) -> None:
        self.now = first
        self._others = list(others)
        self.failed: list[str] = []

    def current(self) -> str:
        return self.now

    def renew(self, *, failed: str) -> str:
        self.failed.append(failed)
        self.now = self._others.pop(0) if self._others else self.now
        return self.now


@contextlib.contextmanager
def flipkart_saying(
    *script: Any, tokens: Tokens | None = None, wire: str = "guide"
) -> Iterator[tuple[FlipkartClient, Scripted, list[str]]]:
    """A client, what it asked, and the operations that took from its quota."""
    adapter = Scripted(script)
    taken: list[str] = []
    transport.mount(URL, adapter)
    try:
        yield (
            FlipkartClient(
                transport=transport.Transport(URL),
                wire=wire_named(wire),
                tokens=tokens or Tokens(),
                before_call=taken.append,
            ),
            adapter,
            taken,
        )
    finally:
        transport.mount(URL, None)
