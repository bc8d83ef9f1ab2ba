"""Runs a measurement in a process and with a database of its own, so that nothing else has warmed or filled either."""

import json
import os
import subprocess
import sys
import tempfile

from shipcrowd.db import embedded


def measured(module: str) -> dict[str, object]:
    """The flat figures that `python -m <module>` prints on its last line; what it prints before goes on to stderr."""
    with tempfile.TemporaryDirectory(prefix="shipcrowd-benchmark-") as folder:
        database = f"{folder}/database"
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "SHIPCROWD_EMBEDDED": database}
        try:
            ran = subprocess.run(
                [sys.executable, "-m", module], env=environment, stdout=subprocess.PIPE, check=True, text=True
            )
        finally:
            embedded.let_go(database)
    figures: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
    return figures
