"""Parameters out of forms and JSON, and what is no parameter."""

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.parameters import PARAMETERS_MAX, add_form, add_json
from api.numbers import InputError, Number

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)


def form(encoded):
    parameters = {}
    add_form(parameters, encoded)
    return parameters


def of_json(text):
    parameters = {}
    add_json(parameters, text)
    return parameters


@given(st.dictionaries(names, texts, max_size=10))
def test_a_form_comes_out_as_it_went_in(fields):
    assert form(urllib.parse.urlencode(fields)) == fields
    assert form(urllib.parse.urlencode(fields, quote_via=urllib.parse.quote)) == fields


def test_json_numbers_keep_their_text():
    parameters = of_json('{"a": 0.94418618, "b": 1e-8, "c": 9007199254740993, "d": "1", "e": NaN,'
                         ' "f": -0}')
    assert parameters == {"a": "0.94418618", "b": "1e-8", "c": "9007199254740993", "d": "1",
                          "e": "NaN", "f": "-0"}
    assert {name for name, value in parameters.items() if type(value) is Number} == set("abcef")


def test_a_number_of_any_length_is_only_a_text():
    assert of_json('{"a": %s}' % ("9" * 100_000))["a"] == "9" * 100_000


def test_the_same_twice_is_one_and_another_is_refused():
    assert form("a=1&a=1&b=") == {"a": "1", "b": ""}
    with pytest.raises(InputError, match="^a: is given twice"):
        form("a=1&a=2")
    with pytest.raises(InputError, match="^a: is given twice"):
        of_json('{"a": 1, "a": 2}')
    parameters = form("a=1")
    add_json(parameters, '{"a": 1}')
    with pytest.raises(InputError, match="^a: is given twice"):
        add_json(parameters, '{"a": "1.0"}')


def test_what_is_too_deep_to_be_compared_is_not_the_same():
    deep = '{"a":' * 800 + "1" + "}" * 800
    of_json('{"a": %s}' % deep)
    with pytest.raises(InputError, match="^a: is given twice"):
        of_json('{"a": %s, "a": %s}' % (deep, deep))


@pytest.mark.parametrize("text", ["", "[]", "1", '"a"', "null", "{", '{"a"}', "{'a': 1}",
                                  "[" * 100_000, '{"a":' * 100_000, "{} {}"])
def test_what_is_no_json_object(text):
    with pytest.raises(InputError, match="^body: "):
        of_json(text)


@pytest.mark.parametrize("encoded, named", [("a=%ff", "a"), ("%ff=1", "body"),
                                            ("a=\udcff", "body")])
def test_what_is_no_utf8(encoded, named):
    with pytest.raises(InputError, match=f"^{named}: "):
        form(encoded)


def test_half_a_surrogate_pair():
    with pytest.raises(InputError, match="^a: must be text"):
        of_json(r'{"a": "\ud800"}')


def test_too_many():
    with pytest.raises(InputError, match="^body: "):
        form("&".join(f"p{number}=1" for number in range(PARAMETERS_MAX + 1)))
    with pytest.raises(InputError, match="^body: "):
        of_json("{" + ",".join(f'"p{number}": 1' for number in range(PARAMETERS_MAX + 1)) + "}")
