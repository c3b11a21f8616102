"""`GET /wait`: the time a slow upstream takes."""

import time
from functools import partial

import pytest
from contract import Api, at_once, differs
from test_list_users import NOT_DECIMAL_DIGITS

pytestmark = pytest.mark.wait

WAITS = {"": 50, "?ms=0": 0, "?ms=1": 1, "?ms=120": 120, "?ms=1000": 1000, "?ms=1000&ms=2": 2, "?ms=5&x=": 5}
GENEROUS_MS = 5000  # a busy machine is not a wrong answer
TOGETHER = 16


@pytest.mark.parametrize("query", WAITS)
def test_it_waits_as_long_as_it_says(api: Api, query: str):
    asked_ms = WAITS[query]
    began = time.perf_counter()
    api.get(f"/wait{query}").expect(200, body={"waited_ms": asked_ms})
    took_ms = (time.perf_counter() - began) * 1000
    if not asked_ms <= took_ms <= asked_ms + GENEROUS_MS:
        differs(f"GET /wait{query}", f"{asked_ms} ms or little more", f"{took_ms:.1f} ms")


def test_of_many_that_wait_each_gets_its_own_answer(api: Api):
    waits = [10 * number for number in range(TOGETHER)]
    answers = at_once(partial(api.get, f"/wait?ms={ms}") for ms in waits)
    for ms, answer in zip(waits, answers, strict=True):
        answer.expect(200, body={"waited_ms": ms})


@pytest.mark.parametrize("ms", [*NOT_DECIMAL_DIGITS, "1001", "1000000", str(2**63), "9" * 400])
def test_a_time_out_of_0_to_1000_is_422(api: Api, ms: str):
    api.get(f"/wait?ms={ms}").expect(422)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_405(api: Api, method: str):
    api.send(method, "/wait").expect(405)


@pytest.mark.parametrize("path", ["/wait/", "/wait/50", "/Wait"])
def test_a_path_beside_it_is_404_and_never_a_redirect(api: Api, path: str):
    api.get(path).expect(404)
