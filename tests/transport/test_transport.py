"""One request: what reaches the other side, what may come back, and what never does."""

import contextlib
import gzip
import io
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from requests.adapters import BaseAdapter
from requests.models import Response
from urllib3 import HTTPResponse

from shipcrowd.transport import Answer, Request, Transport, mount
from shipcrowd.transport.errors import (
    Broken,
    NotAuthorized,
    Refused,
    Throttled,
    TooLarge,
    UnexpectedPayload,
    Unreachable,
)
from tests.transport.servers import http_answer, self_signed, serving

ASK = Request("GET", "/v3/shipments/SHIP1", operation="shipments")


def send(answering: bytes | Callable, *, request: Request = ASK, bearer: str | None = None, **limits: float) -> Answer:
    with serving(answering) as server:
        transport = Transport(server.url, **limits)
        try:
            return transport.send(request, bearer=bearer)
        finally:
            transport.close()


def test_a_whole_answer_comes_back_as_it_was_sent():
    answer = send(http_answer(b'{"a": 1}', headers="Content-Type: application/json\r\n"))

    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", b'{"a": 1}')


def test_the_request_carries_token_agent_and_json():
    with serving(http_answer()) as server:
        transport = Transport(server.url)
        transport.send(Request("POST", "/v3/x", operation="dispatch", json={"a": "b"}), bearer="token-1")
        transport.close()

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v3/x HTTP/1.1"
    assert "Authorization: Bearer token-1" in lines
    assert "Content-Type: application/json" in lines
    assert any(line.startswith("User-Agent: Shipcrowd/") for line in lines)
    assert body == b'{"a": "b"}'


def test_a_form_and_basic_credentials_are_sent_as_oauth_wants_them():
    request = Request("POST", "/token", operation="token", form={"scope": "a b"}, basic_auth=("app_1", "sécret"))
    with serving(http_answer()) as server:
        transport = Transport(server.url)
        transport.send(request)
        transport.close()

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert b"Authorization: Basic YXBwXzE6c8OpY3JldA==" in head
    assert b"Content-Type: application/x-www-form-urlencoded" in head
    assert body == b"scope=a+b"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("400 Bad Request", Refused),
        ("404 Not Found", Refused),
        ("409 Conflict", Refused),
        ("422 Unprocessable", Refused),
        ("401 Unauthorized", NotAuthorized),
        ("403 Forbidden", NotAuthorized),
        ("429 Too Many", Throttled),
        ("408 Request Timeout", Broken),
        ("499 Timeout", Broken),
        ("500 Internal", Broken),
        ("503 Unavailable", Broken),
        ("504 Gateway", Broken),
    ],
)
def test_each_status_becomes_the_error_that_says_what_to_do(status, error):
    with pytest.raises(error) as failure:
        send(http_answer(b"<html>", status=status))

    assert failure.value.operation == "shipments"
    assert getattr(failure.value, "status", 429) == int(status[:3])
    assert failure.value.__cause__ is None
    assert failure.value.__context__ is None


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("Retry-After: 7\r\n", timedelta(seconds=7)),
        ("Retry-After: 1000000000\r\n", timedelta(minutes=15)),
        ("Retry-After: -1\r\n", timedelta(seconds=1)),
        ("", None),
        # Their clock is ten years off ours, and says so itself.
        (
            "Date: Tue, 03 Aug 2036 11:51:00 GMT\r\nRetry-After: Tue, 03 Aug 2036 11:51:40 GMT\r\n",
            timedelta(seconds=40),
        ),
    ],
)
def test_a_429_brings_the_wait_it_asks_for_within_bounds(header, wait):
    """trust.md 27."""
    with pytest.raises(Throttled) as failure:
        send(http_answer(b"", status="429 Too Many", headers=header))

    assert failure.value.retry_after == wait


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_never_followed_and_no_second_host_hears_of_it(status):
    """trust.md 35."""
    with serving(http_answer()) as other:
        moved = http_answer(b"x" * 100, status=status, headers=f"Location: {other.url}/steal\r\n")
        with pytest.raises(Refused, match="redirect"):
            send(moved, bearer="token-1")

    assert other.connections == 0


