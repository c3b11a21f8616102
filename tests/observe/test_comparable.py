"""Which facts of two fingerprints count as a difference, and of which kind."""

import json
from dataclasses import replace

import pytest

from bench.observe.comparable import Difference, differences, facts_of
from tests.support.synthetic import synthetic_run

HASH = "adb44fa7ab53"
FACTS = {
    "machine": {"class": "x86_64, Some CPU, 2 cores, 8 GiB", "memory_bytes": 8_000_000_000, "virtual": None},
    "system": {"name": "Linux", "kernel": "6.1", "governors": ["performance"], "turbo": False},
    "python": {"version": "3.13.1", "build": {"pgo": True}},
    "harness": {"locust": "2.47"},
    "project": {"commit": "a" * 40, "dirty": False},
    "content": {"bench": "b1", "seed": "d1", "apps": {"flask_app": "f1", "django_app": "j1"}},
    "placement": {"server": (0,), "client": (1,), "database": (1,), "caveats": ()},
    "limits": {"cpu_quota": None},
    "services": {
        "postgres": {"version": "18.6", "settings": {"fsync": "off"}},
        "valkey": {"version": "9.1.2", "settings": {"--maxmemory": "64mb"}},
        "invented": {"version": "1.0", "from": "a wheel", "settings": {"depth": "3"}},
    },
    "environments": {
        f"flask_app-py313-{HASH}": {"python": "3.13.1", "packages": {"flask": "3.1.0", "gunicorn": "27.0"}}
    },
    "runtime": "process",
}


def changed(path, value):
    """Return FACTS with what is at *path* in place of what it has."""
    facts = json.loads(json.dumps(FACTS))
    *folders, last = path.split(".")
    place = facts
    for key in folders:
        place = place[key]
    place[last] = value
    return facts


def kinds(one, other):
    return [(difference.kind, difference.fact) for difference in differences(one, other)]


def test_facts_that_were_written_and_read_are_the_same():
    assert differences(FACTS, json.loads(json.dumps(FACTS))) == ()


@pytest.mark.parametrize(
    ("path", "value", "kind"),
    [
        ("machine.class", "aarch64, Other CPU, 4 cores, 16 GiB", "machine"),
        ("machine.virtual", "KVM", "machine"),
        ("system.governors", ["powersave"], "machine"),
        ("system.turbo", True, "machine"),
        ("runtime", "compose", "machine"),
        ("placement.server", [0, 1], "machine"),
        ("limits.cpu_quota", 1.5, "machine"),
        ("content.bench", "b2", "code"),
        ("content.apps.flask_app", "f2", "code"),
        ("services.postgres.settings.fsync", "on", "code"),
        ("services.valkey.settings.--maxmemory", "1gb", "code"),
        ("services.invented.settings.depth", "4", "code"),
        ("system.kernel", "6.2", "versions"),
        ("python.version", "3.14.0", "versions"),
        ("python.build.pgo", False, "versions"),
        ("harness.locust", "2.48", "versions"),
        ("services.postgres.version", "18.7", "versions"),
        ("services.valkey.version", "9.2.0", "versions"),
        ("services.invented.version", "1.1", "versions"),
    ],
)
def test_a_fact_that_counts_is_named_with_both_sides(path, value, kind):
    there = changed(path, value)
    (found,) = differences(FACTS, there)
    assert (found.fact, found.kind, found.there) == (path, kind, value)
    assert differences(there, FACTS) == (replace(found, here=found.there, there=found.here),)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("machine.memory_bytes", 8_000_000_001),
        ("placement.caveats", ["client and database share a core"]),
        ("hyperthreads", 0.4),
        ("locks", {"flask_app": {"age_days": 3}}),
        ("project.commit", "b" * 40),
        ("project.dirty", True),
        ("services.invented.from", "an image"),
    ],
)
def test_what_decides_no_number_is_no_difference(path, value):
    assert differences(FACTS, changed(path, value)) == ()


def test_packages_are_told_apart_by_app_whatever_the_hash_of_its_lock():
    other = {"python": "3.13.1", "packages": {"flask": "3.1.1", "granian": "2.5"}}
    found = differences(FACTS, changed("environments", {"flask_app-py313-0123456789ab": other}))
    assert [(one.fact, one.here, one.there) for one in found] == [
        ("environments.flask_app-py313.flask", "3.1.0", "3.1.1"),
        ("environments.flask_app-py313.gunicorn", "27.0", None),
        ("environments.flask_app-py313.granian", None, "2.5"),
    ]


def test_two_environments_of_an_app_are_one_entry_with_both_versions():
    both = {
        **FACTS["environments"],
        "flask_app-py313-0123456789ab": {
            "python": "3.13.1",
            "packages": {"flask": "3.1.1", "gunicorn": "27.0"},
        },
    }
    (found,) = differences(FACTS, changed("environments", both))
    assert (found.here, found.there) == ("3.1.0", "3.1.0, 3.1.1")


def test_apps_and_facts_that_only_one_run_has_are_no_difference():
    unbegun = {key: FACTS[key] for key in ("machine", "system", "python", "content", "project")}
    assert differences(FACTS, unbegun) == ()
    assert differences(FACTS, changed("content.apps", {"flask_app": "f1", "litestar_app": "l1"})) == ()
    assert differences(FACTS, {}) == ()


def test_commits_count_where_a_run_knows_no_hash_of_its_content():
    old = {key: value for key, value in changed("project.commit", "b" * 40).items() if key != "content"}
    assert kinds(FACTS, old) == [("code", "project.commit")]


def test_what_forbids_a_comparison_comes_first():
    there = changed("harness.locust", "2.48")
    there["content"]["bench"] = "b2"
    there["machine"]["class"] = "other"
    assert [kind for kind, _ in kinds(FACTS, there)] == ["machine", "code", "versions"]


def test_a_difference_speaks():
    governors = Difference(fact="system.governors", here=["a", "b"], there=None, kind="machine")
    assert governors.text == "system.governors: a, b here, nothing there"


def test_the_runtime_of_a_run_is_one_of_its_facts():
    run = synthetic_run()
    assert kinds(facts_of(run), facts_of(replace(run, runtime="compose"))) == [("machine", "runtime")]
