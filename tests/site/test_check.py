import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli import commands
from bench.model.claim import Claim
from bench.project import content_hash
from bench.site import privacy
from bench.site.check import OtherFormat, Unfit, checked, read
from bench.site.packing import to_text
from bench.site.submission import MOST_BYTES
from tests.support.submissions import NOW, changed, content_of, resealed, run_of, write
from tests.support.synthetic import failing, failing_some, rate, with_records

ROOT = Path(__file__).parents[2]


def of(record):
    return record.slice.cell.contender


def reasons(content):
    try:
        checked("it", to_text(content).encode(), NOW)
    except Unfit as error:
        return error.reasons
    return ()


def set_at(*path, to):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = to(content[path[-1]]) if callable(to) else to

    return change


def slower(content):
    """A tenth fewer answers of one side, with everything that counts them."""
    cell = content["cells"][0]
    cell["right"] = [count - 100 for count in cell["right"]]
    cell["requests"] = cell["answers"] = sum(cell["right"])
    cell["latencies"]["counts"][0] -= 100 * len(cell["right"])


def hidden_answers(content):
    content["loads"][0]["kind"] = "open"
    content["cells"][0]["in_window"] = [None] * len(content["cells"][0]["right"])


def dropped_ratio(content):
    content["ratios"] = content["ratios"][1:]


def failed_secretly(content):
    cell = content["cells"][0]
    cell["failures"] = {"status 500": 400}
    cell["wrong"] = [400, *(0 for _ in cell["right"][1:])]
    cell["answers"] = cell["requests"] + 400


def other_plan(content):
    content["plan"]["content"]["rounds"] = 3


def other_plan_with_its_hash(content):
    other_plan(content)
    content["plan"]["hash"] = content_hash.hash_of(content["plan"]["content"])


def claims_from_afterwards(content):
    claim = {"says": "Flask is slow", "source": "me", "needs": "nothing"}
    content["plan"]["claims"] = [claim]
    content["plan"]["claims_hash"] = content_hash.hash_of([claim])
    content["findings"] = [{"verdict": "supported"}]


def no_plan(content):
    content["cells"][0]["scenario"] = 0
    content["scenarios"][0]["name"] = "goodbye"


