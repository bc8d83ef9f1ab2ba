"""Pages of the load test alone: they read, write and fail inside a seller's scope like any page of ours."""

import random

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from orders.models import Order
from sellers.access import member_required
from sellers.models import Role
from shipcrowd.tenancy import seller_scope


class Thrown(Exception):
    """What the pages throw at random."""


@member_required(Role.VIEWER)
def read(request: HttpRequest) -> HttpResponse:
    # Says no `seller=` on purpose: the fence is for the day somebody forgets.
    found = list(Order.objects.values_list("seller_id", "flipkart_order_id"))
    if random.random() < 0.1:
        raise Thrown
    return JsonResponse({"rows": found})


@member_required(Role.VIEWER)
def write(request: HttpRequest, word: str) -> HttpResponse:
    Order.objects.create(seller=request.seller, flipkart_order_id=word)
    if word.endswith("fails"):
        raise Thrown
    if word.endswith("refused"):
        return HttpResponse(status=500)
    return HttpResponse(status=201)


@member_required(Role.VIEWER)
def stream(request: HttpRequest) -> HttpResponse:
    seller = request.seller

    def lines():
        with seller_scope(seller):
            for row in Order.objects.values_list("seller_id", "flipkart_order_id"):
                yield f"{row[0]} {row[1]}\n"

    return StreamingHttpResponse(lines())


@member_required(Role.VIEWER)
def write_for_another(request: HttpRequest, other: int) -> HttpResponse:
    Order.objects.create(seller_id=other, flipkart_order_id=f"smuggled by {request.seller.pk}")
    return HttpResponse(status=201)


urlpatterns = [
    path("s/<slug:slug>/read/", read),
    path("s/<slug:slug>/write/<str:word>/", write),
    path("s/<slug:slug>/stream/", stream),
    path("s/<slug:slug>/smuggle/<int:other>/", write_for_another),
]
