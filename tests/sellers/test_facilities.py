"""Facilities: what is missing, what is refused, and what a pickup time may look like."""

import pytest

from sellers import facilities
from sellers.facilities import gstin_check_digit, parse_dates, parse_times, why_not_gstin
from sellers.models import Facility, Role
from tests import factories
from tests.factories import reload

GOOD = {
    "name": "Bhiwandi",
    "address_line1": "Plot 7",
    "city": "Bhiwandi",
    "state": "Maharashtra",
    "pincode": "421302",
    "gstin": "27AAPFU0939F1ZV",
    "phone": "+91 98200 12345",
    "pickup_0": "18.30, 14:00",
    "holidays": "26/01/2027\n2026-11-08",
}


@pytest.fixture
def owners(client, seller):
    client.force_login(factories.member(seller, Role.OWNER))
    return client


def fill_in(browser, place: Facility, values: dict[str, str]):
    return browser.post(f"/s/{place.seller.slug}/facilities/{place.public_id}/", values)


# The first is the example that GSTN's rule is usually shown with; the others are public GSTINs of large firms.
@pytest.mark.parametrize("gstin", ["27AAPFU0939F1ZV", "29AAGCB7383J1Z4", "27AAACR5055K1Z7"])
def test_the_check_digit_of_real_gstins(gstin):
    assert gstin_check_digit(gstin[:14]) == gstin[14]


def test_every_single_mistyped_character_is_found():
    gstin, digits = "27AAPFU0939F1ZV", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

    missed = [
        (place, other)
        for place in range(15)
        for other in digits
        if other != gstin[place] and not why_not_gstin(gstin[:place] + other + gstin[place + 1 :], "")
    ]

    assert missed == []


@pytest.mark.parametrize(
    ("gstin", "state", "says"),
    [
        ("27AAPFU0939F1ZV", "Maharashtra", ""),
        ("27AAPFU0939F1ZV", "", ""),
        ("27AAPFU0939F1ZV", "Karnataka", "This GSTIN belongs to Maharashtra."),
        ("27AAPFU0939F1ZW", "", "The last character does not fit the others: one of them is mistyped."),
        ("27aapfu0939f1zv", "", "A GSTIN has 15 characters, like 29ABCDE1234F1Z5."),
        ("27AAPFU0939F1Z", "", "A GSTIN has 15 characters, like 29ABCDE1234F1Z5."),
    ],
)
def test_what_is_wrong_with_a_gstin(gstin, state, says):
    assert why_not_gstin(gstin, state) == says


@pytest.mark.parametrize(
    ("text", "times"),
    [("", []), ("14:00", ["14:00"]), (" 18.30 ,9:05;14:00 14:00", ["09:05", "14:00", "18:30"]), ("00:00", ["00:00"])],
)
def test_times_of_day(text, times):
    assert parse_times(text) == times


@pytest.mark.parametrize("text", ["25:00", "14", "noon", "14:60", "-1:00", "١٤:٠٠"])
def test_what_is_no_time_of_day(text):
    with pytest.raises(ValueError):
        parse_times(text)


def test_days():
    assert parse_dates("26/01/2027\n2026-11-08, 8.11.2026") == ["2026-11-08", "2027-01-26"]
    for wrong in ("31/02/2027", "tomorrow", "2027-13-01", "26/01/27"):
        with pytest.raises(ValueError):
            parse_dates(wrong)


def test_a_new_facility_lists_what_is_missing(owners, seller):
    place = factories.facility(seller)

    text = owners.get(f"/s/{seller.slug}/facilities/").content.decode()

    assert "address, city, state, pincode, GSTIN, phone, pickup times" in text
    assert place.flipkart_location_id in text


def test_an_owner_fills_in_a_facility(owners, seller):
    place = factories.facility(seller)

    answer = fill_in(owners, place, GOOD)

    assert answer.status_code == 302
    row = reload(place)
    assert row.missing == []
    assert row.pickup_times == [["14:00", "18:30"], [], [], [], [], [], []]
    assert row.holidays == ["2026-11-08", "2027-01-26"]
    assert row.phone == "+919820012345"
    page = owners.get(f"/s/{seller.slug}/facilities/{place.public_id}/").content.decode()
    assert 'value="14:00, 18:30"' in page


def test_a_half_filled_form_is_kept(owners, seller):
    place = factories.facility(seller)

    assert fill_in(owners, place, {"name": "Bhiwandi", "city": "Bhiwandi"}).status_code == 302
    assert reload(place).missing == ["address", "state", "pincode", "GSTIN", "phone", "pickup times"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("pincode", "42130"),
        ("pincode", "042130"),
        ("state", "Texas"),
        ("gstin", "27AAPFU0939F1ZW"),
        ("phone", "12"),
        ("pickup_0", "25:00"),
        ("pickup_6", "soon"),
        ("holidays", "31/02/2027"),
        ("city", "a\x00b"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_saved(owners, seller, field, value):
    place = factories.facility(seller)

    answer = fill_in(owners, place, GOOD | {field: value})

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert reload(place).city == ""


@pytest.mark.parametrize("role", [Role.STAFF, Role.VIEWER])
def test_others_see_facilities_and_change_none(client, seller, role):
    place = factories.facility(seller)
    client.force_login(factories.member(seller, role))

    assert client.get(f"/s/{seller.slug}/facilities/").status_code == 200
    assert fill_in(client, place, GOOD).status_code == 403


def test_another_sellers_facility_is_not_there(owners, seller, other_seller):
    """trust.md 53"""
    theirs = factories.facility(other_seller)

    assert owners.get(f"/s/{seller.slug}/facilities/{theirs.public_id}/").status_code == 404
    assert owners.get(f"/s/{other_seller.slug}/facilities/").status_code == 404
    assert theirs.name not in owners.get(f"/s/{seller.slug}/facilities/").content.decode()


def test_every_state_has_a_code_of_its_own():
    assert len(set(facilities.STATES.values())) == len(facilities.STATES) == 36
