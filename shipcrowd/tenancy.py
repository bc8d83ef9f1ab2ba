"""Which seller's rows a piece of code may see, held by PostgreSQL's row-level security.

`seller_scope(seller)` opens a transaction that sees one seller (or a few); `everyone_scope(reason)` one that sees all,
as the role shipcrowd_ops, written to the audit. `through_door()` finds one row before its seller is known. Without any
of them a query on a seller's table raises here, and would find nothing there.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from django.db import connection, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

if TYPE_CHECKING:
    from sellers.models import Seller, User

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=models.Model)

APP_ROLE, OPS_ROLE, OWNER_ROLE = "shipcrowd_app", "shipcrowd_ops", "shipcrowd_owner"
# In a sub-select, so that the list is parsed once a statement and not once a row.
SELLERS_IN_SCOPE = "(select string_to_array(current_setting('shipcrowd.sellers', true), ',')::bigint[])::bigint[]"
EVERYONE: Final = "everyone"
DOOR: Final = "door"
Scope = tuple[int, ...] | Literal["everyone", "door"] | None


class NoScope(RuntimeError):
    """A seller's rows were asked for outside of any scope: the query would find nothing."""


class OtherScope(RuntimeError):
    """A scope for other sellers is open: one transaction speaks for the same sellers from begin to end."""


def current_scope() -> Scope:
    scope: Scope = getattr(connection, "shipcrowd_scope", None)
    return scope


@contextmanager
def seller_scope(*sellers: "Seller | int") -> Iterator[None]:
    """A transaction that sees the rows of these sellers only. The same sellers nested is a savepoint; others raise."""
    ids = tuple(sorted({seller if isinstance(seller, int) else seller.pk for seller in sellers}))
    outer = current_scope()
    if outer is not None and outer != ids:
        raise OtherScope(f"{outer} is open, {ids} was asked for")
    with transaction.atomic():
        if outer is None:
            _set("sellers", ",".join(map(str, ids)))
        with _remembered(ids):
            yield
        if outer is None and not transaction.get_rollback():
            _set("sellers", "")  # on success only: a rollback puts the old value back by itself, a reset would raise


@contextmanager
def everyone_scope(reason: str, by: "User | None" = None) -> Iterator[None]:
    """A transaction that sees every seller, as the role for platform ops; who and why goes to the audit.

    Raises OtherScope inside a seller's scope.
    """
    from shipcrowd.audit import LOOKED_AT_EVERYONE, record  # noqa: PLC0415 - app loading: the audit's model stands on this module

    if current_scope() not in (None, EVERYONE):
        raise OtherScope("a seller's scope is open")
    if current_scope() == EVERYONE:
        with transaction.atomic():
            yield
        return
    with transaction.atomic():
        _execute(f"set local role {OPS_ROLE}")
        with _remembered(EVERYONE):
            record(by, LOOKED_AT_EVERYONE, why=reason)
            yield
        if not transaction.get_rollback():
            _execute("set local role none")


def require_scope(seller: "Seller | int") -> None:
    """Raises NoScope unless this seller's rows are in sight: for use cases, which never open a scope themselves."""
    scope = current_scope()
    seller_id = seller if isinstance(seller, int) else seller.pk
    if scope != EVERYONE and (scope is None or seller_id not in scope):
        raise NoScope(f"seller {seller_id} is not in scope {scope}")


def through_door(door: str, value: str, read: Callable[[], T]) -> T:
    """What `read` finds through the SELECT-only policy `door`, opened for that one read.

    Doors are declared with the table's Fence; they show one row to whoever knows a secret of it, or ids and times only.
    """
    outer = current_scope()
    with transaction.atomic():
        _set(f"door_{door}", value)
        with _remembered(DOOR if outer is None else outer):
            found = read()
        _set(f"door_{door}", "")
    return found


def scoped_on_commit(then: Callable[[], None]) -> None:
    """Runs `then` after commit, in a scope of its own for the same sellers: after a commit no scope is left."""
    scope = current_scope()
    if not isinstance(scope, tuple):
        raise NoScope("on_commit work belongs to a seller")

    def run() -> None:
        with seller_scope(*scope):
            then()

    transaction.on_commit(run)


