"""What a failed request leaves in the log: its kind and its place, and no word of the request or of the database."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.test import Client
from django.urls import path

from sellers.models import User
from shipcrowd.log_lines import Lines

SECRET = "zebracorn"


def takes_a_name_twice(_request, secret):
    User.objects.create(username=secret)
    User.objects.create(username=secret)


def fails_in_words(_request, secret):
    raise ValueError(f"{secret} is no number")


def may_not(_request, secret):
    raise PermissionDenied(secret)


def is_not_there(_request, secret):
    raise Http404(secret)


def is_odd(_request, secret):
    raise SuspiciousOperation(secret)


urlpatterns = [
    path("twice/<str:secret>/", takes_a_name_twice),
    path("fails/<str:secret>/", fails_in_words),
    path("may-not/<str:secret>/", may_not),
    path("not-there/<str:secret>/", is_not_there),
    path("odd/<str:secret>/", is_odd),
]


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the log would hold, written as by the handler of the settings."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    (formatter,) = [each.formatter for each in logging.getLogger().handlers if isinstance(each.formatter, Lines)]
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("twice", "ERROR django.request: 500 GET twice/<str:secret>/: IntegrityError (UniqueViolation) at "),
        ("fails", "ERROR django.request: 500 GET fails/<str:secret>/: ValueError at "),
        ("odd", "ERROR django.security.SuspiciousOperation: 400 GET odd/<str:secret>/: SuspiciousOperation at "),
        ("may-not", "WARNING django.request: 403 GET may-not/<str:secret>/\n"),
        ("not-there", "WARNING django.request: 404 GET not-there/<str:secret>/\n"),
    ],
)
def test_a_request_that_fails_is_one_line_without_its_words(log, settings, page, says):
    settings.ROOT_URLCONF = __name__

    Client(raise_request_exception=False).get(f"/{page}/{SECRET}/?next={SECRET}")

    (line,) = [
        line for line in log.getvalue().splitlines(keepends=True) if " django." in line and "django.db" not in line
    ]
    assert says in line
    assert (" at " in says) == ("tests/test_log_lines.py:" in line)
    assert SECRET not in log.getvalue()


def test_another_handler_keeps_the_record_as_it_was(log, caplog):
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("somewhere").exception("a number was %s", "wrong")

    assert "somewhere: a number was wrong: ValueError at tests/test_log_lines.py:" in log.getvalue()
    assert SECRET not in log.getvalue()
    assert SECRET in caplog.text


def test_no_handler_of_djangos_own_writes_more():
    assert logging.getLogger("django").handlers == []
