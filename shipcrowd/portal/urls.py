"""The portal's own pages: where one comes in, the seller picker, a seller's home and what needs a person."""

from django.urls import path

from shipcrowd.portal import round_views, views

app_name = "portal"

urlpatterns = [
    path("", views.root, name="root"),
    path("healthz", views.healthz, name="healthz"),
    path("sellers/", views.sellers, name="sellers"),
    path("sellers/<slug:slug>/reason/", views.ops_reason, name="ops_reason"),
    path("print/", round_views.print_rounds, name="print_rounds"),
    path("print/<uuid:round_id>/", round_views.print_round, name="print_round"),
    path("print/<uuid:round_id>/labels.pdf", round_views.print_round_pdf, name="print_round_pdf"),
    path("attention/", views.everyones_attention, name="everyones_attention"),
    path("sellers/<slug:slug>/switches/", views.switches, name="switches"),
    path("s/<slug:slug>/", views.home, name="home"),
    path("s/<slug:slug>/fetch/", views.fetch_now, name="fetch_now"),
    path("s/<slug:slug>/attention/", views.attention, name="attention"),
    path("s/<slug:slug>/history/", views.history, name="history"),
]
