"""A limit for a whole answer: at its end the connection is cut from outside, wherever the reading stands.

The time-out of requests is per read of the socket: a server that sends one byte a second, in its headers or in its
body, never meets it. So each connection keeps a second handle of its socket, and a timer shuts that one down.
"""

import contextlib
import socket
import threading
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Deadline:
    """`with Deadline(seconds) as deadline:` cuts the connections used inside once the time is over; `is_over` tells."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._cords: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> "Deadline":
        self._token = _running.set(self)
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        _running.reset(self._token)
        with self._lock:  # a timer that is just firing must not cut a connection that serves the next call
            while self._cords:
                self._cords.pop().close()

    def watch(self, sock: socket.socket) -> None:
        """Cut the connection of `sock` too when the time is over; at once when it already is.

        The handle is our own: http.client closes its one early, while a body without a length is still being read.
        """
        cord = sock.dup()
        with self._lock:
            self._cords.append(cord)
            if self.is_over:
                _shut(cord)

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            for cord in self._cords:
                _shut(cord)


class DeadlineAdapter(HTTPAdapter):
    """The adapter of requests whose connections obey the Deadline that is running."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


_running: ContextVar[Deadline | None] = ContextVar("running deadline", default=None)


def _shut(cord: socket.socket) -> None:
    with contextlib.suppress(OSError):  # already closed by the other side: nothing is left to cut
        cord.shutdown(socket.SHUT_RDWR)


class _Corded(HTTPConnection):
    """A connection with a second handle of its socket: TLS wraps and detaches the first one."""

    _cord: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self._drop_cord()
        self._cord = sock.dup()
        self._watch()
        return sock

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        self._watch()  # a kept-alive connection meets a new deadline
        super().putrequest(*args, **kwargs)

    def close(self) -> None:
        super().close()
        self._drop_cord()

    def _watch(self) -> None:
        deadline = _running.get()
        if deadline is not None and self._cord is not None:
            deadline.watch(self._cord)

    def _drop_cord(self) -> None:
        if self._cord is not None:
            self._cord.close()
            self._cord = None


class _CordedSecure(_Corded, HTTPSConnection):
    """The same over TLS, the handshake included."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Corded


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _CordedSecure
