import pytest

from bench import contenders, serving
from bench.errors import CannotMeasure
from tests.fakes import FakeRuntime
from tests.projects import make_project


@pytest.fixture
def one(tmp_path):
    return contenders.resolve("one", contenders.declared(make_project(tmp_path)))


def test_the_address_is_told_and_an_end_by_itself_is_an_error_with_its_last_words(one):
    said, diary = [], []
    runtime = FakeRuntime(diary, dying={"one": 1})
    with pytest.raises(CannotMeasure, match=r"one killed by signal 9; its last lines:\nits last words"):
        serving.serve(one, runtime, said.append)
    assert said == ["one: http://127.0.0.1:9/ (Ctrl-C stops it)"]
    assert diary == ["prepare one", "serve one", "stop"]


def test_a_dead_database_ends_it(one):
    runtime = FakeRuntime([], database_dies_in=1)
    with pytest.raises(CannotMeasure, match="PostgreSQL ended"):
        serving.serve(one, runtime, print)
