"""The tables of shipcrowd, each fenced from the moment it exists."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import shipcrowd.tenancy


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("sellers", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="WorkerMark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("host", models.CharField(max_length=100)),
                ("cluster", models.CharField(max_length=30)),
                ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("restarts", models.PositiveIntegerField(default=0)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("host", "cluster"), name="one_mark_a_cluster")],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("did", models.CharField(max_length=100)),
                ("why", models.CharField(blank=True, max_length=500)),
                (
                    "rows",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, size=None
                    ),
                ),
                ("row_count", models.PositiveIntegerField(default=0)),
                (
                    "about",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "indexes": [models.Index(fields=["about", "-at"], name="audit_by_seller")],
            },
        ),
        migrations.CreateModel(
            name="Turn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("rung_at", models.DateTimeField(null=True)),
                ("taken_at", models.DateTimeField(null=True)),
                ("held_until", models.DateTimeField(null=True)),
                ("rests_until", models.DateTimeField(null=True)),
                ("token", models.UUIDField(null=True)),
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
                "constraints": [models.UniqueConstraint(fields=("seller", "kind"), name="one_turn_a_kind")],
            },
        ),
        shipcrowd.tenancy.Fence("Turn", doors={"due": "{door} = 'on'"}),
        migrations.RunSQL(
            """
            create function shipcrowd_append_only() returns trigger language plpgsql as $$
            begin raise exception 'the audit is append-only'; end $$;
            create trigger append_only before update or delete or truncate on shipcrowd_auditentry
                for each statement execute function shipcrowd_append_only();
            alter table shipcrowd_auditentry enable row level security;
            alter table shipcrowd_auditentry force row level security;
            create policy app_writes on shipcrowd_auditentry for insert to shipcrowd_app with check (
                about_id is null
                or about_id = any((select string_to_array(current_setting('shipcrowd.sellers', true), ',')::bigint[])::bigint[])
            );
            create policy app_reads on shipcrowd_auditentry for select to shipcrowd_app using (
                about_id = any((select string_to_array(current_setting('shipcrowd.sellers', true), ',')::bigint[])::bigint[])
            );
            create policy ops on shipcrowd_auditentry to shipcrowd_ops using (true) with check (true);
            create policy owner on shipcrowd_auditentry to shipcrowd_owner using (true) with check (true);
            """,
            "drop table shipcrowd_auditentry; drop function shipcrowd_append_only()",
        ),
    ]
