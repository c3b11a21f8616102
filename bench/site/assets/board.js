// The board: contenders × scenarios, each cell a ratio with its interval.

// Of the newest runs that pass the conditions, the one with most cells that compare by throughput.
function firstBoard(settings = {}) {
  const { boards, runs } = kept.index;
  const sizes = new Map(boards.map(board => [board.run, board.size]));
  const passing = newestRuns().filter(number => runPasses(number, settings));
  const largest = passing.reduce(
    (found, number) => (found === null || (sizes.get(number) ?? 0) > (sizes.get(found) ?? 0) ? number : found),
    null,
  );
  if (largest !== null) return runs.id[largest];
  return conditionsSet(settings).length ? null : (runs.id[0] ?? null);
}

// The newest valid run of each plan and machine, and of each of its conditions.
function newestRuns() {
  const { runs } = kept.index;
  const found = new Map();
  runs.trend.forEach((trend, number) => {
    const key = `${trend} ${runs.conditions[number]}`;
    if (trend >= 0 && !found.has(key)) found.set(key, number);
  });
  return [...found.values()];
}

function boardRun(settings) {
  const wanted = firstOf(settings, "run");
  return wanted && (numberOf(wanted) < 0 || runPasses(numberOf(wanted), settings)) ? wanted : firstBoard(settings);
}

async function boardView(settings, go) {
  const id = boardRun(settings);
  if (!id) return kept.index.runs.id.length ? nonePasses("Board", settings, go) : nothingHere();
  const run = await runOf(id);
  const reference = firstOf(settings, "ref") ?? firstReference(run);
  const metric = firstOf(settings, "metric") ?? "throughput_rps";
  const shown = run.columns
    .map(column => ({
      ...column,
      kept: column.cells.filter(cell => !cell.who.is_twin && passes(cell, settings)),
    }))
    .filter(column => column.kept.length);
  const columns = shown.map(column => boardColumn(run, column, reference, metricOf(column.load, metric)));
  return {
    title: `Board: ${run.submission.plan.name}`,
    say: announced(columns, reference),
    content: [
      element("h1", {}, run.submission.plan.content.about || `Plan ${run.submission.plan.name}`),
      conditions(run),
      boardHeadline(run, columns, reference, settings),
      boardToolbar(run, settings, reference, metric, go),
      columns.length
        ? boardTable(run, columns, reference, settings, go)
        : element("p", {}, "No cell passes these filters. “All” shows every cell again."),
      columns.length > 0 && legend(run, columns, settings),
    ],
  };
}

function boardColumn(run, column, reference, metric) {
  const against = column.cells.find(cell => cell.name === reference) ?? null;
  const ranks = ranksOf(run, column, column.kept, metric);
  const judgements = new Map(
    column.kept.map(cell => [
      cell.name,
      {
        cell,
        ...(against
          ? judged(run, cell, against, metric)
          : { ratio: null, verdict: "invalid", isOpen: true, withheld: "" }),
      },
    ]),
  );
  return { ...column, metric, against, ranks, judgements };
}

function announced(columns, reference) {
  const all = columns
    .flatMap(column => [...column.judgements.values()])
    .filter(found => found.ratio && found.verdict !== "reference");
  const proven = all.filter(found => !found.isOpen).length;
  return `Ratios are relative to ${reference}. ${proven} of ${plural(all.length, "ratio")} show a proven difference.`;
}

function conditions(run, onward = link("run", { run: run.submission.id }, "all about this run")) {
  const { submission } = run;
  const machine = submission.facts.machine ?? {};
  const number = numberOf(submission.id);
  const pythons = [...new Set(submission.contenders.map(who => who.python).filter(Boolean))].sort(compareVersions);
  const why = unusable(run);
  return [
    element(
      "p",
      { class: "faint" },
      [
        dayOf(submission.started_at),
        machine.class,
        coresUsed(number),
        conditionsOf(number).quota !== "unknown" && `CPU: ${QUOTA(conditionsOf(number).quota)}`,
        pythons.length && `Python ${pythons.join(", ")}`,
        `runtime ${submission.runtime}`,
        submission.project.commit && `commit ${submission.project.commit.slice(0, 8)}`,
      ]
        .filter(Boolean)
        .join(" · "),
      " · ",
      onward,
    ),
    why && element("p", { class: "warning" }, element("b", {}, "In no rank. "), `This run is ${why}.`),
    run.latest &&
      run.latest !== submission.id &&
      numberOf(run.latest) >= 0 &&
      element(
        "p",
        { class: "warning" },
        element("b", {}, "Older. "),
        "A newer run of this plan on this machine: ",
        link("board", { run: run.latest }, listed(numberOf(run.latest)).day),
        ".",
      ),
  ];
}