def test_cookies_of_one_answer_are_not_sent_with_the_next():
    def answering(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(http_answer(headers="Set-Cookie: session=seller-1; Path=/\r\n"))

    with serving(answering) as server:
        transport = Transport(server.url)
        transport.send(ASK)
        transport.send(ASK)
        transport.close()

    assert len(server.requests) == 2
    assert b"ookie" not in server.requests[1]


def test_kept_alive_connections_are_used_again_and_obey_the_next_deadline():
    def answering(connection: socket.socket, request: bytes) -> None:
        if b"/first" in request:
            connection.sendall(http_answer())
        else:
            trickle(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x")

    with serving(answering) as server:
        transport = Transport(server.url, answer_timeout=0.4)
        transport.send(Request("GET", "/first", operation="search"))
        started = time.monotonic()
        with pytest.raises(Unreachable, match="too long"):
            transport.send(Request("GET", "/second", operation="search"))
        assert time.monotonic() - started < 3
        transport.close()

    assert server.connections == 1


def trickle(connection: socket.socket, head: bytes, piece: bytes) -> None:
    """`head`, then `piece` again and again, each well within any time-out of a single read."""
    connection.sendall(head)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        connection.sendall(piece)
        time.sleep(0.02)  # the slow server itself; the client's clock ends it


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"y"),
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "chunks", "chunk head", "no length", "headers", "one header", "error body", "continue"],
)
def test_an_answer_that_trickles_is_cut_at_the_deadline(head, piece):
    """trust.md 33: the time-out of requests is per read, and a byte each 20 ms never meets it."""
    started = time.monotonic()
    with pytest.raises((Unreachable, Refused)):
        send(lambda connection, _request: trickle(connection, head, piece), call_timeout=5, answer_timeout=0.3)

    assert time.monotonic() - started < 3


def test_a_server_that_says_nothing_is_left_after_the_call_timeout():
    with pytest.raises(Unreachable, match="in time"):
        send(lambda connection, _request: connection.recv(1), call_timeout=0.2, answer_timeout=5)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"shipments": [',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
    ],
)
def test_half_an_answer_is_no_answer(answer):
    with pytest.raises(Unreachable):
        send(answer)


def test_nobody_listening_is_unreachable_without_an_address_in_the_text():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(Unreachable) as failure:
        Transport(f"http://127.0.0.1:{port}").send(ASK, bearer="token-1")

    assert str(failure.value) == "shipments: the connection broke (ConnectionError)"


def gzipped(body: bytes) -> bytes:
    return http_answer(gzip.compress(body), headers="Content-Encoding: gzip\r\n")


def test_packed_answers_are_unpacked():
    assert send(gzipped(b"abc" * 1000)).body == b"abc" * 1000


def test_the_cap_counts_unpacked_bytes():
    """trust.md 33: a gzip bomb of 200 MB travels in 200 kB, and is never held in memory."""
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(200)) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="larger than 1 MB"):
            send(http_answer(bomb, headers="Content-Encoding: gzip\r\n"), max_bytes=2**20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 10 * 2**20


def test_an_endless_body_ends_at_the_cap():
    def answering(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with pytest.raises(TooLarge):
        send(answering, max_bytes=2**20)


def test_an_error_page_without_end_does_not_hide_its_status():
    with pytest.raises(NotAuthorized):
        send(http_answer(b"x" * 10_000_000, status="401 Unauthorized"))


def test_a_body_that_cannot_be_unpacked_is_said_so():
    with pytest.raises(UnexpectedPayload, match="unpacked"):
        send(http_answer(b"no gzip at all", headers="Content-Encoding: gzip\r\n"))


def test_a_certificate_that_nobody_signed_is_refused(tmp_path, monkeypatch):
    """trust.md 43; also when the environment names a bundle that would accept it."""
    tls, certificate = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate))

    with serving(http_answer(), tls=tls) as server, pytest.raises(Unreachable, match="secure"):
        Transport(server.url).send(ASK, bearer="token-1")

    assert server.requests == []


