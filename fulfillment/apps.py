"""The fulfillment app, as Django knows it."""

from django.apps import AppConfig


class FulfillmentConfig(AppConfig):
    name = "fulfillment"
