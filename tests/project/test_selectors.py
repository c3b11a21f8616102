"""Which elements and values of a page are named by a selector or a pattern, and which are refused."""

import re

import pytest

from bench.project.patterns import example_of
from bench.project.selectors import Selector, selector


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (
            "input[name=csrfmiddlewaretoken]@value",
            Selector(tag="input", attributes=(("name", "csrfmiddlewaretoken"),), taken="value"),
        ),
        ("#token", Selector(attributes=(("id", "token"),))),
        ("P.a.b-c", Selector(tag="p", classes=("a", "b-c"))),
        ("*[data-x]@Data-X", Selector(attributes=(("data-x", None),), taken="data-x")),
        (
            """a[title="a @ ] b"][rel='x y']@href""",
            Selector(tag="a", attributes=(("title", "a @ ] b"), ("rel", "x y")), taken="href"),
        ),
    ],
)
def test_one_element_is_read(text, read):
    assert selector(text) == read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("@value", "cannot be read"),
        ("input@", "cannot be read"),
        ("input@a@b", "cannot be read"),
        ("a > b", "a child ('>') is not known here"),
        ("a b", "a descendant (' ') is not known here"),
        ("a+b", "a sibling ('+') is not known here"),
        ("a, b", "a list of selectors (',') is not known here"),
        ("a:first-child", "a pseudo-class (':') is not known here"),
        ("a[b*=c]", "*= is not known here"),
        ("a[b", "cannot be read from '[b' on"),
    ],
)
def test_what_is_not_known_is_refused_by_name(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        selector(text)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (r'name="csrf" value="([^"]+)"', "1"),
        (r"token: (\d{4})", "1111"),
        (r"[a-f0-9]{8}", "11111111"),
        (r"(?:x|y)=(?P<v>\w*?);", "1"),
        (r"a([^\d1aA])", "0"),
        (r"\$\.(.)", "1"),
        (r"id=([^0-9a-zA-Z])", "_"),
        ("é(ü)", "ü"),
    ],
)
def test_an_example_of_a_pattern_has_its_value(pattern, value):
    text, found = example_of(pattern)
    assert re.search(pattern, text)
    assert found == re.search(pattern, text)[re.compile(pattern).groups]
    assert len(found) == len(value)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a(", "no regular expression"),
        ("(a)(b)", "it has several groups"),
        ("(a+)+b", "a repeat inside of a repeat"),
        ("(?:ab|ab)*c", "a choice inside of a repeat"),
        ("^a", "an anchor is not known here"),
        ("(?=a)b", "a look ahead or behind is not known"),
        ("a{5000}", "it repeats 5,000 times"),
        (r"[^\s\S]", "no example of a set"),
    ],
)
def test_a_pattern_without_an_example_or_without_an_end_is_refused(pattern, words):
    with pytest.raises(ValueError, match=words):
        example_of(pattern)
