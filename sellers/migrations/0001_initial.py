"""The tables of sellers, each fenced from the moment it exists."""

import uuid

import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import shipcrowd.encryption
import shipcrowd.tenancy


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="Seller",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=100)),
                ("slug", models.SlugField(unique=True)),
                ("is_demo", models.BooleanField(default=False)),
                ("reading_stopped", models.CharField(blank=True, max_length=300)),
                ("sending_stopped", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                ("first_name", models.CharField(blank=True, max_length=150, verbose_name="first name")),
                ("last_name", models.CharField(blank=True, max_length=150, verbose_name="last name")),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now, verbose_name="date joined")),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("must_change_password", models.BooleanField(default=False)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "abstract": False,
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="Connection",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "environment",
                    models.CharField(
                        choices=[
                            ("simulator", "Simulator"),
                            ("sandbox", "Flipkart sandbox"),
                            ("production", "Flipkart"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "wire",
                    models.CharField(
                        choices=[("guide", "Integration guide"), ("official", "Flipkart's published API")],
                        max_length=10,
                    ),
                ),
                (
                    "standing",
                    models.CharField(
                        choices=[
                            ("connected", "Connected"),
                            ("reconnect", "Must be renewed"),
                            ("disconnected", "Not connected"),
                        ],
                        default="disconnected",
                        max_length=12,
                    ),
                ),
                ("says", models.CharField(blank=True, max_length=300)),
                ("client_id", models.CharField(blank=True, max_length=200)),
                ("client_secret", shipcrowd.encryption.SealedTextField(blank=True, null=True)),
                ("access_token", shipcrowd.encryption.SealedTextField(blank=True, null=True)),
                ("refresh_token", shipcrowd.encryption.SealedTextField(blank=True, null=True)),
                ("token_fetched_at", models.DateTimeField(null=True)),
                ("token_believed_until", models.DateTimeField(null=True)),
                ("refresh_token_lease", models.UUIDField(null=True)),
                ("refresh_leased_until", models.DateTimeField(null=True)),
                ("connected_at", models.DateTimeField(null=True)),
                ("consented_at", models.DateTimeField(null=True)),
                ("clock_skew_s", models.IntegerField(null=True)),
                ("forbidden_in_a_row", models.PositiveSmallIntegerField(default=0)),
                (
                    "connected_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Member",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "Owner"), ("staff", "Warehouse staff"), ("viewer", "Viewer")], max_length=10
                    ),
                ),
                ("joined_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "Owner"), ("staff", "Warehouse staff"), ("viewer", "Viewer")], max_length=10
                    ),
                ),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("invited_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(null=True)),
                (
                    "invited_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Facility",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("flipkart_location_id", models.CharField(max_length=64)),
                ("name", models.CharField(max_length=100)),
                ("address_line1", models.CharField(blank=True, max_length=200)),
                ("address_line2", models.CharField(blank=True, max_length=200)),
                ("city", models.CharField(blank=True, max_length=100)),
                ("state", models.CharField(blank=True, max_length=100)),
                ("pincode", models.CharField(blank=True, max_length=6)),
                ("gstin", models.CharField(blank=True, max_length=15)),
                ("phone", models.CharField(blank=True, max_length=20)),
                ("pickup_times", models.JSONField(blank=True, default=list)),
                ("holidays", models.JSONField(blank=True, default=list)),
                ("first_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="ConnectAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("session_digest", models.CharField(max_length=64)),
                (
                    "environment",
                    models.CharField(
                        choices=[
                            ("simulator", "Simulator"),
                            ("sandbox", "Flipkart sandbox"),
                            ("production", "Flipkart"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "wire",
                    models.CharField(
                        choices=[("guide", "Integration guide"), ("official", "Flipkart's published API")],
                        max_length=10,
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Quota",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("left", models.FloatField()),
                ("kept_for_polling", models.FloatField(db_default=0.0)),
                ("counted_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("closed_until", models.DateTimeField(null=True)),
                (
                    "connection",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="sellers.connection"
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("seller", "connection"), name="one_quota_a_connection")
                ],
            },
        ),
        migrations.CreateModel(
            name="MemberFacility",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "facility",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="sellers.facility"
                    ),
                ),
                (
                    "member",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="facilities", to="sellers.member"
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("seller", "member", "facility"), name="facility_once_a_member")
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.UniqueConstraint(fields=("seller", "user"), name="one_role_in_a_seller"),
        ),
        migrations.AddConstraint(
            model_name="facility",
            constraint=models.UniqueConstraint(
                fields=("seller", "flipkart_location_id"), name="facility_once_a_seller"
            ),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.UniqueConstraint(fields=("seller",), name="one_connection_a_seller"),
        ),
        shipcrowd.tenancy.Fence(
            "Seller",
            column="id",
            doors={
                "user": "id in (select m.seller_id from sellers_member m where m.user_id = {door}::bigint)",
                "slug": "slug = {door}",
                "due": "{door} = 'on'",
            },
        ),
        shipcrowd.tenancy.Fence("Member", doors={"user": "user_id = {door}::bigint"}),
        shipcrowd.tenancy.Fence("Invitation", doors={"invitation": "digest = {door}"}),
        shipcrowd.tenancy.Fence("Connection"),
        shipcrowd.tenancy.Fence("Quota"),
        shipcrowd.tenancy.Fence("ConnectAttempt", doors={"connect": "digest = {door}"}),
        shipcrowd.tenancy.Fence("Facility", doors={"location": "flipkart_location_id = {door}"}),
        shipcrowd.tenancy.Fence("MemberFacility"),
        migrations.RunSQL(
            # Half-filled pages keep the quota's frequent updates on the page, without work on its indexes.
            "alter table sellers_quota set (fillfactor = 50)",
            migrations.RunSQL.noop,
        ),
    ]
