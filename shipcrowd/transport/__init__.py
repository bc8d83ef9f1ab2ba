"""One request to somebody else's server, and what may come back: an Answer, or an error of `errors.py`.

Shared by Flipkart and Velocity; knows neither format, no Django, and nothing about sellers.
"""

import base64
import http.client
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter

from shipcrowd.transport.deadline import Deadline, DeadlineAdapter
from shipcrowd.transport.errors import (
    Broken,
    CallFailed,
    NotAuthorized,
    Refused,
    RowError,
    Throttled,
    TooLarge,
    UnexpectedPayload,
    Unreachable,
)
from shipcrowd.transport.retry import parse_http_date, parse_retry_after

USER_AGENT = "Shipcrowd/0.1"
CONNECT_TIMEOUT = 10.0  # seconds; a host that does not pick up within ten is down, and a worker's seat waits meanwhile
MOST_BYTES_OF_ERROR = 64 * 2**10  # an error body is read for its code only
# Time-outs that a server or gateway reports (408; 499 in Flipkart's list): the request may have taken effect.
TIMEOUT_STATUSES = frozenset({408, 425, 499})

_CHUNK = 64 * 2**10
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}\Z")

log = logging.getLogger(__name__)

# urllib3 warns of headers it cannot parse and prints what follows them: half of an answer, buyers' names included.
logging.getLogger("urllib3.connection").addFilter(lambda record: record.exc_info is None)
# And it tells each request with its whole query, in which OAuth by GET has its secrets; our own line is enough.
logging.getLogger("urllib3.connectionpool").addFilter(lambda record: record.levelno > logging.DEBUG)

_mounted: dict[str, BaseAdapter] = {}


def no_errors(body: bytes) -> tuple[RowError, ...]:  # noqa: ARG001 - the shape of every reader of error bodies
    """Reads nothing out of an error body."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=False)
class Request:
    """What to ask. `repr` shows method, path and operation only: the rest may hold secrets.

    `path` starts with "/" and is already quoted, as is a `query` that is a text; `basic_auth` is (user, password);
    `read_errors` finds the error codes in the body of a 4xx, in the words of this server.
    """

    method: str
    path: str
    operation: str = field(kw_only=True)
    query: Mapping[str, str] | str = field(default_factory=dict, kw_only=True, repr=False)
    json: Any = field(default=None, kw_only=True, repr=False)
    form: Mapping[str, str] | None = field(default=None, kw_only=True, repr=False)
    basic_auth: tuple[str, str] | None = field(default=None, kw_only=True, repr=False)
    accept: str = field(default="application/json", kw_only=True, repr=False)
    read_errors: Callable[[bytes], tuple[RowError, ...]] = field(default=no_errors, kw_only=True, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back with a 2xx status; `body` is unpacked, whole, and within the cap."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def mount(prefix: str, adapter: BaseAdapter | None) -> None:
    """Answer what starts with `prefix` by `adapter`, not the network, in Transports made from now on; None ends it.

    How the demo and the tests reach the simulator without a socket.
    """
    if adapter is None:
        _mounted.pop(prefix, None)
    else:
        _mounted[prefix] = adapter


class Transport:
    """Requests to one server. Times in seconds; `max_bytes` caps an answer after unpacking. Threads may share it."""

    def __init__(
        self, base_url: str, *, call_timeout: float = 30, answer_timeout: float = 45, max_bytes: int = 20 * 2**20
    ) -> None:
        self.base_url = checked_base_url(base_url)
        self._timeout = (min(call_timeout, CONNECT_TIMEOUT), call_timeout)
        self._answer_timeout = answer_timeout
        self._max_bytes = max_bytes
        self._session = _new_session()

    def send(self, request: Request, *, bearer: str | None = None) -> Answer:
        """Make the request once, follow no redirect, and return the whole answer of a 2xx.

        Raises Unreachable, Throttled (429), Broken (5xx, 408), NotAuthorized (401, 403), Refused (3xx, other 4xx),
        TooLarge, UnexpectedPayload (a body that cannot be unpacked).
        """
        prepared = self._prepare(request, bearer)
        started = time.monotonic()
        outcome: Answer | CallFailed = self._attempt(request, prepared)
        milliseconds = round((time.monotonic() - started) * 1000)
        status = getattr(outcome, "status", type(outcome).__name__)
        log.info("%s answered %s in %d ms", request.operation, status, milliseconds)
        if isinstance(outcome, CallFailed):
            raise outcome  # outside of any except block: the cause holds the headers, the token among them
        return outcome

    def close(self) -> None:
        """Close kept-alive connections; the Transport can still be used."""
        self._session.close()

    def _prepare(self, request: Request, bearer: str | None) -> requests.PreparedRequest:
        headers = {"Accept": request.accept, "User-Agent": USER_AGENT}
        if request.basic_auth is not None:
            pair = base64.b64encode(":".join(request.basic_auth).encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        if bearer is not None:
            if not _TOKEN.match(bearer):  # requests would print the whole header in its own error
                raise ValueError("the bearer token has characters that no header may hold")
            headers["Authorization"] = f"Bearer {bearer}"
        if request.method != "GET" and request.form is None:
            headers["Content-Type"] = "application/json"
        url = url_of(self.base_url, request.path, request.query)
        return self._session.prepare_request(
            requests.Request(request.method, url, headers=headers, data=request.form, json=request.json)
        )

    def _attempt(self, request: Request, prepared: requests.PreparedRequest) -> Answer | CallFailed:
        operation = request.operation
        # The adapter is asked directly: Session.send would read the whole body of a redirect, without any cap.
        adapter = self._session.get_adapter(prepared.url or "")
        with Deadline(self._answer_timeout) as deadline:
            try:
                response = adapter.send(
                    prepared, stream=True, timeout=self._timeout, verify=True, cert=None, proxies={}
                )
                with response:
                    outcome = self._outcome(request, response)
            except requests.exceptions.ContentDecodingError:
                return UnexpectedPayload(operation, "a body that cannot be unpacked")
            except requests.exceptions.SSLError:
                return Unreachable(operation, "no secure connection to their server (certificate or TLS)")
            except requests.exceptions.Timeout as error:
                return Unreachable(operation, f"no answer in time ({type(error).__name__})")
            except _CONNECTION_ERRORS as error:
                if deadline.is_over:
                    return _too_slow(operation)
                return Unreachable(operation, f"the connection broke ({type(error).__name__})")
            # A body without a length ends where the connection ends: what the deadline cut would pass for whole.
            return _too_slow(operation) if deadline.is_over else outcome

    def _outcome(self, request: Request, response: requests.Response) -> Answer | CallFailed:
        status = response.status_code
        if 200 <= status < 300:
            body = _read(response, self._max_bytes)
            if body is None:
                return TooLarge(request.operation, f"an answer larger than {self._max_bytes // 2**20} MB")
            return Answer(status, response.headers, body)
        return _failure(request, response)


def checked_base_url(base_url: str) -> str:
    """`base_url` without its last slash. Raises ValueError unless it is http(s)://host[:port][/path]."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("a base URL reads https://host, without user name")
    if parts.query or parts.fragment:
        raise ValueError("a base URL has no query and no fragment")
    return base_url.rstrip("/")


