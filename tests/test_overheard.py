"""The ear that listens to every other test works (trust 66)."""

import logging

from tests.overheard import Overheard


def test_what_is_planted_and_logged_is_noticed():
    ear = Overheard()
    ear.begin()
    ear.emit(logging.makeLogRecord({"name": "shipcrowd", "msg": "token %s", "args": ("planted-portal-secret-3f9a",)}))

    assert ear.spoken() == {"planted-portal-secret-3f9a"}


def test_what_is_logged_without_harm_is_let_pass():
    ear = Overheard()
    ear.begin()
    ear.emit(logging.makeLogRecord({"name": "shipcrowd", "msg": "search answered %s", "args": (200,)}))

    assert ear.spoken() == set()


def test_what_another_process_logged_is_heard_too():
    ear = Overheard()
    ear.begin()
    ear.plant_words({"buyer zebracorn"})
    ear.hear("INFO one line\nERROR no label for buyer zebracorn\n")

    assert ear.spoken() == {"buyer zebracorn"}
