import json
import os
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench.analysis import analyse
from bench.files import to_json
from bench.model.claim import Claim, ClaimedRatio
from bench.project import plans
from bench.report.claims import audited, judged_table, notes
from bench.report.markdown import report_text
from bench.report.report_files import write_report
from bench.report.summary import summary
from bench.report.terminal import print_run
from bench.run import store
from tests.support.synthetic import synthetic_run, with_records

EXPECTED = Path(__file__).parents[1] / "expected" / "claims.md"
ARTICLE = plans.read(Path(__file__).parents[2], "article").claims
SPEEDS = {
    "django": 2_100.0,
    "flask": 4_300.0,
    "fastapi": 10_400.0,
    "django:workers=4": 2_200.0,
    "flask:workers=4": 4_500.0,
    "flask~aa": 4_300.0,
}


def article_run(speeds=SPEEDS, **changes):
    """A run of the article's plan on a machine with one core for servers."""
    run = synthetic_run(speeds, **changes)
    return replace(
        run,
        plan=replace(run.plan, claims=ARTICLE),
        contenders=tuple(replace(one, workers=4 if one.name.endswith("=4") else 1) for one in run.contenders),
    )


def claiming(run, *claims):
    return replace(run, plan=replace(run.plan, claims=claims))


def section_of(run):
    text = report_text(analyse(run), {})
    return text[text.index("## Claims") : text.index("## Held against the checks") - 1]


def verdicts_of(run):
    return {one.claim.says: one.verdict for one in audited(analyse(run))}


def printed(run, width=100):
    console = Console(file=StringIO(), width=width)
    print_run(run, console)
    return console.file.getvalue()


def test_the_section_of_a_fixed_run_of_the_article_is_as_expected():
    text = section_of(article_run())
    if os.environ.get("UPDATE_GOLDEN"):
        EXPECTED.write_text(text, encoding="utf-8")
    assert text == EXPECTED.read_text(encoding="utf-8")


def test_the_table_of_the_article_stands_line_by_line_with_ratio_and_verdict():
    table = judged_table(audited(analyse(article_run())))
    headings = [column.heading for column in table.columns]
    told = [dict(zip(headings, row, strict=True)) for row in table.rows]
    by_claim = {line["claim"].text: {heading: cell.line for heading, cell in line.items()} for line in told}
    fastapi = by_claim["FastAPI, hello world"]
    assert fastapi["claimed"] == "15,000 req/s, 2.1 ms"
    assert "in flight" in fastapi["measured here"]
    assert (fastapi["ratio claimed"], fastapi["verdict"]) == ("6 × flask", "not supported")
    assert fastapi["why"].endswith("lies below 4.8, the least that the claim allows.")
    assert by_claim["Flask, hello world"]["verdict"] == "cannot tell"
    assert by_claim["gunicorn -w 4 makes Flask faster"]["why"] == (
        "4 workers need as many cores, and the servers had 1 core: a machine of 6 cores can tell."
    )


def test_a_machine_that_is_as_the_article_says_supports_it():
    speeds = {"django": 1_800, "flask": 2_500, "fastapi": 15_000, "flask~aa": 2_500}
    verdicts = verdicts_of(article_run(speeds))
    assert [says for says, verdict in verdicts.items() if verdict == "supported"] == [
        "FastAPI, hello world",
        "Django, hello world",
        "FastAPI serves 8.3 times as much as Django",
        "FastAPI is faster than Flask",
        "FastAPI is faster than Django",
        "Flask is faster than Django",
    ]
    assert "not supported" not in verdicts.values()


def test_a_plan_without_claims_has_no_section():
    run = synthetic_run()
    assert "## Claims" not in report_text(analyse(run), {})
    assert "claim" not in printed(run)
    assert summary(run)["claims"] == []


def test_an_interval_across_an_edge_names_it():
    said = ClaimedRatio(
        contender="fastapi", reference="flask", scenario="hello", connections=32, about=3.0, within=0.25
    )
    run = claiming(synthetic_run(noise=0.05), Claim(says="thrice", source="a leaflet", ratio=said))
    (one,) = audited(analyse(run))
    assert one.verdict == "cannot tell"
    assert one.why.endswith("reaches across 2.4: more rounds would narrow it.")


