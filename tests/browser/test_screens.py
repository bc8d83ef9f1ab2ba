"""The working day in a real browser, at a desk and on a phone, light and dark."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fulfillment.models import Dispatch, LabelRequest, PackageSize
from orders.models import Shipment
from sellers.models import Role
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention
from tests import factories
from tests.browser.conftest import NARROW, WIDE
from tests.browser.walking import connect, log_in, press, shows, work_until_done

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_an_owner_connects_and_the_warehouse_does_its_day(person, flipkart_on_a_socket, width):
    flipkart = flipkart_on_a_socket
    seller = factories.seller(name="Asha Textiles", slug="asha-textiles")
    owner = factories.member(seller, Role.OWNER)
    account = flipkart.world.add_seller("Asha Textiles", facilities=2)
    made = flipkart.world.add_shipments(account, 3)
    person.sees(width, "light")

    log_in(person, owner)
    connect(person, seller, account)
    factories.run_due_work()
    press(person, seller, "to_label", "labels", f"confirm-labels-{width}")
    work_until_done(LabelRequest)
    press(person, seller, "to_print", "print", f"confirm-print-{width}")
    factories.run_due_work()
    person.opens(person.path)
    person.takes_picture(f"print-job-{width}")
    assert "3 of 3 parcels" in person.text
    press(person, seller, "to_dispatch", "dispatch", f"confirm-dispatch-{width}")
    work_until_done(Dispatch)
    person.opens(f"/s/{seller.slug}/shipments/?stage=awaiting_pickup")
    person.takes_picture(f"awaiting-pickup-{width}")

    assert sorted(flipkart.ledger.dispatches) == sorted(made)
    assert [person.finds("[data-stage=awaiting_pickup] .sc-count").text, person.overflow()] == ["3", 0]


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_every_screen_fits_and_complains_of_nothing(person, flipkart_on_a_socket, width, scheme):
    flipkart = flipkart_on_a_socket
    seller = factories.seller(name="Asha Textiles", slug="asha-textiles")
    fresh = factories.seller(name="Brass & Copper Works", slug="brass-copper")
    owner = factories.member(seller, Role.OWNER, first_name="Asha", last_name="Rao")
    ops = factories.user(is_staff=True, is_superuser=True)
    account = flipkart.world.add_seller("Asha Textiles", facilities=2)
    a_day(flipkart, account)
    person.sees(width, scheme)

    person.opens("/login/")
    shows(person, f"login-{width}-{scheme}")
    log_in(person, owner)
    person.opens(f"/s/{seller.slug}/")
    shows(person, f"not-connected-{width}-{scheme}")
    connect(person, seller, account)
    factories.run_due_work()
    a_few_in_trouble(seller)
    found = factories.as_ops(Shipment, label_stored_at=None)[0]
    for name, path in {
        "home": "/",
        "to-label": "/shipments/",
        "all": "/shipments/?stage=all",
        "filtered": "/shipments/?stage=to_label&payment=COD&facility=",
        "nothing": "/shipments/?q=NOSUCH",
        "shipment": f"/shipments/{found.public_id}/",
        "attention": "/attention/",
        "connection": "/connection/",
        "checklist": "/connection/checklist/",
        "history": "/history/",
        "pulls": "/pull/",
        "set-aside": "/shipments/?stage=set_aside",
        "facilities": "/facilities/",
        "package-sizes": "/sizes/",
        "members": "/members/",
        "print-jobs": "/print/",
    }.items():
        person.opens(f"/s/{seller.slug}{path}")
        shows(person, f"{name}-{width}-{scheme}")
    person.driver.delete_all_cookies()
    log_in(person, ops)
    for name, path in {
        "sellers": "/sellers/",
        "everyones-attention": "/attention/",
        "print-rounds": "/print/",
        "switches": f"/sellers/{seller.slug}/switches/",
        "as-ops": f"/s/{seller.slug}/",
        "reason": f"/sellers/{seller.slug}/reason/",
        "admin": "/admin/",
        "admin-shipments": "/admin/orders/shipment/",
        "admin-audit": "/admin/shipcrowd/auditentry/",
        "fresh": f"/s/{fresh.slug}/attention/",
    }.items():
        person.opens(path)
        shows(person, f"{name}-{width}-{scheme}")


def a_day(flipkart, account) -> None:
    """A morning's work: most leaves today, some are late, held, not yet due or cancelled."""
    now = timezone.now()
    world = flipkart.world
    world.add_shipments(account, 9, cod=None, dispatch_by=now + timedelta(hours=2))
    world.add_shipments(account, 14, cod=None, dispatch_by=now + timedelta(hours=20))
    world.add_shipments(account, 2, dispatch_by=now - timedelta(hours=3), ordered_at=now - timedelta(days=2))
    world.add_shipments(account, 2, items=3, dispatch_by=now + timedelta(hours=6))
    world.add_shipments(account, 3, held=True)
    world.add_shipments(account, 4, dispatch_after=now + timedelta(days=1), dispatch_by=now + timedelta(days=2))
    world.add_shipments(account, 6, states="PACKED", dispatch_by=now + timedelta(hours=5))
    world.add_shipments(account, 5, states="READY_TO_DISPATCH", dispatch_by=now + timedelta(hours=4))
    world.add_shipments(account, 3, states="CANCELLED")


def a_few_in_trouble(seller) -> None:
    with seller_scope(seller):
        rows = list(Shipment.objects.filter(seller=seller, state="APPROVED").order_by("pk")[:3])
        for row in rows[:2]:
            LabelRequest.objects.create(
                seller=seller,
                shipment=row,
                state="refused",
                attention=Attention.REFUSED,
                says="Flipkart refused it: the serial number is missing",
                settled_at=timezone.now(),
            )
        PackageSize.objects.create(seller=seller, sku="TS-BLK-M", length=30, breadth=20, height=5, weight="0.4")
        Shipment.objects.filter(pk=rows[2].pk).update(
            attention=Attention.PULL, attention_says="the buyer cancelled after the label was printed"
        )
