import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.charts.labels import shortened, told_apart

LOCKS = ("django:lock=django-4.2,python=3.12", "django:lock=django-6.1,python=3.12")


def test_a_long_label_loses_its_middle_and_no_more():
    assert shortened("django-drf:pool=off,index=off,eager=off", 20) == "django-drf:p…ger=off"
    assert shortened("django", 6) == "django"


@pytest.mark.parametrize(
    ("letters", "shown"),
    [
        (12, ["…django-4.2…", "…django-6.1…"]),
        (15, ["…ck=django-4.2…", "…ck=django-6.1…"]),
        (30, ["django:lock=django-4.2,python…", "django:lock=django-6.1,python…"]),
        (34, list(LOCKS)),
    ],
)
def test_labels_that_would_look_alike_keep_where_they_differ(letters, shown):
    assert list(told_apart(LOCKS, letters).values()) == shown


def test_only_labels_that_would_look_alike_are_cut_otherwise():
    shown = told_apart((*LOCKS, "fastapi:lock=fastapi-0.128", "flask"), 20)
    assert list(shown.values()) == [
        "…go:lock=django-4.2…",
        "…go:lock=django-6.1…",
        "fastapi:lock…i-0.128",
        "flask",
    ]


@given(st.sets(st.text("ab:=", min_size=1, max_size=16), min_size=1, max_size=6), st.integers(3, 12))
def test_different_texts_stay_different_and_those_that_fit_stay_whole(texts, letters):
    found = told_apart(texts, letters)
    assert set(found) == texts
    assert len(set(found.values())) == len(texts)
    assert all(found[text] == text for text in texts if len(text) <= letters)
