"""What a person does in the browser over and over, and what each screen must be."""

import time

from tests import factories
from tests.browser.conftest import PATIENCE

PASSWORD = "a long enough password"
GO_ON = "form:has(input[name=confirmed]) button"  # of the page that says what will happen


def log_in(person, user) -> None:
    person.opens("/login/")
    person.types("input[name=username]", user.username)
    person.types("input[name=password]", PASSWORD)
    person.presses(".sc-form button")


def connect(person, seller, account) -> None:
    person.opens(f"/s/{seller.slug}/")
    person.presses("form[action$='/connect/'] button")
    person.ticks(f"input[name=account][value='{account.account_id}']")
    person.presses("button[name=decision][value=allow]")


def choose(person, most=None) -> None:
    """Ticks what the list shows, or the first few of it."""
    for tick in person.all("input[name=shipment]")[:most]:
        person.clicks(tick)


def press(person, seller, stage, act, picture) -> None:
    """Ticks the page of a stage, presses one of the buttons, reads what will happen, and goes on."""
    person.opens(f"/s/{seller.slug}/shipments/?stage={stage}")
    choose(person)
    person.presses(f"button[name=act][value={act}]")
    shows(person, picture)
    person.presses(GO_ON)


def work_until_done(model) -> None:
    """Labels are there only seconds after they were asked for; what waits is woken instead of waited for."""
    deadline = time.monotonic() + PATIENCE
    while any(row.is_open for row in factories.as_ops(model)):
        assert time.monotonic() < deadline
        factories.wake(model)
        factories.run_due_work()


def shows(person, name) -> None:
    wrong = troubles(person, name)
    assert wrong == [], f"{name}: {wrong}"  # in words: this module's asserts are not pytest's


def troubles(person, name) -> list[str]:
    """What is wrong with the page that is open: too wide, or something that shuts people out."""
    person.finds("#page")
    person.takes_picture(name)
    too_wide = person.overflow()
    return [*([f"{too_wide} pixels wider than the window"] if too_wide else []), *person.cannot_use()]
