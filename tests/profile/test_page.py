"""What the folder of a profile holds. With UPDATE_GOLDEN=1 in the environment its expected files are new."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from bench.compare.entries import entries
from bench.errors import UsageError
from bench.loads import Closed
from bench.profile.flames import flame_graph
from bench.profile.layers import declared
from bench.profile.profile_page import speedscope, write_profile_report
from bench.profile.record import SCHEMA, Profiling, load, save
from bench.profile.words import document, print_profiling
from tests.profile.test_layers import DUMPS, ENCODE, FRAMEWORK, SERVER, VIEW, profile, window
from tests.support.pages import read
from tests.support.synthetic import FINGERPRINT, contender

ROOT = Path(__file__).parents[2]
EXPECTED = Path(__file__).parents[1] / "expected"
BOX = "{http://www.w3.org/2000/svg}rect"
STACKS = {
    f"{SERVER};{FRAMEWORK};{VIEW}": 400,
    f"{SERVER};{FRAMEWORK};{DUMPS};{ENCODE};<method 'join' of 'str' objects>": 250,
    f"{SERVER};{FRAMEWORK}": 200,
    f"{SERVER};<lambda> (./views.py)": 149,
    "run (threading.py)": 1,
}


def profiled():
    """Two contenders in one scenario, one of them in another as well."""
    slow = {"contender": "django", "stack": "Django on a server", "beside": window(requests=5_000)}
    return Profiling(
        schema=SCHEMA,
        started_at="2026-11-25T10:00:00+00:00",
        profiler="py-spy",
        version="0.4.3",
        runtime="process",
        load=Closed(connections=32),
        fingerprint=FINGERPRINT,
        contenders=(contender("flask"), contender("django")),
        profiles=(
            profile(STACKS),
            profile({**STACKS, "run (threading.py)": 600}, **slow),
            profile(STACKS, scenario="users-read"),
        ),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    written = tmp_path_factory.mktemp("profile")
    save(profiled(), written)
    write_profile_report(profiled(), written)
    return written


def test_the_folder_holds_pages_charts_flames_and_files_for_speedscope(folder):
    stems = ("flask-hello", "django-hello", "flask-users-read")
    flames = {f"{stem}{ending}" for stem in stems for ending in (".svg", ".speedscope.json")}
    charts = {"hello-layers.svg", "users-read-layers.svg"}
    told = {"profile.json", "report.html", "report.md"}
    assert {file.name for file in folder.iterdir()} == flames | charts | told


@pytest.mark.parametrize(("name", "made"), [("flames.svg", "flask-hello.svg"), ("profile.md", "report.md")])
def test_files_of_a_fixed_profile_are_as_expected(folder, name, made):
    text = (folder / made).read_text()
    if os.environ.get("UPDATE_GOLDEN"):
        (EXPECTED / name).write_text(text)
    assert text == (EXPECTED / name).read_text()


def test_a_flame_is_as_wide_as_its_time_and_in_the_colour_of_its_layer():
    drawn = ElementTree.fromstring(flame_graph(profile(STACKS), us_per_count=0.5))
    widths, kinds = {}, {}
    for group in drawn.iter("{http://www.w3.org/2000/svg}g"):
        name = group[0].text.partition(":")[0]
        widths[name], kinds[name] = float(group.find(BOX).get("width")), group.find(BOX).get("class")
    assert widths[SERVER] == pytest.approx(1180 * 0.999, abs=0.1)
    assert widths[VIEW] == pytest.approx(1180 * 0.4, abs=0.1)
    assert kinds[VIEW] == "handler"
    assert kinds["<method 'join' of 'str' objects>"] == "validation"  # C counts for its caller
    assert kinds["run (threading.py)"] == "rest"


def test_a_flame_graph_needs_nothing_else():
    text = flame_graph(profile(STACKS), us_per_count=0.5)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in text


def test_speedscope_gets_a_sampled_profile_of_its_schema():
    told = speedscope(profile(STACKS))
    (sampled,) = told["profiles"]
    frames = told["shared"]["frames"]
    assert told["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert (sampled["type"], sampled["unit"], sampled["startValue"]) == ("sampled", "seconds", 0)
    assert len(sampled["samples"]) == len(sampled["weights"]) == len(STACKS)
    assert sampled["endValue"] == pytest.approx(sum(sampled["weights"])) == pytest.approx(10.0)
    assert [frames[place]["name"] for place in sampled["samples"][0]] == ["handle", "wsgi_app", "hello"]
    assert frames[0] == {"name": "handle", "file": "gunicorn/sync.py"}


def test_the_page_tells_layers_side_by_side_and_links_to_flames(folder):
    page = read((folder / "report.html").read_text())
    text = page.text
    assert (
        "hello: Flask on a server takes least CPU per request, 500 µs; Django on a server takes most, "
        "1,000 µs: 375 µs more in interpreter and kernel (rest) and 68.8 µs more in our handlers."
    ) in text
    assert "Flask on a server: 500 µs of CPU per request, 55 % in our handlers, 25 % in validation" in text
    assert "django, hello: samples are 16.0 s, CPU 10.0 s (1.60): others were on the server's core" in text
    links = {link.attributes["href"] for link in page.all("a") if "." in link.attributes["href"]}
    assert links == {
        file.name for file in folder.glob("*") if file.name.count("-") and "layers" not in file.name
    }


def test_a_profile_is_kept_and_read_again_without_where_its_apps_lie(folder):
    kept = load(folder)
    assert kept.profiles == profiled().profiles
    assert {one.root for one in kept.contenders} == {""}


def test_a_profile_of_another_schema_is_refused(tmp_path):
    save(replace(profiled(), schema=99), tmp_path)
    with pytest.raises(UsageError, match="has schema 99, this bench reads 1: use the bench that wrote it"):
        load(tmp_path)


def test_machines_get_layers_in_microseconds():
    told = json.loads(json.dumps(document(profiled())))
    first = told["profiles"][0]
    assert first["layers_us"]["handler"] == pytest.approx(274.5)
    assert sum(first["layers_us"].values()) == pytest.approx(first["service_demand_us"])
    assert (
        first["functions"][0] == {"layer": "validation", "function": ENCODE, "us": 125.0}
        or first["functions"]
    )
    assert first["lost"] == pytest.approx(0.1)


def test_the_terminal_shows_a_column_per_contender():
    console = Console(record=True, width=100)
    print_profiling(profiled(), console)
    text = console.export_text()
    assert "our handlers" in text
    assert "274 · 55 %" in text
    assert "lost to profiling" in text


@pytest.mark.parametrize("app", sorted(path.name for path in ROOT.glob("apps/*_app")))
def test_every_app_declares_its_layers(app):
    assert set(declared(ROOT / "apps" / app).values()) <= {
        "server", "framework", "validation", "orm", "driver", "template", "handler",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('fraemwork = ["flask"]', "fraemwork: unknown layer; did you mean framework"),
        ('rest = ["flask"]', "rest: unknown layer"),
        ('orm = ["x"]\ndriver = ["x"]', "driver: x is claimed by orm as well"),
        ("orm = 3", "layers.toml: orm"),
    ],
)
def test_a_mistake_in_layers_is_told(tmp_path, text, said):
    (tmp_path / "layers.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        declared(tmp_path)
    assert said in str(error.value)


def test_an_app_that_declares_nothing_has_handlers_and_a_rest(tmp_path):
    assert declared(tmp_path) == {"./": "handler"}


def test_a_profile_among_runs_is_no_run_of_a_history(folder):
    with pytest.raises(UsageError, match="no complete run in"):
        entries([folder], datetime.now(UTC))