TAMPERINGS = {
    "a ratio": (set_at("ratios", 0, "ratio", 0, to=lambda old: old * 1.01), "the rounds give"),
    "an interval": (set_at("ratios", 0, "ratio", 1, to=lambda old: old * 0.99), "the rounds give"),
    "a verdict": (set_at("ratios", 0, "verdict", to="equivalent"), "its interval says"),
    "a ratio left out": (dropped_ratio, "its ratio should be to flask"),
    "a rank": (set_at("cells", 1, "rank", to=3), "rank: 3, and its rounds give 1"),
    "a round": (set_at("cells", 0, "right", 4, to=lambda old: old + 500), "and its sweeps have"),
    "answers, and all their counts": (slower, "the rounds do not give"),
    "CPU": (set_at("cells", 1, "cpu_us", 3, to=1.0), "the rounds do not give|the rounds give"),
    "CPU below zero": (set_at("cells", 1, "cpu_us", 3, to=-1.0), "below zero"),
    "more CPU than there is": (
        set_at("cells", 1, "cpu_us", to=lambda old: [10 * one for one in old]),
        "cores were busy, and the machine has 2",
    ),
    "CPU, and the answers it was spent on": (
        set_at("cells", 1, "in_window", to=[1] * 27),
        "only an open load has other answers in its window",
    ),
    "CPU of other answers, which are not there": (
        hidden_answers,
        "in_window: it has not the sweeps that have values",
    ),
    "a window": (set_at("cells", 0, "window_s", to=0), "a window has no length"),
    "a duration": (set_at("lasted_s", to=2.0), "the windows alone take"),
    "an estimate": (set_at("cells", 0, "throughput_rps", 0, to=9999.0), "the rounds do not give 9999"),
    "a percentile": (
        set_at("cells", 0, "latency_ms", "p99", to=lambda old: old * 1.5),
        "p99|higher percentile",
    ),
    "a mean": (set_at("cells", 0, "latency_ms", "mean", to=lambda old: old / 2), "throughput × mean latency"),
    "a histogram": (set_at("cells", 0, "latencies", "counts", 0, to=lambda old: old + 1), "requests"),
    "failures, hidden": (failed_secretly, "answers were wrong, and it has a ratio"),
    "checks": (set_at("contenders", 0, "checks", to="failed"), "its checks are: failed"),
    "checks without a number": (set_at("contenders", 0, "checks_passed", to=0), "its checks are: passed"),
    "voids": (set_at("void_slices", to=3), "void_slices, slices: 3"),
    "a run that is mostly void": (
        set_at("cells", 0, "voids", to={"others used the cores": 90}),
        "and it claims to be valid",
    ),
    "the plan": (other_plan, "not the hash of the plan's content"),
    "the plan and its hash": (other_plan_with_its_hash, "not the one recorded before the first slice"),
    "claims": (claims_from_afterwards, "not those recorded before the first slice"),
    "a scenario of no plan": (no_plan, "is not in the plan"),
    "the future": (set_at("started_at", to="2031-01-01T00:00:00+00:00"), "in the future"),
    "long ago": (set_at("started_at", to="1999-01-01T00:00:00+00:00"), "before there was such a file"),
    "before its commit": (set_at("project", "committed_at", to="2026-12-01T00:00:00Z"), "before its commit"),
    "no time": (set_at("started_at", to="2026-11-23T04:43:00"), "no time with a zone"),
    "a path": (
        set_at("caveats", to=["see /home/ada/shop/log.txt"]),
        "an absolute path: '/home/ada/shop/log.txt'",
    ),
    "a host": (set_at("caveats", to=["on build7.corp"]), "a host: 'build7.corp'"),
    "an address": (set_at("caveats", to=["on 10.0.0.7"]), "a network address"),
    "a mail address": (set_at("caveats", to=["by ada@shop.example.org"]), "a mail address"),
    "a script as a name": (set_at("contenders", 0, "name", to="<script>alert(1)</script>"), "no plain text"),
    "a hidden name": (set_at("contenders", 0, "name", to="fla\u202esk"), "no plain text"),
    "a name of no words": (set_at("contenders", 0, "server", to="$(reboot)"), "no plain name"),
    "two of a name": (set_at("contenders", 1, "name", to="flask"), "contenders: flask is there twice"),
    "an index of nothing": (set_at("cells", 0, "contender", to=99), "there is no number 99"),
    "a column of another length": (set_at("cells", 0, "right", to=[1, 2]), "2 values for 27 sweeps"),
    "an unknown key": (lambda content: content.update(score=1), "score: unknown key"),
    "a text for a number": (set_at("cells", 0, "requests", to="many"), "cells.0.requests"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_a_submission_that_was_changed_is_refused_with_the_reason(what):
    change, reason = TAMPERINGS[what]
    found = "\n".join(reasons(changed(change)))
    assert any(words in found for words in reason.split("|")), found
    assert "the content makes it" not in found


def test_what_is_changed_without_a_new_id_is_noticed():
    content = content_of()
    content["cells"][0]["memory_bytes"] += 1
    assert [*reasons(content)] == [
        f"id: the content makes it {resealed(content)['id']}, not {content['id']}: "
        "something was changed afterwards"
    ]


@pytest.mark.parametrize(
    "run",
    [
        run_of(),
        run_of(rounds=12),
        run_of(rounds=3),
        run_of(sweeps=1),
        run_of(scenarios=("hello", "users")),
        run_of(connections=8),
        run_of(seed=7),
        run_of(noise=0.2),
        run_of(speeds={"flask": 4_300.0, "django": 2_100.0}),
        run_of("aarch64, Other CPU, 4 cores, 16 GiB"),
        replace(run_of(), ended="interrupted"),
        with_records(run_of(), lambda one: failing(one) if of(one) == "django" else one),
        with_records(run_of(), lambda one: failing_some(one, 40) if of(one) == "flask" else one),
        with_records(
            run_of(),
            lambda one: replace(one, void="steal") if one.slice.sweep == 2 and of(one) == "flask" else one,
        ),
        run_of(loads=(rate(0.5), rate(0.9))),
        replace(run_of(), contenders=tuple(replace(one, folder="") for one in run_of().contenders)),
        replace(
            run_of(),
            plan=replace(run_of().plan, claims=(Claim(says="a", source="b", needs="c"),)),
            fingerprint={**run_of().fingerprint, "plan": {}},
        ),
    ],
    ids=lambda run: f"{run.plan.name}-{run.rounds}-{run.ended}",
)
def test_an_honest_submission_is_taken(run):
    assert reasons(content_of(run)) == ()


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[]", "no submission"),
        (b'{"kind": "webframework-bench submission", "format": NaN}', "no finite number"),
        (b'{"kind": "webframework-bench submission", "format": 1e999}', "no finite number"),
        (b'{"kind": 1, "kind": 2}', "a key is there twice: kind"),
        (b"[" * 100_000, "no JSON"),
        (b"{" + b" " * MOST_BYTES + b"}", "at most 100,000"),
        (gzip.compress(b" " * 30 * MOST_BYTES), "bytes unpacked"),
        (b"\x1f\x8bnothing", "cannot be unpacked"),
    ],
)
def test_what_is_no_submission_is_refused(packed, reason):
    with pytest.raises(Unfit, match=reason):
        checked("it", packed, NOW)


