"""docker-compose.yml: what it repeats is what it repeats from, and nobody has other limits than the rest."""

import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from bench.runtime.docker import images
from bench.runtime.services.caches import MEMCACHED, VALKEY

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
APPS = sorted(path.parent.name for path in ROOT.glob("apps/*/contenders.toml"))
SERVED = [app.removesuffix("_app") for app in APPS]
OWN = {"image", "build", "command", "environment", "depends_on", "profiles"}


def limits(service):
    return {key: value for key, value in SERVICES[service].items() if key not in OWN}


@pytest.mark.parametrize("service", SERVED)
def test_every_app_is_served_as_its_contender_says(service):
    declared = tomllib.loads((ROOT / f"apps/{service}_app/contenders.toml").read_text())[service]
    port = SERVICES[service]["environment"]["PORT"]
    command = declared["command"].format(
        host="127.0.0.1", port=port, workers=declared.get("workers", 1), threads=declared.get("threads", 1)
    )
    assert shlex.split(SERVICES[service]["command"]) == shlex.split(command)
    assert SERVICES[service]["build"]["args"] == {"APP": f"{service}_app"}


def test_no_app_differs_in_limits_from_another_or_from_what_bench_starts():
    assert all(limits(service) == limits(SERVED[0]) for service in SERVED)
    by_hand, by_bench = limits(SERVED[0]), limits("contender")
    assert by_bench.pop("healthcheck") == {"test": ["NONE"]}
    by_hand.pop("healthcheck")
    assert by_bench == by_hand


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_confined(service):
    facts = SERVICES[service]
    assert facts["network_mode"] == "host"
    assert facts["user"] in ("65534:65534", "postgres", "valkey", "memcache")
    assert facts["cap_drop"] == ["ALL"]
    assert facts["read_only"] is facts["init"] is True
    assert "mem_limit" in facts
    assert "privileged" not in facts


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_stays_on_loopback(service):
    words = str(SERVICES[service].get("command", ""))
    assert "0.0.0.0" not in words
    assert "127.0.0.1" in words or "bench" in SERVICES[service]["profiles"]


@pytest.mark.parametrize("file", ["apps/Dockerfile", "bench/load/Dockerfile"])
def test_images_are_of_the_python_that_bench_says(file):
    text = (ROOT / file).read_text()
    assert f"ARG PYTHON={images.PYTHON}\n" in text
    assert f"PATH={images.PROGRAMS}:$PATH" in text
    assert text.rstrip().endswith(f"USER {SERVICES['contender']['user']}")


def test_postgresql_by_hand_and_by_bench_differ_in_what_is_filled_in_alone():
    by_hand, by_bench = limits("postgres"), limits("database")
    for key in ("volumes", "healthcheck"):
        by_hand.pop(key)
    assert by_hand == by_bench


@pytest.mark.parametrize(("kind", "port"), [(VALKEY, 16379), (MEMCACHED, 11311)])
def test_caches_by_hand_are_those_of_bench(kind, port):
    assert shlex.split(SERVICES[kind.name]["command"]) == kind.command(port)
    by_hand, by_bench = limits(kind.name), limits(kind.composed)
    by_hand.pop("healthcheck")
    assert by_hand == by_bench
    assert SERVICES[kind.name]["image"] == SERVICES[kind.composed]["image"]
