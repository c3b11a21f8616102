"""The report of a run: two pages, their charts, and files for machines. The run is the only input."""

from pathlib import Path

from bench.analysis import analyse
from bench.files import write_atomically
from bench.records import Run
from bench.report import markdown, webpage
from bench.report.audit import audit
from bench.report.by_workers import by_workers
from bench.report.charts.style import looks_of
from bench.report.cost_tables import cost_picture
from bench.report.forest import forest
from bench.report.panels import panels
from bench.report.series import apart, series_of
from bench.report.summary import write_summary

CHARTS = "charts"


def write_report(run: Run, folder: Path) -> Path:
    """Write the report of *run* into *folder* and return report.html.

    Other files: report.md with charts/, summary.json and trials.csv.
    """
    # Imported here: Matplotlib and pandas take a second, and no other command should wait for them.
    from bench.report.charts import draw
    from bench.report.trials import write_trials

    analysis = analyse(run)
    shown = panels(analysis)
    pictures = (audit(analysis), forest(analysis), cost_picture(analysis))
    charted: tuple[draw.Shown, ...] = (
        *(one for one in pictures if one),
        *apart(shown),
        *series_of(shown),
        *by_workers(analysis),
    )
    looks = looks_of(contender.name for contender in run.timed)
    (folder / CHARTS).mkdir(parents=True, exist_ok=True)
    files = {one.title: draw.write_charts(one, looks, folder / CHARTS) for one in charted}
    drawings = {one.title: draw.drawings(one, looks) for one in charted}
    write_summary(analysis, folder)
    write_trials(run, folder)
    write_atomically(folder / markdown.FILE, markdown.report_text(analysis, files).encode())
    page = folder / webpage.FILE
    write_atomically(page, webpage.report_html(analysis, drawings, looks).encode())
    return page