def test_another_format_is_named():
    with pytest.raises(OtherFormat, match="it has format 7, this bench reads 1"):
        checked("it", to_text({**content_of(), "format": 7}).encode(), NOW)


def test_a_file_is_named_as_its_id(tmp_path):
    file = write(tmp_path, content_of())
    read(file, NOW)
    with pytest.raises(Unfit, match=r"call it 2026.*\.json"):
        read(file.rename(tmp_path / "mine.json"), NOW)


def check(*files):
    return CliRunner().invoke(commands, ["site", "--check", *map(str, files)])


def test_check_reports_each_file_in_a_line_and_ends_with_1(tmp_path):
    good = write(tmp_path / "good", content_of(run_of(at="2026-11-01T00:00:00+00:00")))
    early = {"at": "2026-11-02T00:00:00+00:00"}
    bad = write(tmp_path / "bad", changed(set_at("ratios", 0, "verdict", to="equivalent"), run_of(**early)))
    old = write(tmp_path / "old", {**content_of(), "format": 0})
    done = check(good)
    assert (done.exit_code, done.stdout.count("\n")) == (0, 1)
    done = check(good, bad, old, tmp_path / "none.json")
    assert done.exit_code == 1
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        str(bad),
        f"{old} has format 0, this bench reads 1",
        str(tmp_path / "none.json"),
    ]


def test_two_files_of_one_id_are_refused(tmp_path):
    one, other = (write(tmp_path / name, content_of(run_of(at="2026-11-01T00:00:00Z"))) for name in "ab")
    done = check(one, other)
    assert done.exit_code == 1
    assert "has the same id" in done.stderr


def test_check_without_a_file_is_a_usage_error():
    assert check().exit_code == 2


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/home/ada/x", "path"),
        ("C:\\Users\\ada", "path"),
        ("file:///x/y", "path"),
        ("~/shop/run", "path"),
        ("192.168.1.7", "network"),
        ("fe80:0:0:0:1:2:3:4", "network"),
        ("db.internal", "host"),
        ("ip-10-0-0-1", "host"),
        ("ada@example.org", "mail"),
    ],
)
def test_what_reveals_something_is_found_and_hidden(text, kind):
    assert kind in privacy.revealed("caveats", f"it is {text} here")
    assert privacy.hidden(f"it is {text} here") == "it is … here"


@pytest.mark.parametrize(
    "text",
    [
        "GET /users/{id}",
        "http.server",
        "x86_64, Intel(R) Xeon(R) Processor, 2 cores, 24 GiB",
        "flask@a1b2c3d4~aa",
        "Django on gunicorn gthread",
        "127.0.0.1",
        "windows of 120 ms are too short: on 8 connections",
        "2026-11-23T04:43:00+00:00",
        "6.18.44-fc-v669",
        "apps/flask_app",
    ],
)
def test_plain_words_reveal_nothing(text):
    assert privacy.revealed("caveats", text) is None
    assert privacy.hidden(text) == text


def test_versions_may_have_three_dots_and_claims_have_sources():
    assert privacy.revealed("facts.environments.x.packages", "2.9.0.2") is None
    assert privacy.revealed("plan.claims", "https://www.techempower.com/benchmarks") is None


def test_a_submission_is_small():
    assert len(json.dumps(content_of())) < 20_000


@pytest.mark.parametrize(
    "file", sorted((ROOT / "results/gallery").glob("*.json*")), ids=lambda file: file.stem
)
def test_the_gallery_fits(file):
    read(file, NOW)
