"""Settings read from the environment: what cannot be read names its variable and never what was written."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from shipcrowd.environment import LARGEST, mail_server, number, one_of, web_address, whole_number

NAME = "A_SETTING"


@pytest.fixture
def written(monkeypatch):
    return lambda text: monkeypatch.setenv(NAME, text)


@pytest.mark.parametrize(("text", "read"), [("90", 90), ("1.5", 1.5), ("1e3", 1000), (" 2 ", 2), ("0", 0), ("", 30)])
def test_a_number_is_what_is_written(written, text, read):
    written(text)

    assert number(NAME, default=30.0) == read


@pytest.mark.parametrize("text", ["planted", "90x", "1,5", "nan", "inf", "-1", "1e300"])
def test_what_is_no_number_is_refused(written, text):
    written(text)

    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} is no number: write one from 0 to 1000000000, as 30$"):
        number(NAME, default=30.0)


def test_the_largest_number_is_a_span_of_time():
    assert timedelta(seconds=LARGEST)


@pytest.mark.parametrize(("text", "read"), [("90", 90), ("", 20)])
def test_a_whole_number_is_what_is_written(written, text, read):
    written(text)

    assert whole_number(NAME, default=20) == read


@pytest.mark.parametrize("text", ["planted", "1.5", "-1", "9" * 20, "9" * 5000])
def test_what_is_no_whole_number_is_refused(written, text):
    written(text)

    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} is no whole number: write one from"):
        whole_number(NAME, default=20)


def test_a_word_is_one_of_its_choices(written):
    assert one_of(NAME, ("guide", "official"), default="guide") == "guide"
    assert one_of(NAME, ("guide", "official"), default="") == ""

    written("planted")

    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} is none of the words it can be: write guide or official$"):
        one_of(NAME, ("guide", "official"), default="guide")


@pytest.mark.parametrize(
    ("text", "read"),
    [("https://a.example.com/", "https://a.example.com"), ("http://[::1]:8000", "http://[::1]:8000"), ("", "")],
)
def test_a_web_address_is_what_is_written(written, text, read):
    written(text)

    assert web_address(NAME) == read


@pytest.mark.parametrize(
    "text", ["portal.example.com", "https://[planted", "https://host:planted", "https://h:99999", "https://", "ftp://h"]
)
def test_what_is_no_web_address_is_refused(written, text):
    written(text)

    with pytest.raises(
        ImproperlyConfigured, match=f"^{NAME} is no web address: write one as https://name.example.com$"
    ):
        web_address(NAME)


def test_a_mail_server_is_read_from_its_url(written):
    written("smtp+tls://user:p%40ss@mail.example.com:587")

    assert mail_server(NAME) | {"EMAIL_FILE_PATH": ""} == {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_FILE_PATH": "",
        "EMAIL_HOST": "mail.example.com",
        "EMAIL_HOST_PASSWORD": "p@ss",
        "EMAIL_HOST_USER": "user",
        "EMAIL_PORT": 587,
        "EMAIL_USE_TLS": True,
    }


def test_without_a_mail_server_mails_go_nowhere(written):
    written("")

    assert mail_server(NAME)["EMAIL_BACKEND"] == "django.core.mail.backends.dummy.EmailBackend"


@pytest.mark.parametrize(
    "text", ["planted", "smtp://u:planted@h:port", "smtp://u:planted@", "smtp://[planted", "sntp://u:planted@host"]
)
def test_what_is_no_mail_server_is_refused(written, text):
    written(text)

    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} is no mail server: write smtp") as refused:
        mail_server(NAME)

    assert "planted" not in str(refused.value)
