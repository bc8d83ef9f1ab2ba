"""Addresses of fulfillment, below `/s/<slug>/`."""

from django.urls import path

from fulfillment import hand_over_views, pick_views, print_views, pull_views, size_views, views, warehouse_views

app_name = "fulfillment"

urlpatterns = [
    path("labels/request/", views.request_labels, name="request_labels"),
    path("dispatch/request/", views.request_dispatch, name="request_dispatch"),
    path("cancel/request/", views.request_cancellation, name="request_cancellation"),
    path("forms/<uuid:public_id>/", views.acknowledge_forms, name="acknowledge_forms"),
    path("serials/<uuid:public_id>/", views.enter_serials, name="enter_serials"),
    path("print/label-and-print/", print_views.label_and_print, name="label_and_print"),
    path("warehouse/", warehouse_views.ways, name="ways"),
    path("print/request/", print_views.request_print, name="request_print"),
    path("print/", print_views.print_jobs, name="print_jobs"),
    path("print/<uuid:public_id>/", print_views.print_job, name="print_job"),
    path("print/<uuid:public_id>/unchecked/", print_views.print_unchecked, name="print_unchecked"),
    path("print/<uuid:public_id>/again/", print_views.print_again, name="print_again"),
    path("print/<uuid:public_id>/withdraw/", print_views.withdraw, name="withdraw_print"),
    path("print/<uuid:public_id>/<str:letter>/labels.pdf", print_views.stack_pdf, name="stack_pdf"),
    path("print/<uuid:public_id>/<str:letter>/continue/", print_views.continue_after, name="continue_after"),
    path("documents/<uuid:public_id>.pdf", views.document, name="document"),
    path("documents/<uuid:public_id>.png", views.preview, name="preview"),
    path("print/<uuid:public_id>/<str:letter>/pick-list/", pick_views.stack_pick_list, name="stack_pick_list"),
    path(
        "print/<uuid:public_id>/<str:letter>/pick-list.pdf", pick_views.stack_pick_list_pdf, name="stack_pick_list_pdf"
    ),
    path("print/test-page.pdf", pick_views.printer_test_page, name="printer_test_page"),
    path("pick-list/", pick_views.pick_list, name="pick_list"),
    path("pick-list.pdf", pick_views.pick_list_pdf, name="pick_list_pdf"),
    path("pull/", pull_views.pulls, name="pulls"),
    path("pull/scan/", pull_views.pull, name="pull"),
    path("hand-over/", hand_over_views.hand_overs, name="hand_overs"),
    path("hand-over/request/", hand_over_views.request_hand_over, name="request_hand_over"),
    path("hand-over/<uuid:public_id>.pdf", hand_over_views.hand_over_pdf, name="hand_over_pdf"),
    path("sizes/", size_views.package_sizes, name="sizes"),
    path("sizes/enter/", size_views.enter_size, name="enter_size"),
    path("sizes/lines/", size_views.enter_sizes, name="enter_sizes"),
    path("sizes.csv", size_views.sizes_csv, name="sizes_csv"),
    path("work/retry/", views.retry, name="retry"),
    path("connection/checklist/", views.checklist, name="checklist"),
]
