from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.loads import Closed
from bench.report.answer import answer
from tests.report.test_webpage import busy_client
from tests.support.synthetic import failing, rate, synthetic_run, with_records

PAIR = {"flask": 4_000, "fastapi": 9_000}


def told(run):
    return answer(analyse(run))


def about(run, **abouts):
    named = (replace(one, about=abouts.get(one.name.replace("-", "_"), "")) for one in run.scenarios)
    return replace(run, scenarios=tuple(named))


def test_two_sentences_name_stacks_ratios_and_what_was_asked():
    run = synthetic_run(PAIR | {"django": 1_000}, scenarios=("hello", "users-read"), noise=0)
    first, second = told(about(run, hello="hello world", users_read="reading a user"))
    assert first == (
        "On this machine, one core each, FastAPI on uvicorn is 2.25 × (2.25–2.25) as fast as "
        "Flask on gunicorn gthread at hello world; at reading a user, 2.25 × (2.25–2.25)."
    )
    assert second == "Fastest at hello world and reading a user: FastAPI on uvicorn."


def test_who_was_measured_once_only_is_not_whom_the_answer_is_about():
    run = synthetic_run(PAIR | {"stdlib": 12_000}, scenarios=("hello", "users-read"), noise=0)

    def keep(record):
        cell = record.slice.cell
        return None if (cell.contender, cell.scenario) == ("stdlib", "users-read") else record

    first, second = told(with_records(run, keep))
    assert "FastAPI on uvicorn is 2.25" in first
    assert (
        second == "Fastest at hello: http.server of the standard library; at users-read: FastAPI on uvicorn."
    )


def test_a_tie_is_called_a_tie():
    first, second = told(synthetic_run({"flask": 4_000, "django": 4_000}, rounds=6, seed=3))
    assert first.endswith(" at hello, a tie.")
    assert second.startswith("Fastest at hello: ")
    assert second.endswith(", tied.")


def test_too_few_rounds_are_told_with_the_number():
    first, second = told(synthetic_run(PAIR, rounds=2, noise=0))
    assert "2.25 × (no interval: 2 rounds) as fast" in first
    assert second == "Fastest at hello: FastAPI on uvicorn, though the rounds are too few to be sure."


def test_many_scenarios_are_told_as_a_range():
    names = [f"s{number}" for number in range(6)]
    first, _ = told(synthetic_run(PAIR, scenarios=names, noise=0))
    assert first.endswith("at s2, 2.25 × (2.25–2.25); at 3 more, 2.25 to 2.25 ×.")


def test_a_client_limited_contender_is_a_bound():
    run = synthetic_run(PAIR, scenarios=("hello", "users-read"), noise=0)

    def limited(record):
        return busy_client(record) if record.slice.cell.scenario == "users-read" else record

    first, second = told(with_records(run, limited))
    assert "at users-read, ≥ 9,000 req/s, client-limited" in first
    assert second.endswith("at users-read: not known, as FastAPI on uvicorn may be limited by the client.")


def test_loads_are_named_where_they_differ():
    loads = [Closed(connections=connections) for connections in (1, 32)]
    assert "at hello, 1 connection; at hello, 32 connections" in told(synthetic_run(PAIR, loads=loads))[0]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (synthetic_run({"flask": 400}), "Flask on gunicorn gthread (flask) answers"),
        (synthetic_run({"django": 400}), "Django on gunicorn gthread (django) answers"),
        (synthetic_run(PAIR, loads=(rate(0.5),)), "answers 99 % within"),
    ],
    ids=["one contender", "no reference", "rates alone"],
)
def test_without_a_ratio_the_panels_speak_for_themselves(run, said):
    (sentence,) = told(run)
    assert said in sentence


@pytest.mark.parametrize(
    "run",
    [replace(synthetic_run(PAIR), records=()), with_records(synthetic_run(PAIR, rounds=1), failing)],
    ids=["nothing measured", "only failures"],
)
def test_without_a_number_there_is_no_answer(run):
    assert told(run) == ()