@contextmanager
def _remembered(scope: Scope) -> Iterator[None]:
    outer = current_scope()
    connection.shipcrowd_scope = scope  # type: ignore[attr-defined]  # beside the transaction it belongs to, one a thread
    try:
        yield
    finally:
        connection.shipcrowd_scope = outer  # type: ignore[attr-defined]


def _set(name: str, value: str) -> None:
    _execute("select set_config(%s, %s, true)", [f"shipcrowd.{name}", value])


def _execute(sql: str, parameters: Sequence[str] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


class ScopedQuerySet(models.QuerySet[ModelT]):
    """Raises NoScope where PostgreSQL would silently show nothing."""

    def _check(self) -> None:
        if current_scope() is None:
            raise NoScope(f"{self.model.__name__} was queried outside of a scope")

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            self._check()
        super()._fetch_all()  # the one place every evaluation passes

    def iterator(self, chunk_size: int | None = None) -> Iterator[ModelT]:
        self._check()
        return super().iterator(chunk_size)

    def count(self) -> int:
        self._check()
        return super().count()

    def exists(self) -> bool:
        self._check()
        return super().exists()

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self._check()
        return super().aggregate(*args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        self._check()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self._check()
        return super().delete()

    def bulk_create(self, objs: Iterable[ModelT], *args: Any, **kwargs: Any) -> list[ModelT]:
        self._check()
        return super().bulk_create(objs, *args, **kwargs)


class SellerOwned(models.Model):
    """A row that belongs to a seller. Its migration fences the table (`Fence`)."""

    seller = models.ForeignKey("sellers.Seller", on_delete=models.CASCADE, related_name="+", db_index=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        abstract = True
        base_manager_name = "objects"


class SellersKey(models.ForeignKey[Any, Any]):
    """A reference between two rows of one seller: the database checks the pair (seller, id), by the table's Fence."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["db_constraint"] = False  # Fence makes the composite one, which says more
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("db_constraint", None)
        return name, path, args, kwargs


class Fence(Operation):
    """Row-level security, forced, for app, ops and owner; a composite key for each reference; the doors that are named.

    `column` holds the seller's id. `doors` maps a door's name to the condition of its SELECT-only policy, in which
    `{door}` stands for the value that `through_door` was given.
    """

    reversible = True
    reduces_to_sql = True

    def __init__(self, model: str, *, column: str = "seller_id", doors: dict[str, str] | None = None) -> None:
        self.model, self.column, self.doors = model, column, doors or {}

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__name__, [self.model], {"column": self.column, "doors": self.doors}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Django's own picture of the table stays as it is."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model)
        table, inside = model._meta.db_table, f"{self.column} = any({SELLERS_IN_SCOPE})"
        run = schema_editor.execute
        if self.column != "id":
            run(f'alter table "{table}" add constraint "{table}_of_seller" unique (seller_id, {model._meta.pk.column})')
        run(f'alter table "{table}" enable row level security')
        run(f'alter table "{table}" force row level security')
        run(f'create policy app on "{table}" to {APP_ROLE} using ({inside}) with check ({inside})')
        run(f'create policy ops on "{table}" to {OPS_ROLE} using (true) with check (true)')
        run(f'create policy owner on "{table}" to {OWNER_ROLE} using (true) with check (true)')
        for door, condition in self.doors.items():
            value = f"(select nullif(current_setting('shipcrowd.door_{door}', true), ''))"
            shown = condition.format(door=value)
            run(f'create policy door_{door} on "{table}" for select to {APP_ROLE} using ({shown})')
        for field in model._meta.local_fields:
            if field.__class__.__name__ == SellersKey.__name__:
                parent = field.related_model._meta
                run(
                    f'alter table "{table}" add constraint "{table}_{field.column}_of_seller" foreign key '
                    f'(seller_id, {field.column}) references "{parent.db_table}" (seller_id, {parent.pk.column}) '
                    "deferrable initially deferred"
                )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """The table goes with its policies and keys: its CreateModel is undone next."""

    def describe(self) -> str:
        return f"Fence {self.model}"


class Prefix(models.Lookup):
    """`field__prefix=x` is `field ^@ x`: unlike LIKE it is leakproof, so it uses an index under row-level security."""

    lookup_name = "prefix"

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, left_parameters = self.process_lhs(compiler, connection)
        right, right_parameters = self.process_rhs(compiler, connection)
        return f"{left} ^@ {right}", [*left_parameters, *right_parameters]


models.CharField.register_lookup(Prefix)
