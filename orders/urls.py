"""Addresses of orders, below `/s/<slug>/`."""

from django.urls import path

from orders import finding_views, views

app_name = "orders"

urlpatterns = [
    path("shipments/", views.shipments, name="shipments"),
    path("shipments/act/", views.act, name="act"),
    path("shipments.csv", finding_views.export, name="export"),
    path("shipments/look-up/", finding_views.look_up, name="look_up"),
    path("shipments/look-up/<uuid:public_id>/", finding_views.looked_up, name="looked_up"),
    path("shipments/looked-at/", views.looked_at, name="looked_at"),
    path("shipments/set-aside/", views.set_aside, name="set_aside"),
    path("shipments/put-back/", views.put_back, name="put_back"),
    path("shipments/<uuid:public_id>/", views.shipment, name="shipment"),
    path("shipments/<uuid:public_id>/buyer/", views.show_buyer, name="show_buyer"),
]
