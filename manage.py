#!/usr/bin/env python
"""Shipcrowd's commands: `manage.py demo` shows it all, `manage.py help` lists the rest."""

import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["demo"]:
        from shipcrowd.portal import demo_environment  # noqa: PLC0415 - app loading: it sets what settings.py reads

        demo_environment.prepare(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shipcrowd.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - app loading

    from shipcrowd import checks  # noqa: PLC0415 - app loading

    checks.refuse_without_settings(sys.argv)
    with checks.refuse_without_database(sys.argv):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
