from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.model.claim import Choice, Claim, ClaimPlace, Ground, Inquiry
from bench.records import Evidence
from bench.report.answer import answer
from bench.report.audit import audit, section
from bench.report.charts import draw
from bench.report.charts.claimed import latency_chart, rate_chart
from bench.report.charts.sheet import FILE, SCREEN
from bench.report.charts.style import looks_of
from bench.report.markdown import report_text
from tests.report.test_claims import article_run, claiming, printed
from tests.report.test_webpage import page_of
from tests.support.pages import read
from tests.support.synthetic import contender, failing, synthetic_run, with_records

EVIDENCE = (
    Evidence(contender="django-features", topic="async", outcome="yes", shows="It waits."),
    Evidence(contender="flask-features", topic="async", outcome="no", shows="It does not."),
    Evidence(contender="django", topic="learning-curve", outcome="facts", shows="312 lines, which …"),
)
CHOICE = Choice(
    choose="Django",
    when="a site",
    because=(Ground(topic="async", contender="django-features", outcome="yes"),),
)


def looked(run):
    """The run with some evidence, and a choice that it grounds."""
    inquiries = tuple(
        Inquiry(
            topic=topic, asks="?", contenders=tuple(one.contender for one in EVIDENCE if one.topic == topic)
        )
        for topic in ("async", "learning-curve")
    )
    plan = replace(run.plan, inquiries=inquiries, choices=(CHOICE,))
    served = tuple(contender(name) for name in ("django-features", "flask-features"))
    return replace(run, evidence=EVIDENCE, plan=plan, contenders=(*run.contenders, *served))


def tables_of(run):
    """Name of a table → row and column → cell."""
    found = {}
    for table in audit(analyse(run)).tables:
        columns = [column.heading for column in table.columns]
        found[table.caption.partition(".")[0]] = {
            (row[0].text, column): cell
            for row in table.rows
            for column, cell in zip(columns, row, strict=True)
        }
    return found


def test_the_benchmark_table_stands_as_in_the_article_with_what_was_found():
    cells = tables_of(article_run(noise=0))["The article's benchmark table"]
    assert [row for row, column in cells if column == "latency"] == ["FastAPI", "Flask", "Django"]
    assert cells["FastAPI", "requests/s"].line == "claimed: 15,000, here: 10,400 (10,400–10,400)"
    assert cells["FastAPI", "latency"].text == "claimed: 2.1 ms"
    assert cells["FastAPI", "relative to Flask"].line == (
        "claimed: 6 ×; here: 2.42 × (2.42–2.42); not supported"
    )
    assert cells["Flask", "relative to Flask"].line == "1, the reference"


def test_the_feature_table_has_a_finding_or_says_that_a_machine_cannot_tell():
    cells = tables_of(looked(article_run(noise=0)))["The article's feature table"]
    rows = list(dict.fromkeys(row for row, _ in cells))
    assert rows == ["learning curve", "performance", "async", "ORM", "best for"]
    assert cells["async", "Django"].line == "claimed: no; here: yes; not supported"
    assert cells["async", "Flask"].line == "claimed: no; here: no; supported"
    assert cells["ORM", "Flask"].line == ("claimed: no; here: no probe looked at flask for it; cannot tell")
    assert cells["learning curve", "Django"].line == "claimed: they differ; here: 312 lines; cannot tell"
    assert cells["learning curve", "Flask"].line == "claimed: they differ; cannot tell"
    assert cells["performance", "Django"].detail.startswith("here: 0.488 × Flask (")
    assert cells["performance", "Flask"].detail == "here: 1, the reference"
    assert cells["best for", "Django"].detail == "here: a site"
    assert cells["best for", "Flask"].detail == "here: nothing that was found speaks for it"


def test_the_answer_is_how_the_claims_come_out_and_not_who_is_fastest():
    count, ratios = answer(analyse(article_run(noise=0)))
    assert count == "Of 27 claims: 3 supported, 3 not supported, 21 cannot tell."
    assert ratios == (
        "Requests per second relative to Flask: FastAPI 6 × claimed, 2.42 × (2.42–2.42) here, not supported; "
        "Django 0.72 × claimed, 0.488 × (0.488–0.488) here, not supported."
    )


def test_a_run_that_is_not_valid_compares_nothing():
    assert answer(analyse(replace(article_run(), ended="failed"))) == (
        "Of 27 claims: 0 supported, 0 not supported, 27 cannot tell.",
    )


def test_wrong_answers_are_no_finding():
    run = with_records(
        article_run(), lambda record: failing(record) if record.slice.cell.contender == "django" else record
    )
    cells = tables_of(run)["The article's benchmark table"]
    assert cells["Django", "requests/s"].line == "claimed: 1,800, here: –"
    assert cells["Django", "relative to Flask"].verdict == "cannot tell"
    assert {bar.subject: bar.found_rps for bar in audit(analyse(run)).bars}["Django"] is None


@pytest.mark.parametrize(
    "run", [synthetic_run(), claiming(synthetic_run(), Claim(says="a", source="b", needs="c"))]
)
def test_without_a_place_in_a_table_there_is_no_audit(run):
    assert audit(analyse(run)) is None
    assert section(analyse(run)) is None


def test_reports_begin_with_the_tables():
    run = looked(article_run(noise=0))
    page = read(page_of(run)).one("section", id="answer")
    parts = [part for part in page.content if not isinstance(part, str)]
    assert [part.attributes.get("class", part.tag) for part in parts][:5] == [
        "p",
        "p",
        "charts",
        "box",
        "box",
    ]
    assert "✗" not in page.text
    assert [one.text for one in page.all("span", class_="not-supported")] == ["not supported"] * 3
    text = report_text(analyse(run), {})
    assert text.index("| FastAPI | claimed: 15,000, here: 10,400") < text.index("- hello, 32 connections: ")
    assert "claimed: 6 ×" in printed(run, 80)


def test_words_of_a_source_cannot_break_a_page():
    nasty = "<script>alert(1)</script>"
    place = ClaimPlace(table=nasty, row=nasty, column=nasty, cell=nasty)
    html = page_of(claiming(synthetic_run(), Claim(says="a", source="b", needs="c", at=place)))
    assert html.count("<script>") == 1
    assert html.count("&lt;script&gt;alert(1)") >= 4


@pytest.mark.parametrize("sheet", [FILE, SCREEN])
@pytest.mark.parametrize("chart", [rate_chart, latency_chart])
def test_two_bars_stand_for_each_figure_and_no_label_lies_on_another(chart, sheet):
    run = article_run(noise=0)
    figure = chart(audit(analyse(run)), looks_of(one.name for one in run.contenders), sheet)
    figure.canvas.draw()
    assert len(figure.axes[0].patches) == 6
    texts = [text for text in (*figure.texts, *figure.axes[0].texts) if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    for place, box in enumerate(boxes):
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.width, texts[place]
        for other in boxes[:place]:
            assert not box.overlaps(other), texts[place]


def test_its_charts_are_files_too(tmp_path):
    run = article_run(rounds=2)
    draw.write_charts(audit(analyse(run)), looks_of(one.name for one in run.contenders), tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"claims.svg", "claims-latency.svg"}
