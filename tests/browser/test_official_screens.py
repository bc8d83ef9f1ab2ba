"""What only Flipkart's published format has, in a real browser: forms, sizes, and cancelling for good."""

import pytest

from fulfillment.models import FormAcknowledgement, LabelRequest, SellerCancellation
from orders.models import Shipment
from sellers.models import Role, WireName
from shipcrowd.work import State
from tests import factories
from tests.browser.conftest import NARROW, WIDE
from tests.browser.walking import GO_ON, choose, connect, log_in, shows, work_until_done
from tests.fulfillment.test_official import enter_sizes

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_a_form_is_told_and_what_is_not_there_is_cancelled(person, flipkart_on_a_socket, settings, width, scheme):
    settings.FLIPKART_WIRE = WireName.OFFICIAL
    flipkart = flipkart_on_a_socket
    seller = factories.seller(name="Asha Textiles", slug="asha-textiles")
    owner = factories.member(seller, Role.OWNER)
    account = flipkart.world.add_seller("Asha Textiles")
    (wanting,) = flipkart.world.add_shipments(account, 1, items=2)
    flipkart.world.want_form(wanting)
    flipkart.world.take_to_pack(0, 0)
    flipkart.world.add_shipments(account, 2)
    person.sees(width, scheme)
    log_in(person, owner)
    connect(person, seller, account)
    factories.run_due_work()
    enter_sizes(seller)

    # One shipment is packed only once its form is acknowledged: the list of what needs a person leads to it.
    found = by_their_id(account, wanting)
    person.opens(f"/s/{seller.slug}/shipments/{found.public_id}/")
    person.presses("button[name=act][value=labels]")
    person.presses(GO_ON)
    work_until(lambda: factories.reload(found).state == "FORM_FAILED")
    person.opens(f"/s/{seller.slug}/attention/")
    shows(person, f"form-wanted-{width}-{scheme}")
    person.presses("a[href$='#forms']")
    shows(person, f"form-{width}-{scheme}")
    person.types("#form-1", "EWB-1")
    person.presses("#forms button")
    shows(person, f"form-told-{width}-{scheme}")
    assert "on their way to Flipkart" in person.text
    work_until_done(FormAcknowledgement)
    work_until_done(LabelRequest)

    # The others cannot be procured.
    person.opens(f"/s/{seller.slug}/shipments/?stage=to_label")
    shows(person, f"to-cancel-{width}-{scheme}")
    choose(person)
    person.presses("button[name=act][value=cancel]")
    assert "This cannot be undone" in person.text
    shows(person, f"confirm-cancel-{width}-{scheme}")
    person.ticks("select[name=reason] option[value=cannot_procure_item]")
    person.presses(GO_ON)
    work_until_done(SellerCancellation)

    person.opens(f"/s/{seller.slug}/shipments/?stage=cancelled")
    shows(person, f"cancelled-{width}-{scheme}")
    assert person.finds("[data-stage=cancelled] .sc-count").text == "2"
    assert [row.state for row in factories.as_ops(SellerCancellation)] == [State.DONE] * 2
    assert flipkart.ledger.labels == [wanting]


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_one_item_of_a_shipment_is_cancelled(person, flipkart_on_a_socket, settings, width, scheme):
    settings.FLIPKART_WIRE = WireName.OFFICIAL
    flipkart = flipkart_on_a_socket
    seller = factories.seller(name="Asha Textiles", slug="asha-textiles")
    account = flipkart.world.add_seller("Asha Textiles")
    (made,) = flipkart.world.add_shipments(account, 1, items=3)
    person.sees(width, scheme)
    log_in(person, factories.member(seller, Role.OWNER))
    connect(person, seller, account)
    factories.run_due_work()
    found = by_their_id(account, made)

    person.opens(f"/s/{seller.slug}/shipments/{found.public_id}/")
    person.presses("button[name=act][value=cancel]")
    first, _second, third = person.all("input[name=parts]")
    person.clicks(first)
    person.clicks(third)
    shows(person, f"confirm-part-{width}-{scheme}")
    person.ticks("select[name=reason] option[value=not_enough_inventory]")
    person.presses(GO_ON)
    work_until_done(SellerCancellation)
    person.opens(f"/s/{seller.slug}/shipments/{found.public_id}/")

    shows(person, f"part-cancelled-{width}-{scheme}")
    assert "Partly cancelled" in person.text
    assert [item.is_cancelled for item in account.shipments[made].items] == [False, True, False]


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "dark"), (NARROW, "light")])
def test_what_is_packed_with_serial_numbers_only_asks_for_them(person, flipkart_on_a_socket, settings, width, scheme):
    settings.FLIPKART_WIRE = WireName.OFFICIAL
    flipkart = flipkart_on_a_socket
    seller = factories.seller(name="Brass & Copper Works", slug="brass-copper")
    owner = factories.member(seller, Role.OWNER)
    account = flipkart.world.add_seller("Brass & Copper Works")
    (made,) = flipkart.world.add_shipments(account, 1, quantity=2)
    flipkart.world.want_serials(made)
    flipkart.world.take_to_pack(0, 0)
    person.sees(width, scheme)
    log_in(person, owner)
    connect(person, seller, account)
    factories.run_due_work()
    enter_sizes(seller)

    found = by_their_id(account, made)
    page = f"/s/{seller.slug}/shipments/{found.public_id}/"
    person.opens(page)
    shows(person, f"serials-folded-{width}-{scheme}")
    person.presses("button[name=act][value=labels]")
    person.presses(GO_ON)
    work_until(lambda: factories.as_ops(LabelRequest, state=State.REFUSED))
    person.opens(f"/s/{seller.slug}/attention/")
    shows(person, f"serials-wanted-{width}-{scheme}")
    person.presses("a[href$='#serials']")
    shows(person, f"serials-open-{width}-{scheme}")

    # A scanner's Enter begins the next piece and sends nothing; what was there is there still.
    person.types("#serials-1", "356938035643809, 356938035643817\n")
    person.presses("#serials button")
    shows(person, f"serials-wrong-{width}-{scheme}")
    assert "1 line given, and there are 2 pieces" in person.text
    person.types("#serials-1", "490154203237518\n")
    person.presses("#serials button")
    assert "Numbers of 2 pieces are kept" in person.text
    person.presses("form[action$='/work/retry/'] button")
    work_until_done(LabelRequest)

    person.opens(page)
    shows(person, f"serials-told-{width}-{scheme}")
    assert "490154203237518" in person.text
    assert account.shipments[made].items[0].serial_numbers == [
        ["356938035643809", "356938035643817"],
        ["490154203237518"],
    ]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_on_the_guides_format_cancelling_is_off_and_says_why(person, flipkart_on_a_socket, width):
    flipkart = flipkart_on_a_socket
    connected = factories.connected_seller(flipkart, name="Brass & Copper Works", slug="brass-copper")
    packer = factories.member(connected.seller, Role.STAFF)
    shipment = factories.shipment(connected.seller)
    person.sees(width, "light")
    log_in(person, packer)

    for name, path in {"list": "/shipments/", "page": f"/shipments/{shipment.public_id}/"}.items():
        person.opens(f"/s/{connected.seller.slug}{path}")
        shows(person, f"cannot-cancel-{name}-{width}")
        for tick in person.driver.find_elements("css selector", "input[name=shipment][type=checkbox]"):
            tick.click()
        assert not person.finds("button[name=act][value=cancel]").is_enabled()
        assert "format of Flipkart's cannot cancel" in person.text


def work_until(is_reached) -> None:
    """What waits is woken instead of waited for."""
    for _ in range(100):
        if is_reached():
            return
        factories.wake(LabelRequest)
        factories.run_due_work()
    raise AssertionError("not reached")


def by_their_id(account, made: str) -> Shipment:
    (found,) = factories.as_ops(Shipment, flipkart_shipment_id=account.shipments[made].official_id)
    return found
