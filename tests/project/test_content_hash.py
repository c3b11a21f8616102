from dataclasses import asdict, replace

from bench.model.scenario import Exchange, Scenario
from bench.project.content_hash import digest, digest_of_scenario

GREETING = Exchange(name="hello", method="GET", path="/")
HELLO = Scenario(name="hello", exchanges=(GREETING,), weights=(1,))


def test_a_field_that_a_later_version_adds_changes_no_hash_until_it_is_set():
    later = {**asdict(HELLO), "streams": None, "is_new": False, "list_of_it": ()}
    assert digest(later) == digest(asdict(HELLO))
    assert digest({**later, "is_new": True}) != digest(later)


def test_words_about_a_scenario_do_not_count_and_requests_do():
    assert digest_of_scenario(replace(HELLO, about="Hello, world")) == digest_of_scenario(HELLO)
    other = replace(HELLO, exchanges=(replace(GREETING, path="/users"),))
    assert digest_of_scenario(other) != digest_of_scenario(HELLO)
