"""Counts of instructions that a repository keeps: what moved since, and what cannot be compared."""

import json
from dataclasses import replace

import pytest

from bench.cli.count import wrote
from bench.compare import kept_counts
from bench.compare.counts_report import document, lines
from bench.errors import UsageError
from bench.records import Instructions
from bench.run.statement_counts import OF_USERS
from tests.compare.test_instructions import counted
from tests.support.servers import HELLO_SCENARIO

BUILT = "GCC 12.2.0, -O3"


def kept(by_seed=(1_000_000, 1_020_000), **changes):
    facts = {
        "environments": {
            "one-py311-abc": {"python": "3.11.7", "built": BUILT, "packages": {"flask": "3.1.2"}}
        }
    }
    one = counted("one", by_seed, environment="one-py311-abc", path_length=20)
    of = kept_counts.of([one], facts, {"hello": HELLO_SCENARIO})
    return replace(of, found=tuple(replace(one, **changes) for one in of.found))


def within(environment, of=None):
    """Return kept counts of an environment with other facts."""
    of = of or kept()
    made = {name: replace(one, **environment) for name, one in of.environments.items()}
    return replace(of, environments=made)


def moves(before, now, margin=0.005):
    return [*kept_counts.moves(before, now, margin)]


def test_what_is_kept_comes_back_as_it_was(tmp_path):
    kept_counts.write(tmp_path / "counts.json", kept())
    assert kept_counts.read(tmp_path / "counts.json") == kept()
    (one,) = kept().found
    assert kept().environment_of(one).python == "3.11.7"
    assert kept().packages(one) == {"flask": "3.1.2"}
    assert one.by_seed == {0: 1_000_000, 1: 1_020_000}


@pytest.mark.parametrize(
    ("now", "moved", "says"),
    [
        ((1_004_000, 1_024_000), False, "1 of 1 as they were, within 0.5 %."),
        ((1_010_000, 1_030_000), True, "one, hello: 0.99 % more instructions"),
        ((990_000, 1_009_000), True, "one, hello: 1.04 % fewer instructions"),
    ],
)
def test_what_moved_by_more_than_the_margin_is_named(now, moved, says):
    (move,) = found = moves(kept(), kept(now))
    assert move.moved == moved
    assert says in "\n".join(lines(found))
    assert document([], found)["moves"][0]["moved"] == moved


def test_seeds_on_two_sides_of_the_margin_are_no_silent_pass():
    (move,) = found = moves(kept(), kept((1_000_000, 1_040_000)))
    assert (move.moved, move.doubtful) == (False, True)
    assert list(lines(found)) == [
        "! one, hello: not compared: +0.00 % and +1.96 % by hash seed: on both sides of the margin",
        "0 of 1 as they were.",
    ]


def test_checkouts_whose_paths_are_not_equally_long_have_a_wider_margin():
    elsewhere = kept((1_015_000, 1_035_000), path_length=21)
    (move,) = found = moves(kept(), elsewhere)
    assert not move.moved
    assert list(lines(found)) == ["1 of 1 as they were, within 2 %."]
    assert moves(kept(), kept((1_025_000, 1_046_000), path_length=21))[0].moved
    unknown = kept(path_length=0), kept((1_015_000, 1_035_000), path_length=0)
    assert not moves(*unknown)[0].moved


def test_other_versions_stand_beside_what_moved():
    newer = within({"packages": {"flask": "3.1.3", "jinja2": "3.1.6"}}, kept((1_100_000, 1_120_000)))
    (line, _) = lines(moves(kept(), newer))
    assert line.endswith("(flask 3.1.2 → 3.1.3, jinja2 none → 3.1.6)")
    before, newer = (
        replace(kept(), libc="glibc 2.36"),
        replace(kept((1_100_000, 1_120_000)), libc="glibc 2.41"),
    )
    (line, _) = lines(moves(before, newer))
    assert line.endswith("(glibc 2.36 → glibc 2.41)")
    (line, _) = lines(moves(replace(before, libc=""), newer))
    assert line.endswith("more instructions")  # a run does not know its own


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (replace(kept(), architecture="riscv64"), "kept on x86_64, now riscv64"),
        (
            replace(kept(), counter="callgrind 3.24.0"),
            "kept counted by callgrind 3.19.0, now callgrind 3.24.0",
        ),
        (within({"python": "3.13.1"}), "kept by Python 3.11.7, now 3.13.1: write the file anew with --keep"),
        (
            within({"built": "GCC 14.2.0, -O3"}),
            "kept by a Python that was built otherwise: GCC 12.2.0, -O3; now GCC 14.2.0, -O3",
        ),
        (
            replace(kept(), found=(replace(*kept().found, by_seed={2: 1_000}),)),
            "it was counted with other hash seeds: write the file anew with --keep",
        ),
        (kept(spread=0.008), "it does not hold still: 0.8 % between windows"),
        (kept(requests="0"), "scenario hello is not what it was: write the file anew with --keep"),
    ],
)
def test_what_cannot_be_compared_has_a_reason_and_no_number(now, why):
    before = replace(kept(), architecture="x86_64")
    if now.architecture != "riscv64":
        now = replace(now, architecture="x86_64")
    (move,) = moves(before, now)
    assert (move.ratio, move.moved, move.why) == (None, False, why)


def test_what_is_counted_and_not_kept_is_no_silent_pass():
    (move,) = kept_counts.not_kept(kept(), both())
    assert (move.contender, move.why) == ("two", "it is not in the file: write the file anew with --keep")
    assert not [*kept_counts.not_kept(kept(), kept())]


