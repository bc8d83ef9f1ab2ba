"""Runs last: no token, secret, phone or name stands in anything that the suite logged (trust 66)."""

import logging

from tests.overheard import OVERHEARD, PLANTED


def test_nothing_that_is_nobodys_business_was_logged():
    everything = "\n".join(OVERHEARD.lines)

    assert {word for word in PLANTED if word and word in everything} == set()


def test_what_is_logged_is_overheard():
    logging.getLogger("shipcrowd.transport").info("a line to be overheard")

    assert "shipcrowd.transport: a line to be overheard" in OVERHEARD.lines