def url_of(base_url: str, path: str, query: Mapping[str, str] | str) -> str:
    """The address of `path` on the server at `base_url`, which alone says the host."""
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError("a path starts with one slash")
    asked = query if isinstance(query, str) else urlencode(query)
    return f"{checked_base_url(base_url)}{path}" + (f"?{asked}" if asked else "")


_CONNECTION_ERRORS = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)


def _new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy, no CA bundle and no .netrc that a stray environment variable names
    for scheme in ("http://", "https://"):
        session.mount(scheme, DeadlineAdapter())
    for prefix, adapter in _mounted.items():
        session.mount(prefix, adapter)
    return session


def _read(response: requests.Response, most: int) -> bytes | None:
    """The unpacked body, None when it is longer than `most`."""
    body = bytearray()
    chunks: Iterable[bytes] = response.iter_content(_CHUNK)
    for chunk in chunks:
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


def _failure(request: Request, response: requests.Response) -> CallFailed:
    operation, status = request.operation, response.status_code
    if status == 429:
        now = parse_http_date(response.headers.get("Date")) or datetime.now(UTC)
        return Throttled(operation, retry_after=parse_retry_after(response.headers.get("Retry-After"), now=now))
    if status >= 500 or status in TIMEOUT_STATUSES:
        return Broken(operation, status=status)
    if 300 <= status < 400:
        return Refused(operation, f"answered with a redirect (HTTP {status}), which is never followed", status=status)
    if status < 200:
        return Unreachable(operation, f"an answer that ends nothing (HTTP {status})")
    rows = _rows_of_error(request, response)
    code = rows[0].code if rows else ""
    if status in (401, 403):
        return NotAuthorized(operation, status=status, code=code)
    return Refused(operation, status=status, code=code, rows=rows)


def _too_slow(operation: str) -> Unreachable:
    return Unreachable(operation, "the whole answer took too long")


def _rows_of_error(request: Request, response: requests.Response) -> tuple[RowError, ...]:
    """The codes in an error body; none when it is broken, huge or in no known form: the status alone decides."""
    try:
        body = _read(response, MOST_BYTES_OF_ERROR)
        return request.read_errors(body) if body else ()
    except (CallFailed, *_CONNECTION_ERRORS):
        return ()
