import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.analysis import analyse
from bench.cli import commands
from bench.errors import UsageError
from bench.report.quoted import BEGIN, END, between_markers, quotation, quote
from bench.run import store
from bench.run.store import Journal
from tests.support.synthetic import synthetic_run

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"


def test_a_quotation_has_the_picture_the_answer_and_a_table_for_each_scenario():
    text = quotation(analyse(synthetic_run(scenarios=("hello", "users-read"))), "results/mine")
    assert "On this machine, one core each, " in text
    assert text.count("| rank | stack | req/s | × flask |") == 2
    picture = "![Throughput relative to Flask on gunicorn gthread (flask)](results/mine/charts/answer.svg)"
    assert text.strip().startswith(picture)
    assert text.count("![") == 1
    assert re.search(r"\| FastAPI on uvicorn \| [\d,]+ \([\d,]+–[\d,]+\) \| 2\.\d+ \(2", text)
    assert "9 rounds, runtime " in text
    assert "[The whole report](results/mine/report.md)" in text


def test_what_stands_between_the_markers_is_replaced_and_nothing_else():
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert between_markers(document, "new\n") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


@pytest.mark.parametrize(
    "document", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}", f"{BEGIN}{END}{END}"]
)
def test_a_document_without_one_pair_of_markers_is_refused(tmp_path, document):
    (tmp_path / "README.md").write_text(document)
    with pytest.raises(UsageError, match=r"README\.md: it needs one line <!-- reference: begin -->"):
        quote(synthetic_run(), tmp_path / "results", tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text() == document


def test_a_run_that_lies_elsewhere_cannot_be_linked(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text(f"{BEGIN}\n{END}\n")
    with pytest.raises(UsageError, match="does not lie beside or below it"):
        quote(synthetic_run(), tmp_path / "results", tmp_path / "docs" / "README.md")


def test_bench_report_quotes_a_run(tmp_path):
    (tmp_path / "mine").mkdir()
    Journal(synthetic_run(), tmp_path / "mine").save()
    (tmp_path / "README.md").write_text(f"# It\n\n{BEGIN}\n{END}\n")
    asked = ["report", str(tmp_path / "mine"), "--quote-in", str(tmp_path / "README.md")]
    done = CliRunner().invoke(commands, asked)
    assert done.exit_code == 0, done.output
    text = (tmp_path / "README.md").read_text()
    assert "| rank | stack |" in text
    for chart in re.findall(r"\]\((mine/[^)]+)\)", text):
        assert (tmp_path / chart).exists()


def test_the_readme_quotes_the_reference_run():
    """`bench report results/reference --quote-in README.md` makes it so."""
    expected = quotation(analyse(store.load(REFERENCE)), "results/reference")
    document = (ROOT / "README.md").read_text()
    assert between_markers(document, expected) == document
    for link in re.findall(r"\]\((results/reference/[^)]+)\)", expected):
        assert (ROOT / link).exists(), link


def test_the_reference_run_is_whole_and_names_no_path():
    run = store.load(REFERENCE)
    assert (run.ended, run.plan.name) == ("complete", "quick")
    assert analyse(run).valid
    assert not run.fingerprint["project"]["dirty"]
    assert {one.root for one in run.contenders} == {""}


def test_a_run_is_kept_without_where_its_apps_lie(tmp_path):
    run = synthetic_run()
    placed = replace(run, contenders=tuple(replace(one, root="/somewhere") for one in run.contenders))
    Journal(placed, tmp_path).save()
    assert "/somewhere" not in (tmp_path / store.FILE).read_text()
