"""A browser without a screen: keeps cookies, follows links, fills in forms as a person would. For the demo."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests


class NotThere(Exception):
    """The page lacks what a person would look for; the text says what, where, and what the page says instead."""


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)  # name, value, text


class Page(HTMLParser):
    """Forms, links and visible text of one page."""

    def __init__(self, url: str, html: str) -> None:
        super().__init__()
        self.url, self.forms, self.links, self.rows, self.text = url, [], [], [], ""
        self._form: Form | None = None
        self._select = ""
        self._link: str | None = None
        self._button = False
        self._silent = 0
        self.feed(html)

    forms: list[Form]
    links: list[tuple[str, str]]  # address, text
    rows: list[list[str]]  # of its tables, cell by cell

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._form = Form(urljoin(self.url, given.get("action") or self.url), given.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "a":
            self._link = urljoin(self.url, given.get("href", ""))
            self.links.append((self._link, ""))
        elif tag in ("script", "style"):
            self._silent += 1
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        elif self._form is None:
            return
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and self._select:
            self._choose(given.get("value", ""), is_chosen="selected" in given)
        elif tag == "button" or (tag == "input" and given.get("type") == "submit"):
            self._form.buttons.append((given.get("name", ""), given.get("value", ""), given.get("value", "")))
            self._button = tag == "button"
        elif tag == "input" and given.get("name"):
            unticked = given.get("type") in ("checkbox", "radio") and "checked" not in given
            if not unticked:
                self._form.fields.append(
                    (given["name"], given.get("value", "on" if given.get("type") == "checkbox" else ""))
                )

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "a":
            self._link = None
        elif tag == "select":
            self._select = ""
        elif tag == "button":
            self._button = False
        elif tag in ("script", "style"):
            self._silent -= 1

    def _choose(self, value: str, *, is_chosen: bool) -> None:
        """Of a list the first stands, until one says that it is chosen."""
        fields = self._form.fields if self._form else []
        at = next((at for at, (name, _value) in enumerate(fields) if name == self._select), None)
        if at is None:
            fields.append((self._select, value))
        elif is_chosen:
            fields[at] = (self._select, value)

    def handle_data(self, text: str) -> None:
        if self._silent:
            return
        self.text += text
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += text.strip()
        if self._link is not None:
            url, before = self.links[-1]
            self.links[-1] = (url, before + text)
        if self._button and self._form:
            name, value, before = self._form.buttons[-1]
            self._form.buttons[-1] = (name, value, before + text)

    def words(self) -> str:
        """The beginning of what the page says."""
        return " ".join(self.text.split())[:300]

    def form_to(self, ending: str) -> Form:
        """The first form whose action's path ends with `ending`."""
        for form in self.forms:
            if form.action.split("?")[0].rstrip("/").endswith(ending.rstrip("/")):
                return form
        raise NotThere(f"{self.url} has no form to …{ending}; it says: {self.words()}")

    def form_with(self, name: str) -> Form:
        """The first form that has a field or button of this name."""
        for form in self.forms:
            if name in {field for field, _value in form.fields} | {button[0] for button in form.buttons}:
                return form
        raise NotThere(f"{self.url} has no form with {name}; it says: {self.words()}")


class Visitor:
    """One person at one browser."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url
        self._session = requests.Session()
        self._session.trust_env = False
        self.page = Page(base_url, "")

    def open(self, address: str) -> Page:
        return self._show(self._ask("GET", urljoin(self._base, address)))

    def submit(self, form: Form, **values: str | list[str]) -> Page:
        """Sends the form with `values` in place of what stands there; follows where the answer leads."""
        fields = [(name, value) for name, value in form.fields if name not in values]
        for name, value in values.items():
            fields += [(name, one) for one in ([value] if isinstance(value, str) else value)]
        referer = {"Referer": self.page.url}
        if form.method == "get":
            return self._show(self._ask("GET", form.action, params=fields, headers=referer))
        return self._show(self._ask("POST", form.action, data=fields, headers=referer))

    def download(self, address: str) -> bytes:
        answer = self._ask("GET", urljoin(self._base, address))
        if answer.status_code != 200:
            raise NotThere(f"{address} answered {answer.status_code}")
        return answer.content

    def _ask(self, method: str, address: str, **sent: Any) -> requests.Response:
        try:
            return self._session.request(method, address, timeout=120, **sent)
        except requests.RequestException as error:
            raise NotThere(f"{address} does not answer: {error}") from error

    def _show(self, answer: requests.Response) -> Page:
        self.page = Page(answer.url, answer.text)
        if answer.status_code >= 400:
            raise NotThere(f"{answer.url} answered {answer.status_code}: {self.page.words()}")
        return self.page