def test_a_signed_certificate_is_accepted_and_the_deadline_holds_over_tls_too(tmp_path, monkeypatch):
    tls, certificate = self_signed(tmp_path)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))

    def answering(connection: socket.socket, request: bytes) -> None:
        if b"/first" in request:
            connection.sendall(http_answer(b'"safe"'))
        else:
            trickle(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x")

    with serving(answering, tls=tls) as server:
        transport = Transport(server.url, answer_timeout=0.5)
        assert transport.send(Request("GET", "/first", operation="search")).body == b'"safe"'
        started = time.monotonic()
        with pytest.raises(Unreachable, match="too long"):
            transport.send(Request("GET", "/second", operation="search"))
        assert time.monotonic() - started < 3
        transport.close()


def test_a_handshake_that_trickles_is_cut_at_the_deadline():
    """A TLS record that promises 16 kB and brings a byte each 20 ms: no time-out of a single read ends it."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                trickle(connection, b"\x16\x03\x03\x40\x00", b"\x02")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        started = time.monotonic()
        with pytest.raises(Unreachable):
            Transport(f"https://127.0.0.1:{listener.getsockname()[1]}", answer_timeout=0.3).send(ASK)
        assert time.monotonic() - started < 3
        thread.join(5)


def test_the_environment_names_no_proxy_and_no_credentials(tmp_path, monkeypatch):
    """trust.md 43."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))

    with serving(http_answer()) as proxy, serving(http_answer()) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        transport = Transport(server.url)
        transport.send(ASK)
        transport.close()

    assert proxy.connections == 0
    assert b"Authorization" not in server.requests[0]


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "flipkart.test",
        "ftp://host",
        "file:///etc/passwd",
        "https://user@host",
        "https://host?x=1",
        "https://host#x",
    ],
)
def test_a_base_url_is_scheme_and_host(base_url):
    with pytest.raises(ValueError):
        Transport(base_url)


@pytest.mark.parametrize("path", ["", "v3/x", "//evil.test/x", "@evil.test", "https://evil.test/"])
def test_a_path_cannot_name_another_host(path):
    with pytest.raises(ValueError):
        Transport("http://127.0.0.1:1").send(Request("GET", path, operation="search"))


@pytest.mark.parametrize("bearer", ["a\r\nX-Evil: 1", "ä", "", "a b", "x" * 9000])
def test_a_token_that_is_no_token_is_refused_without_showing_it(bearer):
    with pytest.raises(ValueError) as failure:
        Transport("http://127.0.0.1:1").send(ASK, bearer=bearer)

    assert str(failure.value) == "the bearer token has characters that no header may hold"


def test_an_adapter_takes_the_place_of_the_network_for_its_prefix_only():
    class Teapot(BaseAdapter):
        def send(self, *_args, **_kwargs):
            response = Response()
            response.status_code = 200
            response.raw = HTTPResponse(body=io.BytesIO(b'"tea"'), preload_content=False)
            return response

        def close(self):
            pass

    before = Transport("http://teapot.invalid")
    mount("http://teapot.invalid", Teapot())
    try:
        assert Transport("http://teapot.invalid").send(ASK).body == b'"tea"'
        with pytest.raises(Unreachable):
            before.send(ASK)
    finally:
        mount("http://teapot.invalid", None)
    with pytest.raises(Unreachable):
        Transport("http://teapot.invalid").send(ASK)


def test_a_call_leaves_one_line_with_operation_status_and_time(caplog):
    caplog.set_level("INFO", logger="shipcrowd.transport")

    send(http_answer())

    (record,) = [record for record in caplog.records if record.name == "shipcrowd.transport"]
    operation, status, milliseconds = record.args
    assert (operation, status, record.levelname) == ("shipments", 200, "INFO")
    assert 0 <= milliseconds < 5000
