"""Addresses of fulfillment, below `/s/<slug>/`."""

from django.urls import path

from fulfillment import pull_views, views

app_name = "fulfillment"

urlpatterns = [
    path("labels/request/", views.request_labels, name="request_labels"),
    path("dispatch/request/", views.request_dispatch, name="request_dispatch"),
    path("print/request/", views.request_print, name="request_print"),
    path("print/", views.print_jobs, name="print_jobs"),
    path("print/<uuid:public_id>/", views.print_job, name="print_job"),
    path("print/<uuid:public_id>/unchecked/", views.print_unchecked, name="print_unchecked"),
    path("print/<uuid:public_id>/labels.pdf", views.print_job_pdf, name="print_job_pdf"),
    path("documents/<uuid:public_id>.pdf", views.document, name="document"),
    path("documents/<uuid:public_id>.png", views.preview, name="preview"),
    path("pull/", pull_views.pulls, name="pulls"),
    path("pull/scan/", pull_views.pull, name="pull"),
    path("work/retry/", views.retry, name="retry"),
    path("connection/checklist/", views.checklist, name="checklist"),
]
