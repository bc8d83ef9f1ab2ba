"""The simulator under `requests`, in the same process: an adapter in place of sockets."""

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import BaseAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ReadTimeout
from requests.models import PreparedRequest
from requests.models import Response as RequestsResponse
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPHeaderDict, HTTPResponse
from werkzeug.test import create_environ, run_wsgi_app

from shipcrowd.simulator.app import PAUSE, Dropped, Simulator


class TooSlow(Exception):
    """The pause of a slow answer is longer than the caller waits."""


class SimulatorAdapter(BaseAdapter):
    """Calls the application; a dropped connection is ConnectionError, a pause beyond the time-out is ReadTimeout."""

    def __init__(self, app: Simulator) -> None:
        super().__init__()
        self._app = app

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> RequestsResponse:
        environ = _environ(request)
        environ[PAUSE] = _pause_within(timeout)
        try:
            chunks, status, headers = run_wsgi_app(self._app, environ)
            body = b"".join(_closing(chunks))
        except Dropped:
            raise RequestsConnectionError("the connection was dropped", request=request) from None
        except TooSlow:
            raise ReadTimeout("the answer did not come in time", request=request) from None
        response = RequestsResponse()
        response.status_code = int(status.split(" ", 1)[0])
        response.reason = status.split(" ", 1)[1]
        response.headers = CaseInsensitiveDict(headers.to_wsgi_list())
        response.raw = HTTPResponse(
            body=io.BytesIO(body),
            headers=HTTPHeaderDict(headers.to_wsgi_list()),
            status=response.status_code,
            reason=response.reason,
            preload_content=False,
            decode_content=False,
        )
        response.encoding = get_encoding_from_headers(response.headers)
        response.url = request.url or ""
        response.request = request
        if not stream:
            response.content  # noqa: B018 - reads the body, as requests' own adapter does without stream
        return response

    def close(self) -> None:
        """Nothing is held open."""


def mounted(app: Simulator) -> BaseAdapter:
    """`session.mount("https://flipkart.test", mounted(simulator))`: no sockets, no sleeps."""
    return SimulatorAdapter(app)


def _environ(request: PreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url or "")
    body = request.body or b""
    return create_environ(
        path=url.path,
        query_string=url.query,
        base_url=f"{url.scheme}://{url.netloc}/",
        method=request.method or "GET",
        headers=dict(request.headers),
        data=body.encode() if isinstance(body, str) else body,
    )


def _pause_within(timeout: float | tuple[float | None, float | None] | None) -> Callable[[float], None]:
    waits = timeout[1] if isinstance(timeout, tuple) else timeout

    def pause(seconds: float) -> None:
        if waits is not None and seconds > waits:
            raise TooSlow

    return pause


def _closing(chunks: Iterable[bytes]) -> Iterable[bytes]:
    try:
        yield from chunks
    finally:
        close = getattr(chunks, "close", None)
        if close:
            close()
