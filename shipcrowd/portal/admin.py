"""What platform ops make and repair across sellers: sellers, log-ins, who works where; and what they only read."""

from collections.abc import Iterator
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangosUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from sellers.models import Connection, Member, Seller, User
from shipcrowd import audit
from shipcrowd.admin_site import OpsAdmin, ReadOnlyAdmin, in_india
from shipcrowd.audit.models import AuditEntry

_NEW_PASSWORD = [{"changed": {"fields": ["password"]}}]  # what Django's page for passwords says it changed

if admin.site.is_registered(Group):
    admin.site.unregister(Group)  # what one may do is a role in a seller


@admin.register(Seller)
class SellerAdmin(OpsAdmin):
    list_display = ("name", "slug", "is_demo", "made")
    ordering = ("name", "pk")
    search_fields = ("name", "slug")
    fields = ("name", "slug")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Seller | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    def get_readonly_fields(self, request: HttpRequest, obj: Seller | None = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()  # it stands in the addresses that people keep

    @admin.display(description="Since", ordering="created_at")
    def made(self, row: Seller) -> str:
        return in_india(row.created_at)


@admin.register(User)
class UserAdmin(OpsAdmin, DjangosUserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    form, add_form, change_password_form = UserChangeForm, UserCreationForm, AdminPasswordChangeForm
    add_fieldsets = DjangosUserAdmin.add_fieldsets  # unfold's are empty: a log-in had no fields
    list_display = ("username", "first_name", "last_name", "is_staff", "is_active")
    list_filter = ("is_staff", "is_active")
    ordering = ("username",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "must_change_password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Platform", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Other ops' log-ins are a superuser's business: whoever may set a password can be that person."""
        is_theirs = not isinstance(obj, User) or not (obj.is_staff or obj.is_superuser) or obj.pk == request.user.pk
        return super().has_change_permission(request, obj) and (is_theirs or _is_superuser(request))

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        """Also in the history of each seller that this person works for: whoever sets a password can be that person.

        `message` names the fields that were changed, of either form; it is empty where nothing was.
        """
        did = "set the password of a member" if message == _NEW_PASSWORD else "changed the log-in of a member"
        for member in Member.objects.filter(user=obj).select_related("seller") if message else ():
            audit.record(_who(request), did, seller=member.seller, rows=[member])
        return super().log_change(request, obj, message)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        kept = ("last_login", "date_joined")
        return kept if _is_superuser(request) else (*kept, "is_staff", "is_superuser")


@admin.register(Member)
class MemberAdmin(OpsAdmin):
    list_display = ("person", "works_for", "role", "since")
    list_select_related = ("user", "seller")
    list_filter = ("role",)
    ordering = ("-pk",)
    search_fields = ("user__username", "seller__name")
    autocomplete_fields = ("seller", "user")
    fields = ("seller", "user", "role")

    def get_readonly_fields(self, request: HttpRequest, obj: Member | None = None) -> tuple[str, ...]:
        return ("seller", "user") if obj else ()  # moved elsewhere, neither seller's history would tell

    def save_model(self, request: HttpRequest, obj: Member, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        did = f"changed a member's role to {obj.role}" if change else f"added a member: {obj.role}"
        audit.record(_who(request), did, seller=obj.seller, rows=[obj])

    def delete_model(self, request: HttpRequest, obj: Member) -> None:
        audit.record(_who(request), "removed a member", seller=obj.seller, rows=[obj])
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Member]) -> None:
        for member in queryset.select_related("seller"):
            self.delete_model(request, member)

    @admin.display(description="Person", ordering="user__username")
    def person(self, row: Member) -> str:
        return row.user.get_username()

    @admin.display(description="Seller", ordering="seller__name")
    def works_for(self, row: Member) -> str:
        return row.seller.name

    @admin.display(description="Since", ordering="joined_at")
    def since(self, row: Member) -> str:
        return in_india(row.joined_at)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_view_permission(request, obj)


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin):
    """Never its secrets: not the token, not the keys that a seller pasted."""

    list_display = ("of", "environment", "standing", "says", "renewed")
    list_select_related = ("seller",)
    list_filter = ("standing", "environment")
    ordering = ("seller__name", "pk")
    fields = (
        *("seller", "environment", "wire", "standing", "says", "connected_at", "connected_by"),
        *("token_fetched_at", "token_believed_until", "forbidden_in_a_row"),
    )

    @admin.display(description="Seller", ordering="seller__name")
    def of(self, row: Connection) -> str:
        return row.seller.name

    @admin.display(description="Token renewed", ordering="token_fetched_at")
    def renewed(self, row: Connection) -> str:
        return in_india(row.token_fetched_at)


class LooksFilter(admin.SimpleListFilter):
    """Each page that shows all sellers leaves a line; unasked they would hide what was done."""

    title = "looks at all sellers' pages"
    parameter_name = "looks"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("only", "Nothing else"), ("with", "With them")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        for number, choice in enumerate(super().choices(changelist)):
            yield choice if number else {**choice, "display": "Without them"}

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        if self.value() == "with":
            return queryset
        looks = Q(did=audit.LOOKED_AT_EVERYONE)
        return queryset.filter(looks if self.value() == "only" else ~looks)


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyAdmin):
    list_filter = (LooksFilter,)
    list_display = ("when", "by", "about", "did", "why", "row_count")
    list_select_related = ("by", "about")
    ordering = ("-at", "pk")
    fields = ("at", "by", "about", "did", "why", "row_count", "rows")

    @admin.display(description="When", ordering="at")
    def when(self, row: AuditEntry) -> str:
        return in_india(row.at)


def _who(request: HttpRequest) -> User:
    return cast(User, request.user)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
