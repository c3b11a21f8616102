"""More workers: what they bring, whether there was a core for each, and whether they shared the work."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis import analyse
from bench.project import contenders, plans
from bench.report.by_workers import by_workers
from bench.report.charts.lines import scaling_lines
from bench.report.charts.style import looks_of
from bench.report.markdown import report_text
from bench.report.panels import panels
from bench.report.summary import summary
from bench.report.webpage import report_html
from tests.support.pages import read
from tests.support.synthetic import synthetic_run, with_records

ROOT = Path(__file__).parents[2]
SPEEDS = {
    "flask": 4_000.0,
    "flask:workers=2": 7_600.0,
    "flask:workers=4": 12_000.0,
    "fastapi": 10_000.0,
    "flask~aa": 4_000.0,
}
MASTER_S = 0.0001


def workers_of(name):
    return int(name.partition("workers=")[2] or 1)


def scaled(shares=(1, 1, 1, 1), *, cores=4, **changes):
    """Return a run on so many server cores whose workers use CPU in these shares, beside an idle master."""
    run = synthetic_run(SPEEDS, connections=64, **{"rounds": 9, "noise": 0.01, **changes})
    fingerprint = dict(run.fingerprint)
    fingerprint["placement"] = {**fingerprint["placement"], "server": list(range(cores))}
    served = tuple(replace(one, workers=workers_of(one.name)) for one in run.contenders)

    def shared(record):
        working = shares[: workers_of(record.slice.cell.contender)]
        used = {str(number): record.usage.elapsed_s * share for number, share in enumerate(working, 10)}
        return replace(record, usage=replace(record.usage, by_process_s={"9": MASTER_S, **used}))

    return with_records(replace(run, contenders=served, fingerprint=fingerprint), shared)


def caveats_of(run, contender):
    return next(row.caveats for row in analyse(run).rows if row.cell.contender == contender)


def test_efficiency_is_the_ratio_and_its_interval_over_the_factor_of_workers():
    (found,) = analyse(scaled()).scalings
    assert list(found.contenders) == ["flask"]  # fastapi has one number of workers
    one, two, four = found.contenders["flask"]
    assert [told.workers for told in (one, two, four)] == [1, 2, 4]
    assert (one.ratio.estimate, one.efficiency.estimate) == (1.0, 1.0)
    assert two.efficiency.estimate == pytest.approx(0.95, rel=0.01)
    assert four.efficiency.estimate == pytest.approx(0.75, rel=0.01)
    assert (four.efficiency.low, four.efficiency.high) == (four.ratio.low / 4, four.ratio.high / 4)
    assert four.efficiency.level == four.ratio.level


def test_contenders_that_differ_in_more_than_workers_are_not_one():
    run = scaled()
    changed = [replace(one, env={"MODE": "fast"}) if one.workers > 1 else one for one in run.contenders]
    (found,) = analyse(replace(run, contenders=tuple(changed))).scalings
    assert [one.base_workers for one in found.all] == [2, 2]


def test_a_client_limited_row_has_no_ratio_and_the_reason():
    def busy(record):
        slow = record.slice.cell.contender != "flask:workers=4" or record.slice.role == "ceiling"
        return record if slow else replace(record, sample=replace(record.sample, client_cpu_s=0.6))

    run = with_records(scaled(), busy)
    (found,) = analyse(run).scalings
    *_, four = found.contenders["flask"]
    assert (four.ratio, four.efficiency) == (None, None)
    (told,) = by_workers(analyse(run))
    assert "No ratio for flask:workers=4: flask:workers=4 client-limited." in told.notes


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((1, 1.2, 1.1, 1), None),
        ((1, 1, 1, 2.5), "the busiest used 2.5 × the CPU of the least busy one (median over rounds)"),
        ((0, 1, 1, 1), "one of them did next to nothing"),
    ],
)
def test_workers_that_share_unevenly_are_a_caveat(shares, said):
    told = [caveat for caveat in caveats_of(scaled(shares), "flask:workers=4") if "unevenly" in caveat]
    assert bool(told) == bool(said)
    assert not said or said in told[0]


def test_an_imbalance_without_end_is_none_in_json():
    run = with_records(
        scaled(), lambda one: replace(one, usage=replace(one.usage, by_process_s={"9": 0.0, "10": 1.0}))
    )
    assert "its workers shared unevenly: one of them did next to nothing" in caveats_of(
        run, "flask:workers=2"
    )
    assert {row["worker_imbalance"] for row in summary(run)["rows"]} == {None}


def test_a_run_from_before_processes_were_told_apart_has_no_imbalance():
    run = with_records(scaled(), lambda one: replace(one, usage=replace(one.usage, by_process_s={})))
    assert {row.imbalance for row in analyse(run).rows} == {None}


def test_more_workers_than_cores_are_a_caveat_and_scaling_is_not_claimed():
    run = scaled(cores=1)
    assert "4 workers on 1 core of the servers: they take turns" in caveats_of(run, "flask:workers=4")
    assert not any("take turns" in caveat for caveat in caveats_of(run, "flask"))
    (one,) = by_workers(analyse(run))
    assert next(one.notes).startswith("Scaling cannot be shown here: the servers had 1 core")
    (two,) = by_workers(analyse(scaled(cores=2)))
    assert next(two.notes) == "The servers had 2 cores: more workers than that take turns."
    assert not any("take turns" in note for note in next(iter(by_workers(analyse(scaled())))).notes)


def test_the_plan_has_sixteen_connections_for_each_worker_and_each_framework_beside_itself():
    chosen = plans.read(ROOT, "scaling")
    served = plans.contenders(chosen, contenders.declared(ROOT))
    for block in chosen.blocks:
        most = max(served[name].workers for name in block.contenders)
        assert most == 4
        assert all(load.connections >= 16 * most for load in block.loads)
        for name in block.contenders:
            assert chosen.reference_of(name) == served[name].base


@pytest.mark.parametrize(("cores", "verdict"), [(1, "cannot tell"), (2, "cannot tell"), (4, "supported")])
def test_of_the_articles_advice_nothing_is_told_on_fewer_cores_than_workers(cores, verdict):
    claim, *_ = plans.read(ROOT, "scaling").claims
    run = scaled(cores=cores)
    (found,) = analyse(replace(run, plan=replace(run.plan, claims=(claim,)))).findings
    assert (found.verdict, "4 workers need as many cores" in found.reason) == (verdict, cores < 4)


def test_every_form_of_the_report_has_it():
    analysis = analyse(scaled())
    text = report_text(analysis, {})
    assert "## What more workers bring" in text
    assert "| contender | workers | req/s | × 1 worker | efficiency | busiest / least busy |" in text
    page = read(report_html(analysis, {}, looks_of(SPEEDS)))
    assert "What more workers bring" in page.text
    told = {one["contender"]: one for one in summary(analysis.run)["scaling"]}
    assert (told["flask:workers=4"]["workers"], told["flask:workers=4"]["reference"]) == (4, "flask")
    assert told["flask:workers=4"]["efficiency"]["estimate"] == pytest.approx(0.75, rel=0.01)


def test_a_run_without_it_says_nothing_of_it():
    analysis = analyse(synthetic_run())
    assert by_workers(analysis) == ()
    assert "What more workers bring" not in report_text(analysis, {})
    assert "What more workers bring" not in read(report_html(analysis, {}, looks_of(SPEEDS))).text


def test_the_chart_has_equal_slopes_for_equal_gains_and_dots_where_efficiency_is_one():
    analysis = analyse(scaled(noise=0))
    (workers,) = by_workers(analysis)
    axes = scaling_lines(workers, looks_of(SPEEDS)).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    drawn = [list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axes.lines]
    (first, rate), (last, most) = next(points for points in drawn if len(points) == 2)
    assert (first, last, most / rate) == (1, 4, pytest.approx(4))
    assert workers.title not in {panel.title for panel in panels(analysis)}
