"""What a person keeps back stands apart with its reason, is out of every act, and goes on where it stood."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from orders import setting_aside
from orders.models import SetAside, SetAsideReason, Shipment, TimelineEntry
from orders.stages import Stage, stage_of
from orders.states import State
from sellers.models import Role
from shipcrowd.audit.models import AuditEntry
from shipcrowd.tenancy import NoScope, seller_scope
from tests import factories
from tests.browsing import logged_in, words
from tests.factories import as_ops, reload

pytestmark = pytest.mark.django_db


@pytest.fixture
def packer(seller):
    return factories.member(seller, Role.STAFF)


def keep(seller, shipments, by, reason=SetAsideReason.DAMAGED, note=""):
    with seller_scope(seller):
        return setting_aside.set_aside(
            seller=seller,
            shipment_ids=[shipment.pk for shipment in shipments],
            reason=reason,
            note=note,
            by=by,
            now=timezone.now(),
        )


def give_back(seller, shipments, by):
    with seller_scope(seller):
        return setting_aside.put_back(
            seller=seller, shipment_ids=[shipment.pk for shipment in shipments], by=by, now=timezone.now()
        )


def test_a_parcel_is_kept_back_with_its_reason_and_goes_on_where_it_stood(seller, packer):
    parcel = factories.shipment(seller, state=State.PACKED, label_stored_at=timezone.now())

    kept = keep(seller, [parcel], packer, note="the box is wet")
    aside = reload(parcel)
    with seller_scope(seller):
        assert stage_of(aside, timezone.now()) is Stage.SET_ASIDE
        why = setting_aside.open_note(seller, parcel.pk)
    back = give_back(seller, [parcel], packer)

    assert (kept.in_words(), back.in_words()) == ("1 set aside", "1 put back")
    assert (aside.set_aside_reason, why.note, why.set_aside_by) == ("damaged", "the box is wet", packer)
    assert stage_of(reload(parcel), timezone.now()) is Stage.TO_PRINT
    assert [entry.says for entry in as_ops(TimelineEntry, shipment=parcel)] == ["set aside: damaged", "put back"]
    (row,) = as_ops(SetAside)
    assert (row.put_back_by_id, row.put_back_at is not None) == (packer.pk, True)
    assert {entry.did for entry in as_ops(AuditEntry, about=seller)} == {"set shipments aside", "put shipments back"}


def test_the_note_of_a_person_stays_out_of_the_timeline(seller, packer):
    parcel = factories.shipment(seller)

    keep(seller, [parcel], packer, note="call Asha Rao")

    assert [entry.says for entry in as_ops(TimelineEntry)] == ["set aside: damaged"]


def test_what_cannot_be_kept_back_is_said_with_its_reason(seller, packer):
    twice = factories.shipment(seller)
    keep(seller, [twice], packer, SetAsideReason.SHORT)
    chosen = [
        twice,
        factories.shipment(seller, state=State.CANCELLED),
        factories.shipment(seller, state=State.SHIPPED),
        factories.shipment(seller, state=State.PICKUP_COMPLETE),
        factories.shipment(seller, attention="pull"),
    ]

    outcome = keep(seller, chosen, packer, SetAsideReason.ADDRESS)

    assert outcome.in_words() == (
        "0 set aside; left out: 2 already handed over, 1 already set aside, 1 cancelled, "
        "1 to be pulled out of the stack first"
    )
    assert reload(twice).set_aside_reason == "short"
    assert give_back(seller, chosen[1:], packer).in_words() == "0 put back; left out: 4 not set aside"


def test_a_parcel_is_set_aside_once_at_a_time(seller, packer):
    parcel = factories.shipment(seller)
    keep(seller, [parcel], packer)
    give_back(seller, [parcel], packer)
    keep(seller, [parcel], packer)

    with seller_scope(seller), pytest.raises(IntegrityError, match="set_aside_once"), transaction.atomic():
        SetAside.objects.create(seller=seller, shipment=parcel, reason="short", set_aside_at=timezone.now())
    assert len(as_ops(SetAside)) == 2


def test_a_stranger_s_parcels_stay_where_they_are(seller, other_seller, packer):
    theirs = factories.shipment(other_seller)

    assert keep(seller, [theirs], packer).accepted == 0
    assert reload(theirs).set_aside_at is None


def test_nothing_is_set_aside_outside_of_a_scope(seller, packer):
    with pytest.raises(NoScope):
        setting_aside.set_aside(
            seller=seller, shipment_ids=[], reason=SetAsideReason.SHORT, note="", by=packer, now=timezone.now()
        )


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_ticked_rows_are_set_aside_from_the_list_and_put_back_from_their_tab(seller, packer):
    parcels = [factories.shipment(seller) for _ in range(3)]
    client, home = logged_in(packer), f"/s/{seller.slug}/shipments/"
    ticked = {"shipment": [str(parcel.public_id) for parcel in parcels[:2]], "back": home}

    asked = client.post(f"{home}act/", ticked | {"act": "set_aside"}, follow=True)
    assert "Set aside: 2 shipments" in words(asked)
    assert as_ops(Shipment, set_aside_at__isnull=False) == []
    done = client.post(f"{home}set-aside/", ticked | {"confirmed": "1", "reason": "short"}, follow=True)
    assert "2 set aside" in words(done)
    tab = client.get(f"{home}?stage=set_aside")
    assert "Set aside: short" in words(tab)
    assert {row.shipment.pk for row in tab.context["rows"]} == {parcel.pk for parcel in parcels[:2]}
    assert [act["value"] for act in tab.context["acts"]] == ["put_back", "cancel"]
    client.post(f"{home}put-back/", ticked | {"confirmed": "1"})

    assert as_ops(Shipment, set_aside_at__isnull=False) == []


def test_without_a_reason_nothing_is_set_aside_and_the_page_asks_again(seller, packer):
    parcel = factories.shipment(seller)

    asked = logged_in(packer).post(
        f"/s/{seller.slug}/shipments/set-aside/",
        {"shipment": str(parcel.public_id), "confirmed": "1", "reason": "tired"},
    )

    assert "Select a valid choice" in words(asked)
    assert reload(parcel).set_aside_at is None


def test_the_page_of_a_shipment_says_why_and_offers_to_put_it_back(seller, packer):
    parcel = factories.shipment(seller)
    keep(seller, [parcel], packer, note="the box is wet")
    page = f"/s/{seller.slug}/shipments/{parcel.public_id}/"

    shown = logged_in(packer).get(page)
    looked_at = logged_in(factories.member(seller, Role.VIEWER)).get(page)

    assert "Set aside: damaged. the box is wet" in words(shown)
    assert 'value="put_back"' in shown.content.decode()
    assert 'value="put_back"' not in looked_at.content.decode()
    assert "Request label: set aside: damaged" in words(shown)


def test_who_only_looks_may_not_set_aside(seller):
    viewer = logged_in(factories.member(seller, Role.VIEWER))

    assert viewer.post(f"/s/{seller.slug}/shipments/set-aside/").status_code == 403
    assert viewer.post(f"/s/{seller.slug}/shipments/put-back/").status_code == 403
