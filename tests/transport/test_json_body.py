"""JSON of any quality: values or one clear error."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipcrowd.transport.errors import UnexpectedPayload
from shipcrowd.transport.json_body import Node, noting, parse_json, shape_of, unread


def node(text: str) -> Node:
    return Node(value=parse_json(text.encode(), operation="search"), operation="search")


def problem(read: object) -> str:
    with pytest.raises(UnexpectedPayload) as failure:
        read()
    return str(failure.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"<html><body>504 Gateway Time-out</body></html>",
        b'{"shipments": [{"shipmentId": "SHIP1"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": "\xff\xfe"}',
        '{"a": "Zürich"}'.encode("latin-1"),
        '{"a": 1}'.encode("utf-16"),
        b'{"a": 1} trailing',
        b"{'a': 1}",
        b'"\x00"',
    ],
)
def test_what_is_no_json_is_said_so_without_its_content(body):
    """trust.md 32."""
    with pytest.raises(UnexpectedPayload) as failure:
        parse_json(body, operation="search")

    assert str(failure.value).startswith(("search: not JSON (", "search: an empty answer"))
    assert failure.value.__context__ is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "9" * 10_000, "1e99999999999999999999999"])
def test_what_only_looks_like_a_number_is_refused_where_it_is_read(number):
    """trust.md 32."""
    row = node(f'{{"bad": {number}, "good": 1}}')

    readers = (Node.text, Node.word, Node.flag, Node.count, Node.rupees, Node.measure, Node.as_object)
    for read in (*readers, Node.required_text):
        assert problem(lambda read=read: read(row.get("bad"))).startswith("search: bad: not ")
    assert row.get("good").count() == 1


def test_a_byte_order_mark_is_tolerated():
    """trust.md 32."""
    assert parse_json(b'\xef\xbb\xbf{"a": 1}', operation="search") == {"a": 1}


def test_money_comes_straight_from_the_text():
    amount = node('{"mrp": 0.1000000000000000055}').get("mrp").rupees()

    assert str(amount) == "0.1000000000000000055"
    assert node('{"mrp": 899.10}').get("mrp").rupees() == Decimal("899.10")
    assert str(node("[899.10]").rows().__next__().rupees()) == "899.10"


@pytest.mark.parametrize(
    "text", ['"899"', "true", "[1]", "{}", "-1", "-0.01", "1e11", "1e999999", "1e-999999", "10000000000"]
)
def test_what_is_no_amount_is_refused(text):
    assert problem(node(f'{{"mrp": {text}}}').get("mrp").rupees).startswith("search: mrp: not a")


@pytest.mark.parametrize(("text", "weight"), [("0.15", "0.15"), ("25", "25"), ("0", "0"), ("null", "None")])
def test_a_weight_is_what_was_written(text, weight):
    assert str(node(f'{{"weight": {text}}}').get("weight").measure()) == weight


@pytest.mark.parametrize("text", ['"0.15"', "true", "-0.01", "1000000", "1e99", "[1]"])
def test_what_is_no_weight_is_refused(text):
    assert problem(node(f'{{"weight": {text}}}').get("weight").measure).startswith("search: weight: not a")


@pytest.mark.parametrize(
    ("text", "amount"), [("0", "0"), ("-0.0", "0.0"), ("1e2", "100"), ("899", "899"), ("null", None)]
)
def test_amounts_in_their_forms(text, amount):
    found = node(f'{{"mrp": {text}}}').get("mrp").rupees()

    assert (found if found is None else str(found)) == amount


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("1.0", 1), ("2.000", 2), ("1e1", 10)])
def test_a_quantity_may_be_written_as_a_fraction_that_is_none(text, count):
    found = node(f'{{"quantity": {text}}}').get("quantity").count()

    assert (found, type(found)) == (count, int)


@pytest.mark.parametrize(
    "text", ["0", "-1", "1.5", '"1"', "true", "null", "[]", "1e30", "1e999999999", "1e-999999999", "1000001"]
)
def test_what_is_no_quantity_is_refused(text):
    assert problem(node(f'{{"quantity": {text}}}').get("quantity").count).startswith("search: quantity: ")


@pytest.mark.parametrize(
    ("value", "text"), [('" a "', "a"), ("400001", "400001"), ("null", ""), (r'"a\u0000b\ud800c"', "abc")]
)
def test_texts_are_trimmed_and_made_storable(value, text):
    found = node(f'{{"name": {value}}}').get("name").text()

    assert found == text
    found.encode()


def test_a_word_is_taken_unchanged_or_not_at_all():
    assert node('["Packed "]').rows().__next__().word() == "Packed "
    for value in (r'"PACKED\u0000"', "7", '""', "null", "{}"):
        assert problem(node(f'{{"state": {value}}}').get("state").word).startswith("search: state: ")


def test_a_key_said_twice_is_fine_when_it_says_the_same():
    assert node('{"a": 1, "a": 1}').get("a").count() == 1


def test_a_key_said_twice_differently_spoils_its_object_and_no_other():
    """trust.md 32."""
    rows = list(node('[{"a": 1, "a": 2}, {"a": 3}]').rows())

    assert problem(lambda: rows[0].get("a")) == "search: [0]: says one key twice, differently"
    assert rows[1].get("a").count() == 3


def test_the_path_of_a_hole_is_named():
    row = list(node('{"shipments": [{}, {"invoice": {"n": []}}]}').get("shipments").rows())[1]

    assert problem(row.get("invoice").get("n").text) == "search: shipments[1].invoice.n: not a text"
    assert problem(lambda: row.get("buyer").get("name")) == "search: shipments[1].buyer: missing"


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def outcome_of(read: Callable[[], object]) -> object:
    """What `read` returns or the error that it may raise; any other exception fails the test."""
    try:
        return read()
    except UnexpectedPayload as error:
        return f"{error.operation} {error.path}"


@given(st.binary() | any_json.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_give_a_value_or_one_kind_of_error(body):
    outcome_of(lambda: parse_json(body, operation="search"))


@given(any_json)
def test_no_value_makes_a_reader_raise_anything_else(value):
    found = Node(value=json.loads(json.dumps(value), parse_float=Decimal), operation="search", path="a")

    assert outcome_of(found.text) == "search a" or isinstance(found.text(), str)
    assert outcome_of(found.required_text) == "search a" or found.required_text() != ""
    assert outcome_of(found.word) == "search a" or found.word() == value
    assert outcome_of(found.flag) == "search a" or found.flag() is bool(value)
    assert outcome_of(found.count) == "search a" or found.count() == value
    assert outcome_of(found.rupees) == "search a" or value is None or found.rupees() >= 0


# --- What nobody asked for -------------------------------------------------------------------------------------------


def test_what_an_answer_holds_and_nobody_reads_is_named_without_its_values():
    text = """{"hasMore": false, "note": "Asha Rao, 9876543210", "rows": [
        {"id": 1, "extra": {"deep": "secret"}, "list": [1, 2], "no": null, "yes": true, "price": 1.5},
        {"id": 2, "inner": {"read": 1, "left": "x"}, "9876543210": "x", "Asha Rao": "y"}
    ]}"""
    with noting() as answers:
        root = node(text)
        root.get("hasMore").flag()
        for row in root.get("rows").rows():
            row.get("id").count()
            row.get("absent")
            if not (inner := row.get("inner")).is_absent:
                inner.get("read").count()

    assert unread(answers[0]) == {
        "note": "text",
        "rows[].extra": "object",
        "rows[].list": "list of 2",
        "rows[].no": "null",
        "rows[].yes": "true or false",
        "rows[].price": "number",
        "rows[].inner.left": "text",
        "rows[].…": "text",
    }


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        (
            '{"shipments": [1, 2], "hasMore": true, "next": null, "9876543210": {}}',
            "shipments: list of 2, hasMore: true or false, next: null, …: object",
        ),
        ("[1, 2, 3]", "list of 3"),
        ('"Asha Rao"', "text"),
        ("1.5", "number"),
    ],
)
def test_a_shape_has_names_and_sorts_and_no_value(text, shape):
    assert shape_of(node(text).value) == shape


def test_noting_ends_with_its_block():
    with noting() as answers:
        node("{}")
    node("{}")

    assert len(answers) == 1
