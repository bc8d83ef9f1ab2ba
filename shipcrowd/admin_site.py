"""The admin is platform ops' workbench: what its pages have in common."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.admin.widgets import AutocompleteSelect
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator


class OpsAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Open to all ops, who come in everyone's scope, written to the audit. Nothing is deleted by default."""

    show_full_result_count = False
    list_per_page = 50

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.has_view_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: models.ForeignKey[Any, Any], request: HttpRequest, **more: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            more.setdefault("widget", _ChosenByKey(db_field, self.admin_site, using=more.get("using")))
        return super().formfield_for_foreignkey(db_field, request, **more)


class _ChosenByKey(AutocompleteSelect):
    """Django's looks for whatever was sent, and raises for what is no key; here that is nobody, as the form says."""

    def optgroups(self, name: str, value: Sequence[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        return super().optgroups(name, [key for key in value if str(key).isdecimal()], attrs)


class ReadOnlyAdmin(OpsAdmin):
    """Looked at here, and changed where it belongs. Pages are not counted: tables are long."""

    paginator = InfinitePaginator
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


def in_india(at: datetime | None) -> str:
    """A time in a list, as everywhere in the portal: "24 Nov 2026 18:30"."""
    return date_format(timezone.localtime(at), "j M Y H:i") if at else "–"


class SearchById:
    """Search by the beginning of an id, as `^@`: LIKE would read the whole table under row-level security."""

    search_ids: tuple[str, ...] = ()
    search_fields = ("pk",)  # what makes the box appear; get_search_results does not use it

    def get_search_results(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        words = search_term.strip().upper()
        if not words:
            return queryset, False
        matches = models.Q()
        for column in self.search_ids:
            matches |= models.Q(**{f"{column}__prefix": words})
        return queryset.filter(matches), False
