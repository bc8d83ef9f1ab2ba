"""The tables of orders, each fenced from the moment it exists."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import shipcrowd.tenancy
from shipcrowd.work import DUE_DOOR


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("sellers", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("flipkart_order_id", models.CharField(max_length=64)),
                ("ordered_at", models.DateTimeField(null=True)),
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
            name="PollCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wake_at", models.DateTimeField(null=True)),
                ("token", models.UUIDField(null=True)),
                ("failures_in_a_row", models.PositiveSmallIntegerField(default=0)),
                ("says", models.CharField(blank=True, max_length=300)),
                ("read_until", models.DateTimeField(null=True)),
                ("last_good_at", models.DateTimeField(null=True)),
                ("last_full_at", models.DateTimeField(null=True)),
                ("last_late_at", models.DateTimeField(null=True)),
                ("walk", models.JSONField(null=True)),
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
            },
        ),
        migrations.CreateModel(
            name="Shipment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(db_default=models.Func(function="gen_random_uuid"), editable=False, unique=True),
                ),
                ("flipkart_shipment_id", models.CharField(max_length=64)),
                ("flipkart_order_id", models.CharField(max_length=64)),
                ("ordered_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("APPROVED", "Approved"),
                            ("READY_TO_PACK", "Ready to pack"),
                            ("PACKING_IN_PROGRESS", "Packing in progress"),
                            ("FORM_FAILED", "Form failed"),
                            ("PACKED", "Packed"),
                            ("READY_TO_DISPATCH", "Ready to dispatch"),
                            ("PICKUP_COMPLETE", "Pickup complete"),
                            ("SHIPPED", "Shipped"),
                            ("DELIVERED", "Delivered"),
                            ("COMPLETED", "Completed"),
                            ("CANCELLED", "Cancelled"),
                            ("RETURN_REQUESTED", "Return requested"),
                            ("RETURNED", "Returned"),
                            ("UNKNOWN", "Unknown"),
                        ],
                        max_length=20,
                    ),
                ),
                ("state_word", models.CharField(max_length=50)),
                (
                    "is_open",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Q(
                            (
                                "state__in",
                                (
                                    "APPROVED",
                                    "READY_TO_PACK",
                                    "PACKING_IN_PROGRESS",
                                    "FORM_FAILED",
                                    "PACKED",
                                    "READY_TO_DISPATCH",
                                    "PICKUP_COMPLETE",
                                    "UNKNOWN",
                                ),
                            )
                        ),
                        output_field=models.BooleanField(),
                    ),
                ),
                ("is_on_hold", models.BooleanField(default=False)),
                ("dispatch_after_at", models.DateTimeField(null=True)),
                ("dispatch_by_at", models.DateTimeField(null=True)),
                ("deliver_by_at", models.DateTimeField(null=True)),
                (
                    "payment_type",
                    models.CharField(
                        choices=[("PREPAID", "Prepaid"), ("COD", "COD"), ("UNKNOWN", "unknown")],
                        default="UNKNOWN",
                        max_length=10,
                    ),
                ),
                ("cod_amount", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                ("total_price", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                ("tracking_id", models.CharField(blank=True, max_length=64)),
                ("courier", models.CharField(blank=True, max_length=64)),
                ("invoice_number", models.CharField(blank=True, max_length=64)),
                ("sku", models.CharField(blank=True, max_length=128)),
                ("sku_count", models.PositiveSmallIntegerField(default=0)),
                ("quantity", models.PositiveIntegerField(default=0)),
                ("read_began_at", models.DateTimeField()),
                ("flipkart_updated_at", models.DateTimeField(null=True)),
                ("first_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("state_changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("label_requested_at", models.DateTimeField(null=True)),
                ("label_stored_at", models.DateTimeField(null=True)),
                ("shipment_type", models.CharField(blank=True, db_default="", max_length=10)),
                ("service_tier", models.CharField(blank=True, db_default="", max_length=20)),
                ("packaging_policy", models.CharField(blank=True, db_default="", max_length=40)),
                ("is_multi_parcel", models.BooleanField(db_default=False)),
                ("forms", models.JSONField(blank=True, default=list)),
                ("parcels", models.JSONField(blank=True, default=list)),
                ("tracking_ids", models.JSONField(blank=True, default=list)),
                ("labelled_outside", models.BooleanField(default=False)),
                ("printed_at", models.DateTimeField(null=True)),
                ("packed_at_bench_at", models.DateTimeField(null=True)),
                ("dispatch_requested_at", models.DateTimeField(null=True)),
                ("dispatched_at", models.DateTimeField(null=True)),
                ("was_dispatched_late", models.BooleanField(null=True)),
                ("set_aside_at", models.DateTimeField(null=True)),
                (
                    "set_aside_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("short", "Short: not all of it is there"),
                            ("damaged", "Damaged"),
                            ("address", "The address cannot be right"),
                        ],
                        db_default="",
                        max_length=10,
                    ),
                ),
                (
                    "attention",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "nothing"),
                            ("refused", "Flipkart refused it"),
                            ("late", "it takes too long"),
                            ("given_up", "tried too long"),
                            ("bad_paper", "the paper cannot be used"),
                            ("reconnect", "the connection must be renewed"),
                            ("pull", "pull this parcel"),
                            ("parked", "parked when the connection was cut"),
                            ("unreadable", "Flipkart's answer cannot be read"),
                            ("unknown_state", "a state that this version does not know"),
                            ("odd_move", "its state moved in a way we do not expect"),
                            ("form", "a form must be acknowledged"),
                            ("broken", "our own mistake"),
                        ],
                        default="",
                        max_length=20,
                    ),
                ),
                ("attention_says", models.CharField(blank=True, max_length=300)),
                (
                    "shipment_id_reversed",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Reverse(
                            django.db.models.functions.text.Upper("flipkart_shipment_id")
                        ),
                        output_field=models.CharField(max_length=64),
                    ),
                ),
                (
                    "order_id_reversed",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Reverse(
                            django.db.models.functions.text.Upper("flipkart_order_id")
                        ),
                        output_field=models.CharField(max_length=64),
                    ),
                ),
                (
                    "tracking_id_reversed",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Reverse(
                            django.db.models.functions.text.Upper("tracking_id")
                        ),
                        output_field=models.CharField(max_length=64),
                    ),
                ),
                (
                    "invoice_number_reversed",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Reverse(
                            django.db.models.functions.text.Upper("invoice_number")
                        ),
                        output_field=models.CharField(max_length=64),
                    ),
                ),
                (
                    "facility",
                    shipcrowd.tenancy.SellersKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="sellers.facility"
                    ),
                ),
                (
                    "order",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="shipments", to="orders.order"
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
            name="Reading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("read_at", models.DateTimeField()),
                ("fingerprint", models.BinaryField(max_length=16, null=True)),
                ("follow_at", models.DateTimeField(null=True)),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
                (
                    "shipment",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="orders.shipment"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Buyer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(blank=True, max_length=200)),
                ("phone", models.CharField(blank=True, max_length=30)),
                ("shipping_address", models.JSONField(null=True)),
                ("delivery_address", models.JSONField(null=True)),
                ("billing_address", models.JSONField(null=True)),
                ("details_read_at", models.DateTimeField(null=True)),
                (
                    "seller",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sellers.seller",
                    ),
                ),
                (
                    "shipment",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="orders.shipment"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="ShipmentItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("flipkart_order_item_id", models.CharField(max_length=64)),
                ("sku", models.CharField(max_length=128)),
                ("fsn", models.CharField(blank=True, max_length=64)),
                ("hsn", models.CharField(blank=True, max_length=16)),
                ("title", models.CharField(blank=True, max_length=500)),
                ("quantity", models.PositiveIntegerField()),
                ("mrp", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                ("selling_price", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                ("total_price", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                ("state_word", models.CharField(blank=True, max_length=50)),
                ("flipkart_listing_id", models.CharField(blank=True, db_default="", max_length=64)),
                ("cancellation_group_id", models.CharField(blank=True, db_default="", max_length=64)),
                ("is_replacement", models.BooleanField(db_default=False)),
                (
                    "item_id_reversed",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Reverse(
                            django.db.models.functions.text.Upper("flipkart_order_item_id")
                        ),
                        output_field=models.CharField(max_length=64),
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
                (
                    "shipment",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="items", to="orders.shipment"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="TimelineEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("kind", models.CharField(max_length=20)),
                ("says", models.CharField(max_length=300)),
                (
                    "by",
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
                (
                    "shipment",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="timeline", to="orders.shipment"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Unreadable",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(db_default=models.Func(function="gen_random_uuid"), editable=False, unique=True),
                ),
                ("flipkart_shipment_id", models.CharField(blank=True, max_length=64)),
                ("path", models.CharField(max_length=200)),
                ("says", models.CharField(max_length=300)),
                ("first_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("last_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
            name="FollowCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wake_at", models.DateTimeField(null=True)),
                ("token", models.UUIDField(null=True)),
                ("failures_in_a_row", models.PositiveSmallIntegerField(default=0)),
                ("says", models.CharField(blank=True, max_length=300)),
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
                    models.UniqueConstraint(fields=("seller", "connection"), name="one_follower_a_connection")
                ],
            },
        ),
        migrations.CreateModel(
            name="SetAside",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("short", "Short: not all of it is there"),
                            ("damaged", "Damaged"),
                            ("address", "The address cannot be right"),
                        ],
                        max_length=10,
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=200)),
                ("set_aside_at", models.DateTimeField()),
                ("put_back_at", models.DateTimeField(null=True)),
                (
                    "put_back_by",
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
                (
                    "set_aside_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "shipment",
                    shipcrowd.tenancy.SellersKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="set_asides", to="orders.shipment"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["seller", "shipment"], name="set_aside_of_shipment")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("put_back_at__isnull", True)),
                        fields=("seller", "shipment"),
                        name="set_aside_once",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(fields=("seller", "flipkart_order_id"), name="order_once_a_seller"),
        ),
        migrations.AddConstraint(
            model_name="pollcursor",
            constraint=models.UniqueConstraint(fields=("seller", "connection"), name="one_cursor_a_connection"),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(fields=["seller", "order"], name="shipment_of_order"),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(fields=["seller", "-ordered_at", "-id"], name="shipment_newest"),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(fields=["seller", "state", "-ordered_at", "-id"], name="shipment_by_state"),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                condition=models.Q(("is_open", True)), fields=["seller", "dispatch_by_at", "id"], name="shipment_open"
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                condition=models.Q(("dispatched_at__isnull", False)),
                fields=["seller", "dispatched_at"],
                name="shipment_dispatched",
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                condition=models.Q(("attention", ""), _negated=True), fields=["seller", "id"], name="shipment_attention"
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                fields=["seller", "flipkart_shipment_id"],
                name="shipment_by_shipment_id",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                fields=["seller", "flipkart_order_id"],
                name="shipment_by_order_id",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                fields=["seller", "tracking_id"],
                name="shipment_by_tracking_id",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                fields=["seller", "invoice_number"],
                name="shipment_by_invoice",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                fields=["seller", "shipment_id_reversed"],
                name="shipment_ends_shipment",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                fields=["seller", "order_id_reversed"],
                name="shipment_ends_order",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                fields=["seller", "tracking_id_reversed"],
                name="shipment_ends_tracking",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(
                fields=["seller", "invoice_number_reversed"],
                name="shipment_ends_invoice",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
        migrations.AddConstraint(
            model_name="shipment",
            constraint=models.UniqueConstraint(
                fields=("seller", "flipkart_shipment_id"), name="shipment_once_a_seller"
            ),
        ),
        migrations.AddIndex(
            model_name="reading",
            index=models.Index(
                condition=models.Q(("follow_at__isnull", False)),
                fields=["seller", "follow_at"],
                name="reading_to_follow",
            ),
        ),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.UniqueConstraint(fields=("seller", "shipment"), name="one_reading_a_shipment"),
        ),
        migrations.AddIndex(
            model_name="buyer",
            index=models.Index(
                condition=models.Q(("details_read_at__isnull", True)),
                fields=["seller", "shipment"],
                name="buyer_without_details",
            ),
        ),
        migrations.AddConstraint(
            model_name="buyer",
            constraint=models.UniqueConstraint(fields=("seller", "shipment"), name="one_buyer_a_shipment"),
        ),
        migrations.AddIndex(
            model_name="shipmentitem",
            index=models.Index(fields=["seller", "sku"], name="item_by_sku"),
        ),
        migrations.AddIndex(
            model_name="shipmentitem",
            index=models.Index(
                fields=["seller", "flipkart_order_item_id"],
                name="item_by_id",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="shipmentitem",
            index=models.Index(
                fields=["seller", "item_id_reversed"],
                name="item_ends_id",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
        migrations.AddConstraint(
            model_name="shipmentitem",
            constraint=models.UniqueConstraint(
                fields=("seller", "shipment", "flipkart_order_item_id"), name="item_once_a_shipment"
            ),
        ),
        migrations.AddConstraint(
            model_name="shipmentitem",
            constraint=models.CheckConstraint(condition=models.Q(("quantity__gte", 1)), name="item_quantity_positive"),
        ),
        migrations.AddIndex(
            model_name="timelineentry",
            index=models.Index(fields=["seller", "shipment", "at"], name="timeline_of_shipment"),
        ),
        migrations.AddConstraint(
            model_name="unreadable",
            constraint=models.UniqueConstraint(
                fields=("seller", "flipkart_shipment_id", "path"), name="unreadable_once"
            ),
        ),
        shipcrowd.tenancy.Fence("Order"),
        shipcrowd.tenancy.Fence("Shipment"),
        shipcrowd.tenancy.Fence("ShipmentItem"),
        shipcrowd.tenancy.Fence("Buyer"),
        shipcrowd.tenancy.Fence("Reading"),
        shipcrowd.tenancy.Fence("PollCursor", doors=DUE_DOOR),
        shipcrowd.tenancy.Fence("FollowCursor", doors=DUE_DOOR),
        shipcrowd.tenancy.Fence("Unreadable"),
        shipcrowd.tenancy.Fence("TimelineEntry"),
        shipcrowd.tenancy.Fence("SetAside"),
    ]
