"""The search for a culprit: any history, any culprit, any commits that cannot be measured."""

from hypothesis import given
from hypothesis import strategies as st

from bench.compare.bisection import BisectAnswer, Commit, Upcoming, steps_for, upcoming


def chain(length):
    return [Commit(sha=str(n), parents=(str(n - 1),)) for n in range(length)]


def searched(commits, outcome_of):
    """Return the answer, and how many commits were measured."""
    outcomes = {}
    while isinstance(due := upcoming(commits, outcomes), Upcoming):
        assert due.sha not in outcomes, "a commit is measured once"
        outcomes[due.sha] = outcome_of(due.sha)
    return due, outcomes


def ancestors(commits):
    found = {}
    for one in commits:
        found[one.sha] = {one.sha}.union(*(found.get(parent, set()) for parent in one.parents))
    return found


@given(st.data())
def test_the_culprit_of_a_line_is_found_in_as_many_steps_as_halving_takes(data):
    length = data.draw(st.integers(1, 200))
    culprit = data.draw(st.integers(0, length - 1))
    answer, outcomes = searched(chain(length), lambda sha: "bad" if int(sha) >= culprit else "good")
    assert answer.culprit == str(culprit)
    assert len(outcomes) <= steps_for(length)


@given(st.data())
def test_where_commits_are_skipped_the_culprit_or_the_smallest_range_is_found(data):
    length = data.draw(st.integers(1, 60))
    culprit = data.draw(st.integers(0, length - 1))
    broken = data.draw(st.sets(st.integers(0, length - 2))) if length > 1 else set()

    def outcome(sha):
        return "skip" if int(sha) in broken else "bad" if int(sha) >= culprit else "good"

    answer, _ = searched(chain(length), outcome)
    first = culprit
    while first - 1 in broken:
        first -= 1
    last = culprit
    while last in broken:
        last += 1
    assert answer.suspects == tuple(map(str, range(first, last + 1)))


@given(st.data())
def test_in_a_history_with_merges_one_of_the_culprits_is_found(data):
    length = data.draw(st.integers(1, 40))
    commits = []
    for number in range(length):
        # The last one has all tips as parents, as BAD descends from each commit between.
        reached = {parent for one in commits for parent in one.parents}
        tips = [one.sha for one in commits if one.sha not in reached]
        some = st.lists(st.sampled_from(range(number)), max_size=3, unique=True) if number else st.just([])
        parents = tips if number == length - 1 else list(map(str, data.draw(some)))
        commits.append(Commit(sha=str(number), parents=tuple(parents)))
    above = ancestors(commits)
    culprits = {str(one) for one in data.draw(st.sets(st.integers(0, length - 1), min_size=1))}
    broken = {str(one) for one in data.draw(st.sets(st.integers(0, length - 1)))} - {str(length - 1)}

    def outcome(sha):
        return "skip" if sha in broken else "bad" if above[sha] & culprits else "good"

    answer, outcomes = searched(commits, outcome)
    first = {one for one in culprits if above[one] & culprits == {one}}
    assert first & set(answer.suspects)
    if not broken:
        assert answer.culprit in first
    *others, tip = answer.suspects
    assert all(outcomes.get(one) == "skip" for one in others)
    assert tip == str(length - 1) or outcomes[tip] == "bad"


def test_a_long_stretch_of_broken_commits_is_left_soon():
    def outcome(sha):
        return "skip" if 300 <= int(sha) < 700 else "bad" if int(sha) >= 800 else "good"

    answer, outcomes = searched(chain(1000), outcome)
    assert answer.culprit == "800"
    assert len(outcomes) < 20


def test_nothing_between_leaves_bad_itself():
    assert upcoming(chain(1), {}) == BisectAnswer(suspects=("0",))


def test_what_is_next_says_how_far_it_is():
    due = upcoming(chain(32), {})
    assert isinstance(due, Upcoming)
    assert (due.suspects, due.steps) == (32, 5)
