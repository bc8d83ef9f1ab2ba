"""The sealed column: AES-256-GCM bound to its table, column, seller and row, with keys that can be rotated.

Stored form: 0x01, key id (4 bytes), nonce (12), ciphertext and tag. `manage.py rotate_keys` seals anew with the first
key.
"""

import base64
import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.apps import apps
from django.conf import settings
from django.db import connection, models

VERSION = b"\x01"
KEY_BYTES = 32
SHORTEST = 1 + 4 + 12 + 16  # version, key id, nonce, tag


class CannotOpen(Exception):
    """A sealed value does not belong to this row, or its key is not among ENCRYPTION_KEYS. Holds no value."""


class SealedAtSaveOnly(TypeError):
    """`.update()` does not know the row, so it cannot seal: use `sealed_for(row, field, text)`."""


class Sealed(bytes):
    """Ciphertext, ready to be stored."""

    def __repr__(self) -> str:
        return f"Sealed({len(self)} bytes)"


def key_id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:4]


def known_keys() -> list[bytes]:
    """ENCRYPTION_KEYS as bytes, the newest first. Raises ValueError for one that is not 32 bytes of base64."""
    return [_key(place, text) for place, text in enumerate(settings.ENCRYPTION_KEYS, 1)]


def _key(place: int, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        # Not "from error": its text may hold a part of the key.
        raise ValueError(f"ENCRYPTION_KEYS: key {place} is not base64.") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"ENCRYPTION_KEYS: key {place} has {len(key)} bytes, wanted are {KEY_BYTES}.")
    return key


def seal(text: str, *, bound_to: str) -> Sealed:
    key, nonce = known_keys()[0], os.urandom(12)
    return Sealed(VERSION + key_id(key) + nonce + _cipher(key).encrypt(nonce, text.encode(), bound_to.encode()))


def open_sealed(sealed: bytes, *, bound_to: str) -> str:
    """The text. Raises CannotOpen when it was sealed for another row, was changed, or its key is missing."""
    wanted = sealed[1:5]
    key = next((key for key in known_keys() if key_id(key) == wanted), None)
    if sealed[:1] != VERSION or len(sealed) < SHORTEST or key is None:
        raise CannotOpen(f"{bound_to}: cut short, or no key {wanted.hex()}")
    try:
        return _cipher(key).decrypt(sealed[5:17], sealed[17:], bound_to.encode()).decode()
    except InvalidTag as error:
        raise CannotOpen(f"{bound_to}: sealed for another row, or changed (key {wanted.hex()})") from error


@lru_cache(maxsize=32)
def _cipher(key: bytes) -> AESGCM:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"shipcrowd sealed column").derive(key)
    return AESGCM(derived)


def binding(row: models.Model, field: "models.Field[Any, Any]") -> str:
    return "|".join(
        ("shipcrowd", "1", row._meta.db_table, field.column or "", str(getattr(row, "seller_id", "")), str(row.pk))
    )


def sealed_for(row: models.Model, field_name: str, text: str) -> Sealed | None:
    """What `.update(field=…)` may be given for this very row."""
    field = row._meta.get_field(field_name)
    assert isinstance(field, SealedTextField)  # noqa: S101 - a programmer's mistake, not an input
    return seal(text, bound_to=binding(row, field)) if text else None


class _Opener:
    """Opens on access, so that a list of rows that never looks at its secrets never opens one."""

    def __init__(self, field: "SealedTextField") -> None:
        self.field = field

    def __get__(self, row: models.Model | None, owner: type[models.Model] | None = None) -> Any:
        if row is None:
            return self
        name = self.field.attname
        if name not in row.__dict__:
            row.refresh_from_db(fields=[name])  # deferred
        value = row.__dict__[name]
        if isinstance(value, Sealed):
            return open_sealed(value, bound_to=binding(row, self.field))
        return value or ""

    def __set__(self, row: models.Model, value: object) -> None:
        row.__dict__[self.field.attname] = value


class SealedTextField(models.BinaryField):  # type: ignore[type-arg]  # generic in the stubs only
    """Text that is sealed in the database. The row's key (uuid4) must exist before the first save."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("null", True)
        super().__init__(*args, **kwargs)

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, name, _Opener(self))

    def from_db_value(self, value: Any, _expression: object, _connection: object) -> Sealed | None:
        return None if value is None else Sealed(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname)
        if value is None or value == "" or isinstance(value, Sealed):
            return value or None
        sealed = seal(str(value), bound_to=binding(model_instance, self))
        model_instance.__dict__[self.attname] = sealed
        return sealed

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is not None and not isinstance(value, Sealed):
            raise SealedAtSaveOnly(f"{self.model._meta.label}.{self.attname} was given plain text outside of save()")
        return super().get_db_prep_value(value, connection, prepared)


# --- Which keys are in use, for checks and rotation ------------------------------------------------------------------


def sealed_columns() -> list[tuple[type[models.Model], SealedTextField]]:
    """Every sealed column of every model, in a stable order."""
    return sorted(
        (
            (model, field)
            for model in apps.get_models()
            for field in model._meta.local_fields
            if isinstance(field, SealedTextField)
        ),
        key=lambda column: (column[0]._meta.db_table, column[1].column),
    )


@dataclass(frozen=True, slots=True)
class Resealed:
    """What became of one batch; `last` is the key of its last row, None when there was none."""

    sealed: int
    cannot_open: int
    last: Any


def keys_in_use() -> dict[bytes, int]:
    """How many values each key id seals; in everyone's scope."""
    counted: Counter[bytes] = Counter()
    for model, field in sealed_columns():
        with connection.cursor() as cursor:
            cursor.execute(
                f'select substring("{field.column}" from 2 for 4), count(*) from "{model._meta.db_table}" '  # noqa: S608
                f'where "{field.column}" is not null group by 1'
            )
            counted.update({bytes(key_id): count for key_id, count in cursor.fetchall()})
    return dict(counted)


def seal_anew(model: type[models.Model], field: SealedTextField, *, after: Any, limit: int) -> Resealed:
    """Seals the next `limit` values of a column, by key, with the first of ENCRYPTION_KEYS. In everyone's scope.

    Rows that somebody holds are passed over, and a value that has changed since it was read is left alone: a token that
    is stored at the same time is not overwritten. The caller commits each batch, and looks again until nothing is left.
    """
    key_of = models.Func(
        field.attname, template="substring(%(expressions)s from 2 for 4)", output_field=models.BinaryField()
    )
    old = model._base_manager.annotate(sealed_by=key_of).exclude(sealed_by=key_id(known_keys()[0]))
    if after is not None:
        old = old.filter(pk__gt=after)
    held = old.filter(**{f"{field.attname}__isnull": False}).select_for_update(skip_locked=True, of=("self",))
    rows = list(held.order_by("pk")[:limit])
    sealed = cannot_open = 0
    for row in rows:
        before = row.__dict__[field.attname]
        try:
            value = seal(open_sealed(before, bound_to=binding(row, field)), bound_to=binding(row, field))
        except CannotOpen:
            cannot_open += 1
            continue
        sealed += model._base_manager.filter(**{"pk": row.pk, field.attname: before}).update(**{field.attname: value})
    return Resealed(sealed=sealed, cannot_open=cannot_open, last=rows[-1].pk if rows else None)
