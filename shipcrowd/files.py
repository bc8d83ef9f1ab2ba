"""Stored bytes: kept under their seller's prefix in django-storages, with a digest that every later read is checked
against.

A row that names a file is written only after `store` has put it and read it back; so a file without a row may be left
behind by a crash, and a row without its file never is. Keys hold ids only, no name that anybody typed. Call it
outside of transactions.
"""

import hashlib
import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, TypeVar, cast

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from sellers.models import Seller


ResponseT = TypeVar("ResponseT", bound=HttpResponseBase)

PIECE = 2**20  # bytes read at once


class StorageFailed(Exception):
    """The storage does not take or give bytes just now: nothing was kept, and the work is to be tried again."""


class StoredFileLost(StorageFailed):
    """The storage does not have what a row names. Fetch it anew."""


class StoredFileChanged(StorageFailed):
    """The storage gives other bytes than were stored. Do not use them; fetch it anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Where bytes were put: the storage key, their SHA-256 in hex, and how many they are."""

    key: str
    sha256: str
    size: int


def store(seller: "Seller", *, kind: str, content: bytes) -> Stored:
    """Puts `content` at `sellers/<public id>/<kind>/<uuid>.pdf` and reads it back. Raises StorageFailed."""
    return store_file(seller, kind=kind, file=io.BytesIO(content))


def store_file(seller: "Seller", *, kind: str, file: IO[bytes]) -> Stored:
    """As `store`, for what is too large to hold in memory: `file` is read from its start, piece by piece."""
    file.seek(0)
    digest = _digest(file)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    wanted = f"sellers/{seller.public_id}/{kind}/{uuid.uuid4()}.pdf"
    try:
        key = default_storage.save(wanted, File(file))
    except Exception as error:
        raise StorageFailed(_("the file storage does not take files just now")) from error
    with _opened(key) as stored:
        if _digest(stored) != digest:
            raise StoredFileChanged(_("the file storage gives back other bytes than it was given"))
    return Stored(key=key, sha256=digest, size=size)


def read_checked(key: str, sha256: str) -> bytes:
    """The bytes that were stored. Raises StoredFileLost, StoredFileChanged, or StorageFailed when nothing answers."""
    with _opened(key) as file:
        content = file.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StoredFileChanged(_("the stored file is not what was put there"))
    return content


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


@contextmanager
def _opened(key: str) -> Iterator[IO[bytes]]:
    """Each storage has exceptions of its own: whatever one raises while it is read means that it gave nothing."""
    try:
        with default_storage.open(key) as file:
            yield cast(IO[bytes], file)  # reads as one
    except (StorageFailed, GeneratorExit):
        raise
    except FileNotFoundError as error:
        raise StoredFileLost(_("the stored file is gone from the file storage")) from error
    except Exception as error:
        raise StorageFailed(_("the file storage does not answer just now")) from error


def as_pdf_response(content: bytes, *, name: str) -> HttpResponse:
    """A PDF for the browser's own viewer. `name` is of ids only."""
    return _powerless(HttpResponse(content, content_type="application/pdf"), name)


def as_long_pdf_response(file: IO[bytes], *, name: str) -> FileResponse:
    """The same for one too large to hold in memory: sent piece by piece, and then closed."""
    return _powerless(FileResponse(file, content_type="application/pdf"), name)


def _powerless(response: ResponseT, name: str) -> ResponseT:
    """Never sniffed, cached or framed, and it may do nothing."""
    response["Content-Disposition"] = f'inline; filename="{"".join(c for c in name if c.isalnum() or c in "-_")}.pdf"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    return response
