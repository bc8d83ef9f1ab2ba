"""Settings of the tests: Shipcrowd's own, on an embedded PostgreSQL, with keys that belong to nobody."""

import atexit
import base64
import os
import tempfile
from pathlib import Path

_documents = tempfile.TemporaryDirectory(prefix="shipcrowd-documents-")
atexit.register(_documents.cleanup)
ROOT = Path(__file__).resolve().parent.parent

for _name, _value in {
    "SHIPCROWD_EMBEDDED": str(ROOT / ".data" / "tests"),
    "SECRET_KEY": "a key of the tests that signs nothing anybody would want to keep, ever",
    "ENCRYPTION_KEYS": base64.b64encode(b"0123456789abcdef0123456789abcdef").decode(),
    "PUBLIC_URL": "http://testserver",
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "FLIPKART": "simulator",
    "SIMULATOR_URL": "http://simulator.test",
    "FLIPKART_CLIENT_ID": "shipcrowd-portal",
    "FLIPKART_CLIENT_SECRET": "planted-portal-secret-3f9a",
    "DOCUMENTS_FOLDER": _documents.name,
}.items():
    os.environ.setdefault(_name, _value)

from shipcrowd.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