def both():
    return replace(kept(), found=(*kept().found, replace(*kept().found, contender="two")))


def test_what_is_kept_and_not_counted_is_no_silent_pass():
    failed = Instructions(contender="one", scenario="hello", why="it does not start")
    for whole in (True, False):
        (move,) = kept_counts.lost(kept(), [failed], whole=whole)
        assert (move.moved, move.why) == (False, "it does not start")
    (move,) = kept_counts.lost(kept(), [], whole=True)
    assert move.why.startswith("there is no such contender, or scenario of it, any more: ")
    assert not [*kept_counts.lost(kept(), [], whole=False)]
    assert not [*kept_counts.lost(kept(), [counted("one", (1_000,))], whole=True)]


def test_a_count_is_added_to_a_file_in_its_place():
    now = kept((2, 2), contender="two")
    added = kept_counts.added(both(), now)
    assert [(one.contender, one.by_seed[0]) for one in added.found] == [("one", 1_000_000), ("two", 2)]
    with pytest.raises(UsageError, match=r"kept counted by .*, now callgrind 3\.24\.0: write the file anew"):
        kept_counts.added(both(), replace(now, counter="callgrind 3.24.0"))


def test_environments_of_nothing_that_is_kept_are_left_out():
    (one,) = kept().found
    elsewhere = replace(one, environment="one-py311-def")
    known = {"one-py311-def": kept_counts.KeptEnvironment(python="3.11.7")}
    now = replace(kept(), environments=known, found=(elsewhere,))
    assert kept_counts.added(kept(), now).environments == known


def test_counts_that_stay_in_a_file_keep_their_environment():
    other = within({"built": "Clang 18"}, kept((2, 2), contender="two"))
    with pytest.raises(UsageError, match="one-py311-abc is another environment now: write the file anew"):
        kept_counts.added(both(), other)
    assert kept_counts.added(kept(), within({"built": "Clang 18"})).environments != kept().environments


def test_a_file_without_an_environment_of_its_counts_is_damaged(tmp_path):
    kept_counts.write(tmp_path / "counts.json", replace(kept(), environments={}))
    with pytest.raises(UsageError, match="has counts of one-py311-abc and no such environment: write"):
        kept_counts.read(tmp_path / "counts.json")


def test_what_cannot_be_kept_is_named_and_the_rest_is_written(tmp_path):
    def of(found):
        names = {one.contender for one in found}
        return replace(both(), found=tuple(one for one in both().found if one.contender in names))

    file = tmp_path / "counts.json"
    unsteady = counted("one", (1_000_000,), spread=0.02)
    users = Instructions(contender="users", scenario="hello", why=OF_USERS)
    gaps = wrote(file, None, of, [unsteady, counted("two", (1_000_000,)), users])
    assert gaps == ["one, hello: it does not hold still: 2.0 % between windows"]
    assert [one.contender for one in kept_counts.read(file).found] == ["two"]
    before = file.read_bytes()
    assert len(wrote(file, None, of, [unsteady])) == 1
    assert file.read_bytes() == before


def test_the_file_is_a_diff_that_people_can_read(tmp_path):
    for name, counts in (("before", (1_000_000, 1_020_000)), ("after", (1_000_000, 1_030_000))):
        kept_counts.write(tmp_path / name, kept(counts))
    before, after = ((tmp_path / name).read_text().splitlines() for name in ("before", "after"))
    changed = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
    assert [(was.strip(), now.strip()) for was, now in changed] == [('"1": 1020000', '"1": 1030000')]


def test_a_count_that_does_not_hold_still_is_not_worth_keeping():
    assert not kept_counts.why_not_kept(counted("one", (1_000_000,)))
    why = "it does not hold still: 2.0 % between windows"
    assert kept_counts.why_not_kept(counted("one", (1_000_000,), spread=0.02)) == why
    failed = Instructions(contender="one", scenario="hello", why="it does not start")
    assert kept_counts.why_not_kept(failed) == "it does not start"


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"schema": 1', '{"schema": 2, "method": 1}'])
def test_a_file_that_is_damaged_is_refused(tmp_path, content):
    (tmp_path / "counts.json").write_text(content)
    with pytest.raises(UsageError, match=r"counts\.json.*: write the file anew with --keep"):
        kept_counts.read(tmp_path / "counts.json")


@pytest.mark.parametrize(
    "by_seed", [{}, {"0": 0}, {"0": -1_000}, {"0": 1_000, "1": float("nan")}, {"0": float("inf")}]
)
def test_a_file_whose_counts_are_none_is_refused(tmp_path, by_seed):
    kept_counts.write(tmp_path / "counts.json", kept())
    document = json.loads((tmp_path / "counts.json").read_text())
    document["found"][0]["by_seed"] = by_seed
    (tmp_path / "counts.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"counts\.json is damaged .*found"):
        kept_counts.read(tmp_path / "counts.json")


def test_a_file_of_another_version_or_without_counts_is_refused(tmp_path):
    kept_counts.write(tmp_path / "counts.json", replace(kept(), schema=0))
    with pytest.raises(UsageError, match="another version of bench: write the file anew with --keep"):
        kept_counts.read(tmp_path / "counts.json")
    kept_counts.write(tmp_path / "counts.json", replace(kept(), found=()))
    with pytest.raises(UsageError, match="holds no counts: write the file anew with --keep"):
        kept_counts.read(tmp_path / "counts.json")
