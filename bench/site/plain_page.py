"""The page of a site in its plainest form: the runs as a list, without any picture."""

from collections.abc import Iterable

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Web frameworks measured side by side</title>
<h1>Web frameworks measured side by side</h1>
<p id="about"></p>
<table><thead><tr><th>run<th>plan<th>machine<th>versions</thead><tbody id="runs"></tbody></table>
<script>
window.benchIndex = (index) => {
  document.getElementById("about").textContent = `${index.about.runs} runs. ${index.rule}`;
  const { runs, plans, machines, stacks } = index;
  runs.id.forEach((id, at) => {
    const row = document.getElementById("runs").insertRow();
    const link = document.createElement("a");
    link.href = `runs/${id}.json`;
    link.textContent = id;
    row.insertCell().append(link);
    for (const text of [plans[runs.plan[at]], machines[runs.machine[at]].title, stacks[runs.stack[at]]])
      row.insertCell().textContent = text;
  });
};
</script>
<script src="data/index.js"></script>
</html>
"""


def plain_html(contenders: Iterable[str]) -> str:
    return PAGE
