"""What the demo's processes are told by environment variables; runs before Django reads its settings.

Everything the demo makes stays in one folder: the database, the documents, the simulator's world, and its own secrets.
"""

import argparse
import base64
import errno
import json
import os
import secrets
import socket
import tempfile
from pathlib import Path
from typing import TypedDict

BASE_DIR = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
WHAT_TO_DO = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room, or "),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "start as the user it belongs to, or "),
    **dict.fromkeys((errno.EEXIST, errno.EISDIR), "move it away, or "),
}


class CannotStart(Exception):
    """Why the demo cannot start, and what to do about it."""


class Secrets(TypedDict):
    secret_key: str
    encryption_key: str
    portal_secret: str
    password: str


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="manage.py demo", add_help=False)
    arguments.add_argument("--headless", action="store_true", help="do the whole job by HTTP, print a table, and end")
    arguments.add_argument(
        "--keep", action="store_true", help="with --headless: keep the folder (one that --folder names always is)"
    )
    arguments.add_argument(
        "--wire",
        choices=("guide", "official"),
        default="guide",
        help="the format in which Flipkart is spoken to (guide)",
    )
    arguments.add_argument("--port", type=_port, default=0, help="where the portal listens (8000)")
    arguments.add_argument("--simulator-port", type=_port, default=0, help="where the simulator listens (8001)")
    arguments.add_argument("--folder", type=Path, default=None, help="where everything is kept (.data)")
    return arguments


def prepare(argv: list[str]) -> None:
    """Sets the environment that settings.py reads. Ends with one plain sentence where the folder cannot be used."""
    if {"-h", "--help"} & set(argv):
        os.environ["SHIPCROWD_EMBEDDED"] = str(BASE_DIR / ".data" / "postgres")  # never made
        return
    asked, _others = parser().parse_known_args(argv)
    try:
        folder = (asked.folder or _folder(asked.headless)).absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = read_secrets(folder)
    except CannotStart as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(cannot_use(error, asked.folder or BASE_DIR)) from None
    port = asked.port or (free_port() if asked.headless else 8000)
    simulator_port = asked.simulator_port or (free_port() if asked.headless else 8001)
    os.environ.update(
        SHIPCROWD_DEMO_FOLDER=str(folder),
        SHIPCROWD_EMBEDDED=str(folder / "postgres"),
        DOCUMENTS_FOLDER=str(folder / "documents"),
        SECRET_KEY=kept["secret_key"],
        ENCRYPTION_KEYS=kept["encryption_key"],
        FLIPKART="simulator",
        FLIPKART_WIRE=asked.wire,
        FLIPKART_CLIENT_ID="shipcrowd-portal",
        FLIPKART_CLIENT_SECRET=kept["portal_secret"],
        PUBLIC_URL=f"http://{HOST}:{port}",
        SIMULATOR_URL=f"http://{HOST}:{simulator_port}",
        ALLOWED_HOSTS=f"{HOST},localhost",
    )
    if asked.headless:
        # The whole day passes in a minute. With less, a batch that waits for the quota is read again before each try.
        os.environ["READ_AGAIN_AFTER_SECONDS"] = "5"
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "S3_BUCKET", "EMAIL_URL"):
        os.environ.pop(name, None)  # the demo touches nothing outside of its folder


def cannot_use(error: OSError, folder: Path | str) -> str:
    """One sentence for a file that cannot be made, read or written, with what to do."""
    does = WHAT_TO_DO.get(error.errno or 0, "")
    why = error.strerror or str(error)
    return f"{error.filename or folder} cannot be used ({why}): {does}choose another folder with --folder."


def read_secrets(folder: Path) -> Secrets:
    """The demo's own secrets, made at its first start. Raises CannotStart, OSError."""
    file = folder / "secrets.json"
    if not file.exists():
        if (folder / "postgres" / "postgres").exists():
            raise CannotStart(f"{file} is gone, and what it sealed with it. Remove the folder {folder} to begin anew.")
        _write_whole(file, json.dumps(_new_secrets()))
    try:
        read: Secrets = json.loads(file.read_text())
        return Secrets(
            secret_key=read["secret_key"],
            encryption_key=read["encryption_key"],
            portal_secret=read["portal_secret"],
            password=read["password"],
        )
    except (ValueError, KeyError, TypeError):
        raise CannotStart(f"{file} cannot be read. Remove the folder {folder} to begin anew.") from None


def _new_secrets() -> Secrets:
    return Secrets(
        secret_key=secrets.token_urlsafe(50),
        encryption_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        portal_secret=secrets.token_hex(32),
        password="-".join(secrets.choice(_WORDS) for _ in range(4)),
    )


def _write_whole(file: Path, text: str) -> None:
    """Whole or not at all, whenever the power goes; nobody else may read it."""
    half = file.with_suffix(".new")
    half.touch(mode=0o600)
    half.write_text(text)
    half.rename(file)


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text} is no port: choose a number from 1 to 65535, best above 1023.")
    return int(text)


def _folder(headless: bool) -> Path:
    return Path(tempfile.mkdtemp(prefix="shipcrowd demo ")) if headless else BASE_DIR / ".data"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


_WORDS = ["amber", "banyan", "cedar", "delta", "ember", "fennel", "ginger", "harbour", "indigo", "jasmine", "kestrel"]
_WORDS += ["lotus", "mango", "neem", "opal", "pepper", "quartz", "river", "saffron", "teak", "umber", "yarrow"]
