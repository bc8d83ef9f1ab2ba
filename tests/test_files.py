"""Stored files: put, read back, checked on every read; on folders and on a real S3 server."""

import hashlib
import io
import uuid
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, default_storage
from django.test import override_settings
from moto.server import ThreadedMotoServer

from sellers.models import Seller
from shipcrowd import files
from shipcrowd.files import StorageFailed, StoredFileChanged, StoredFileLost

PDF = b"%PDF-1.4 one whole paper %%EOF"


def in_storage(backend, **options):
    return override_settings(
        STORAGES={
            "default": {"BACKEND": backend, "OPTIONS": options},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        }
    )


@pytest.fixture
def owner() -> Seller:
    return Seller(name="Seller", slug="seller")


@pytest.fixture(scope="module")
def s3_server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["files", "s3"])
def storage(request, tmp_path):
    """The default storage, once as files and once as S3 over HTTP."""
    if request.param == "files":
        with override_settings(MEDIA_ROOT=tmp_path / "documents"):
            yield default_storage
        return
    url = request.getfixturevalue("s3_server")
    login = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "ap-south-1"}
    bucket = f"documents-{uuid.uuid4()}"
    boto3.client("s3", endpoint_url=url, **login).create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"}
    )
    with in_storage(
        "storages.backends.s3.S3Storage",
        bucket_name=bucket,
        endpoint_url=url,
        region_name="ap-south-1",
        access_key="test",
        secret_key="test",
        default_acl=None,
        file_overwrite=False,
    ):
        yield default_storage


def test_what_was_stored_is_read_back_with_its_digest_and_size(storage, owner):
    stored = files.store(owner, kind="label", content=PDF)

    assert stored.sha256 == hashlib.sha256(PDF).hexdigest()
    assert stored.size == len(PDF)
    assert files.read_checked(stored.key, stored.sha256) == PDF


def test_a_large_file_is_stored_from_its_begin_wherever_it_was_left(storage, owner):
    file = io.BytesIO(PDF * 10_000)
    file.seek(77)

    stored = files.store_file(owner, kind="print", file=file)

    assert stored.size == len(PDF) * 10_000
    assert files.read_checked(stored.key, stored.sha256) == PDF * 10_000


def test_a_key_holds_the_sellers_prefix_and_ids_only(storage, owner):
    """trust.md 72."""
    stored = files.store(owner, kind="label", content=PDF)

    prefix, name = stored.key.rsplit("/", 1)
    assert prefix == f"sellers/{owner.public_id}/label"
    assert name.endswith(".pdf")
    assert len(name) == len("00000000-0000-0000-0000-000000000000.pdf")


def test_a_file_that_is_gone_says_so(storage, owner):
    """trust.md 48: put, and lost."""
    stored = files.store(owner, kind="label", content=PDF)
    storage.delete(stored.key)

    with pytest.raises(StoredFileLost, match="gone from the file storage"):
        files.read_checked(stored.key, stored.sha256)


def test_other_bytes_than_were_stored_are_refused(storage, owner):
    """trust.md 48: reads back other bytes."""
    stored = files.store(owner, kind="label", content=PDF)
    storage.delete(stored.key)
    storage.save(stored.key, io.BytesIO(PDF[:-1]))

    with pytest.raises(StoredFileChanged, match="not what was put there"):
        files.read_checked(stored.key, stored.sha256)


class FailingStorage(InMemoryStorage):
    """Does what trust.md 48 and 47 say of a storage: refuses, is full, swallows, spoils."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def _save(self, name, content):
        if self.fault == "put fails":
            raise ConnectionError("https://secret:key@storage.invalid")
        if self.fault == "disk full":
            raise OSError(28, "No space left on device")
        if self.fault == "spoils":
            content = ContentFile(content.read()[:-3])
        saved = super()._save(name, content)
        if self.fault == "swallows":
            self.delete(saved)
        return saved


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("put fails", StorageFailed),
        ("disk full", StorageFailed),
        ("swallows", StoredFileLost),
        ("spoils", StoredFileChanged),
    ],
)
def test_a_storage_that_fails_keeps_nothing_and_says_so_in_our_words(owner, fault, error):
    """trust.md 47, 48."""
    with in_storage(f"{__name__}.FailingStorage", fault=fault), pytest.raises(StorageFailed) as caught:
        files.store(owner, kind="label", content=PDF)

    assert caught.type is error
    assert "secret" not in str(caught.value)


def test_a_storage_that_is_away_is_no_lost_file(owner):
    stored_key, digest = "sellers/x/label/y.pdf", hashlib.sha256(PDF).hexdigest()

    nobody = {
        "bucket_name": "b",
        "endpoint_url": "http://127.0.0.1:9",
        "access_key": "a",
        "secret_key": "b",
        "client_config": Config(retries={"max_attempts": 0}, connect_timeout=1),
    }
    with in_storage("storages.backends.s3.S3Storage", **nobody), pytest.raises(StorageFailed) as caught:
        files.read_checked(stored_key, digest)

    assert caught.type is StorageFailed


def test_files_are_readable_by_nobody_else_on_the_machine(tmp_path, owner):
    with override_settings(MEDIA_ROOT=tmp_path):
        stored = files.store(owner, kind="label", content=PDF)

    assert Path(tmp_path, stored.key).stat().st_mode & 0o077 == 0


def test_a_pdf_is_served_unsniffed_uncached_and_powerless():
    """trust.md 72."""
    response = files.as_pdf_response(PDF, name='label-SHIP1"\r\nX-Evil: 1/../../etc')

    assert response.content == PDF
    assert response["Content-Type"] == "application/pdf"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, no-store"
    assert response["Content-Security-Policy"].startswith("sandbox;")
    assert response["Content-Disposition"] == 'inline; filename="label-SHIP1X-Evil1etc.pdf"'
