"""Settings that not every text can be, read from the environment.

What cannot be read raises ImproperlyConfigured: a sentence that names the variable, says what to write, and never
repeats what was written, which may hold a password.
"""

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

CountT = TypeVar("CountT", int, float)

LARGEST = 10**9  # more seconds, bytes or calls are a slip of the finger, and a span of time cannot hold them


def whole_number(name: str, default: int) -> int:
    return _counted(name, default, int, "no whole number", such_as=f"{default}")


def number(name: str, default: float) -> float:
    return _counted(name, default, float, "no number", such_as=f"{default:g}")


def one_of(name: str, choices: Collection[str], default: str) -> str:
    word = _written(name) or default
    if word not in (*choices, default):
        raise _refusal(name, "none of the words it can be", " or ".join(choices))
    return word


def web_address(name: str, default: str = "") -> str:
    """As https://host, with a port or a path where there is one; without a slash at its end, empty where not set."""
    url = (_written(name) or default).rstrip("/")
    address = _split(url)
    if url and (address is None or address.scheme not in ("http", "https") or not address.hostname):
        raise _refusal(name, "no web address", f"one as {default or 'https://name.example.com'}")
    return url


def mail_server(name: str) -> dict[str, Any]:
    """Django's EMAIL_… settings of a URL; with none, mails go nowhere."""
    url = _written(name) or "dummymail://"
    address = _split(url)
    is_known = address is not None and address.scheme in environ.Env.EMAIL_SCHEMES
    if address is None or not is_known or (address.scheme.startswith("smtp") and not address.hostname):
        raise _refusal(name, "no mail server", "smtp+tls://user:password@host:587")
    settings: dict[str, Any] = environ.Env.email_url_config(url)
    return settings


def _counted(name: str, default: CountT, read: Callable[[str], CountT], what_it_is: str, *, such_as: str) -> CountT:
    """Strictly one: the library's own reader takes 1e3 for 13, and 90x for 90."""
    written = _written(name)
    if not written:
        return default
    with suppress(ValueError):
        if 0 <= (count := read(written)) <= LARGEST:  # nan is not
            return count
    raise _refusal(name, what_it_is, f"one from 0 to {LARGEST}, as {such_as}")


def _written(name: str) -> str:
    """What is set; an empty variable, as files of variables have them, is as good as none."""
    return os.environ.get(name, "")


def _split(url: str) -> SplitResult | None:
    """The parts of a URL, the port a number; None where it is none."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - read now: a port that is none raises where it is read
    except ValueError:
        return None
    return parts


def _refusal(name: str, what_it_is: str, what_to_write: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {what_it_is}: write {what_to_write}")
