"""Lines of the log: of an exception they say what kind it was and where in our code, never its words.

The words of an exception may be the database's, which repeat what a row or a form held, and an address may be a secret.
"""

import logging
import traceback
from copy import copy
from pathlib import Path
from typing import Any

BASE = Path(__file__).resolve().parent.parent
OF_REQUESTS = ("django.request", "django.security")


class Lines(logging.Formatter):
    """Each record in one line, which makes nothing of another handler's."""

    def format(self, record: logging.LogRecord) -> str:
        shown = copy(record)
        shown.exc_info = shown.exc_text = shown.stack_info = None
        error = record.exc_info[1] if record.exc_info else None
        if record.name.startswith(OF_REQUESTS):
            shown.msg, shown.args = _request_in_words(record), None
            if getattr(record, "status_code", 500) in (403, 404):
                error = None  # an answer like others
        if error is not None:
            shown.msg, shown.args = f"{shown.getMessage()}: {in_words(error)}", None
        return super().format(shown)


def in_words(error: BaseException) -> str:
    """The kind of an exception, of what caused it, and the lines of our code it came through; the last is where."""
    cause = f" ({type(error.__cause__).__name__})" if error.__cause__ else ""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(Path(frame.filename))] or frames[-1:]
    places = ", ".join(f"{_place(Path(frame.filename))}:{frame.lineno}" for frame in ours)
    return f"{type(error).__name__}{cause}" + (f" at {places}" if places else "")


def _request_in_words(record: logging.LogRecord) -> str:
    """How it was answered and by which route: the address itself may hold an invitation's secret."""
    request: Any = getattr(record, "request", None)
    said = (getattr(record, "status_code", ""), getattr(request, "method", ""), _route(request))
    return " ".join(str(word) for word in said if word)


def who_logs_in(_username: str, _address: str, _browser: str, _path: str, request: Any) -> str:
    """What django-axes says of somebody who logs in, or tries to: the route, as of any request."""
    return _route(request)


def _route(request: Any) -> str:
    match = getattr(request, "resolver_match", None)
    return str(match.route) if match else "no route"


def _is_ours(file: Path) -> bool:
    return file.is_relative_to(BASE) and "site-packages" not in file.parts


def _place(file: Path) -> str:
    return str(file.relative_to(BASE)) if file.is_relative_to(BASE) else "/".join(file.parts[-3:])