def test_one_round_cannot_tell_and_still_shows_what_was_measured():
    run = article_run(rounds=1)
    assert set(verdicts_of(run).values()) == {"cannot tell"}
    (fastapi, *_) = audited(analyse(run))
    assert f"| 6 × flask | {fastapi.ratio_measured.line} | cannot tell |" in section_of(run)
    assert 2.3 < float(fastapi.ratio_measured.text) < 2.6
    assert "No interval: 1 round, 6 are needed." in section_of(run)
    told = summary(run)["claims"][0]
    assert told["measured"]["ratio"]["low"] is None


def test_a_partial_run_says_who_was_not_measured():
    run = with_records(
        article_run(), lambda record: None if record.slice.cell.contender == "django" else record
    )
    text = section_of(replace(run, ended="interrupted"))
    assert "| Django, hello world | the source article, benchmark table | 1,800 req/s, 18.7 ms | – |" in text
    assert "| Not measured: django. |" in text
    empty = replace(article_run(), records=())
    assert set(verdicts_of(empty).values()) == {"cannot tell"}
    assert "The run is not valid." in section_of(empty)


def test_the_terminal_has_a_line_for_every_claim():
    text = printed(article_run(), width=200)
    assert "Of 27 claims: 3 supported, 3 not supported, 21 cannot tell.\nnot supported: FastAPI" in text
    assert "\ncannot tell: Indexes make things fast\n" in text
    after = text[text.index("Of 27 claims") :].splitlines()[1:28]
    assert [line.partition(": ")[2].partition(":")[0] for line in after] == [one.says for one in ARTICLE]


def test_summary_has_every_claim_with_null_where_nothing_is_known():
    told = summary(article_run())["claims"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert [one["says"] for one in told] == [claim.says for claim in ARTICLE]
    fastapi, flask, *_, profile = told
    assert fastapi["figure"]["throughput_rps"] == 15_000
    assert (fastapi["ratio"]["about"], fastapi["ratio"]["reference"]) == (6.0, "flask")
    assert (fastapi["allowed"], fastapi["verdict"]) == ({"low": 4.8, "high": 7.5}, "not supported")
    assert fastapi["measured"]["ratio"]["low"] < fastapi["measured"]["ratio"]["high"] < 4.8
    assert (flask["ratio"], flask["measured"]["ratio"], flask["needs"]) == (None, None, None)
    assert (profile["figure"], profile["ratio"], profile["allowed"]) == (None, None, None)
    assert profile["measured"] == {"throughput_rps": None, "latency_mean_ms": None, "ratio": None}
    assert profile["needs"].startswith("a profile")


def test_a_client_limited_figure_is_a_bound():
    def limited(record):
        busy = {"0": 0.6, "1": record.usage.elapsed_s}
        mine = record.slice.cell.contender == "fastapi"
        return replace(record, usage=replace(record.usage, busy_s=busy)) if mine else record

    text = section_of(with_records(article_run(), limited))
    assert "| 15,000 req/s, 2.1 ms | ≥ 10," in text
    assert "| Only a bound is known: fastapi client-limited. |" in text


def test_words_of_a_claim_cannot_break_the_table():
    said = Claim(says="a | b <script>\nc", source="a | leaflet", needs="d | e")
    text = section_of(claiming(synthetic_run(), said))
    assert "| a \\| b &lt;script> c | a \\| leaflet | It needs d \\| e. |" in text
    assert next(notes(audited(analyse(claiming(synthetic_run(), said))))) == (
        "Of 1 claim: 0 supported, 0 not supported, 1 cannot tell."
    )


def test_a_run_from_before_there_were_claims_still_has_a_report(tmp_path):
    kept = json.loads(to_json(synthetic_run(rounds=1)))
    del kept["plan"]["claims"]
    (tmp_path / "run.json").write_text(json.dumps(kept))
    run = store.load(tmp_path)
    assert run.plan.claims == ()
    assert "## Claims" not in (write_report(run, tmp_path).parent / "report.md").read_text("utf-8")


def test_claims_are_redrawn_from_run_json_alone(tmp_path):
    run = article_run(rounds=6)
    (tmp_path / "run.json").write_bytes(to_json(run))
    kept = store.load(tmp_path)
    assert kept.plan.claims == ARTICLE
    assert section_of(kept) == section_of(run)


@pytest.mark.parametrize("width", [60, 80])
def test_claims_fit_a_narrow_terminal(width):
    assert max(map(len, printed(article_run(), width).splitlines())) <= width
