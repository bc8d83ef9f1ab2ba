"""Settings of worker processes in tests of queue and watchdog: kinds of work that only note that they ran."""

from tests.settings import *  # noqa: F403

WORK_KINDS = {
    "poll": ("default", "tests.db.kinds.note_poll"),
    "labels": ("clicks", "tests.db.kinds.note_labels"),
    "dispatches": ("clicks", "tests.db.kinds.wait_for_the_end"),
    "print_jobs": ("clicks", "tests.db.kinds.fail"),
}
