"""Kinds of work for tests: each leaves a line in the file that NOTES names."""

import os
import threading
from pathlib import Path

from fulfillment.models import LabelRequest
from shipcrowd.tenancy import seller_scope


def note(line: str) -> None:
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{line}\n")


def note_poll(*, seller_id: int) -> bool:
    note(f"poll {seller_id}")
    return False


def note_labels(*, seller_id: int) -> bool:
    """Works what is due, if anything is."""
    with seller_scope(seller_id):
        LabelRequest.objects.filter(seller_id=seller_id).update(wake_at=None)
    note(f"labels {seller_id}")
    return False


def wait_for_the_end(*, seller_id: int) -> bool:
    note(f"begun {seller_id}")
    threading.Event().wait()
    return False


def fail(*, seller_id: int) -> bool:
    note(f"failing {seller_id}")
    raise ValueError("Asha Rao, 9876543210")
