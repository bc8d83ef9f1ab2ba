"""Settings of the benchmark `clicks`: labels are answered by a clock, polls by something that stays busy."""

from tests.settings import *  # noqa: F403

WORK_KINDS = WORK_KINDS | {  # noqa: F405
    "labels": ("clicks", "tests.benchmarks.clicks.first_line"),
    "poll": ("default", "tests.benchmarks.clicks.busy_poll"),
}