function coresUsed(number) {
  const { placed } = conditionsOf(number);
  if (placed === "unknown") return null;
  const [count] = placed.split(",");
  return `servers on ${plural(Number(count), "core")}${placed.includes("shared") ? ", shared with the client" : " of them"}`;
}

function nonePasses(title, settings, go) {
  return { title, say: "No run passes.", content: [element("h1", {}, title), ...noRunPasses(settings, go)] };
}

// A run in a list, short enough for a telephone: what differs first.
function runTitle(number) {
  const found = listed(number);
  return [
    minuteAt(found.at).slice(isNarrow() ? 5 : 0),
    found.plan,
    tellingMachine(kept.index.runs.machine[number]),
    found.state === "valid" ? "" : found.state,
  ]
    .filter(Boolean)
    .join(" · ");
}

function runChoices(id, settings) {
  const numbers = newestRuns().filter(number => runPasses(number, settings));
  const current = numberOf(id);
  return (numbers.includes(current) ? numbers : [current, ...numbers]).map(number => [
    kept.index.runs.id[number],
    runTitle(number),
  ]);
}

const contenderNames = run => [
  ...new Set(run.cells.filter(cell => !cell.who.is_twin).map(cell => cell.name)),
];

function boardToolbar(run, settings, reference, metric, go) {
  const metrics = [...new Set(run.submission.loads.flatMap(load => load.metrics))];
  return toolbar(
    [
      referenceChoice(contenderNames(run), reference, settings, go),
      measureChoice(metrics, metric, settings, go),
      select(
        "choose-run",
        "Newest runs: date, plan, machine",
        runChoices(run.submission.id, settings),
        run.submission.id,
        value => go({ ...settings, run: value }),
      ),
    ],
    presetBar(run, settings, go),
    filterForm(run, settings, go),
  );
}

function legend(run, columns, settings) {
  const margins = run.submission.plan.content.margins;
  const metrics = [...new Set(columns.map(column => column.metric))];
  const levels = columns
    .flatMap(column => [...column.judgements.values()])
    .map(found => found.ratio?.level)
    .filter(Boolean);
  return element(
    "ul",
    { class: "notes" },
    element(
      "li",
      {},
      levels.length
        ? `Numbers in small print, and lines, are ${[...new Set(levels.map(levelText))].join(" or ")} intervals, on one logarithmic axis. The vertical line is the reference.${levels.some(level => level > LEVEL) ? " Few rounds do not allow exactly 95 %: the next higher level is shown." : ""}`
        : "There are too few rounds for intervals (6 are needed), so there is no rank and no verdict.",
    ),
    element(
      "li",
      {},
      `Hollow: no proven difference. ? is no verdict. ${metrics.map(name => signsText(name, margins[name])).join(" ")}`,
    ),
    element(
      "li",
      {},
      "Place: 1 + how many of those shown here are proven better. It does not depend on the reference. 2= is a shared place. There is no score over scenarios: none would be right for two readers.",
    ),
    element(
      "li",
      {},
      "Two contenders are only compared within one run. What other machines show is in ",
      link("machines", carried(settings), "Machines"),
      ".",
    ),
  );
}

const signsText = (metric, margin) =>
  `Of ${METRIC_NAMES[metric] ?? metric}: ▲ ${verdictText(metric, "faster")} by more than ${percent(margin)}, ▼ ${verdictText(metric, "slower")} by more than that, △ ▽ perhaps by less, = equivalent within it.`;

function nothingHere() {
  return {
    title: "Nothing here",
    say: "No run",
    content: [
      element("h1", {}, "No run"),
      element(
        "p",
        {},
        "This site was built from no usable run. ",
        "Build it again with: bench site RUN… --out DIR",
      ),
      leftOut(),
    ],
  };
}
