// The board: contenders × scenarios, each cell a ratio with its interval.

function firstBoard() {
  const { boards, runs } = kept.index;
  const size = board => board.size ?? board.rows?.length ?? 0;
  const largest = boards.reduce(
    (found, board) => (!found || size(board) > size(found) ? board : found),
    null,
  );
  return largest ? runs.id[largest.run] : (runs.id[0] ?? null);
}

async function boardView(settings, go) {
  const id = firstOf(settings, "run") ?? firstBoard();
  if (!id) return nothingHere();
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
      headline(run, columns, reference),
      toolbar(run, settings, reference, metric, go),
      columns.length
        ? boardTable(run, columns, reference, settings, go)
        : element("p", {}, "No cell passes these filters. “All” shows every cell again."),
      legend(run, columns),
    ],
  };
}

function boardColumn(run, column, reference, metric) {
  const against = column.cells.find(cell => cell.name === reference) ?? null;
  const ranks = ranksOf(run, column, column.kept);
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

function conditions(run) {
  const { submission } = run;
  const machine = submission.facts.machine ?? {};
  const why = unusable(run);
  return [
    element(
      "p",
      { class: "faint" },
      [
        dayOf(submission.started_at),
        machine.class,
        submission.facts.placement?.server?.length &&
          `servers on ${plural(submission.facts.placement.server.length, "core")} of them`,
        submission.facts.python && `Python ${submission.facts.python.version}`,
        `runtime ${submission.runtime}`,
        submission.project.commit && `commit ${submission.project.commit.slice(0, 8)}`,
      ]
        .filter(Boolean)
        .join(" · "),
      " · ",
      link("run", { run: submission.id }, "all about this run"),
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

// The first column in a sentence: with its interval, its date and its conditions.
function headline(run, [column], reference) {
  if (!column || column.metric !== "throughput_rps" || !column.against) return null;
  const first = [...column.judgements.values()].filter(({ cell }) => column.ranks.get(cell) === 1);
  if (!first.length) return null;
  const best = first.reduce((found, other) =>
    (other.ratio?.estimate ?? 0) > (found.ratio?.estimate ?? 0) ? other : found,
  );
  const others =
    first.length > 1
      ? ` It shares the first place with ${first
          .filter(other => other !== best)
          .map(({ cell }) => cell.name)
          .join(", ")}.`
      : "";
  const sentence =
    best.cell.name === reference
      ? `nobody is proven faster than ${best.cell.who.stack} (${best.cell.name}), which answers ${bothText(figuresOf(best.cell.throughput_rps), figure)} requests per second.`
      : `${best.cell.who.stack} (${best.cell.name}) answers ${bothText(best.ratio)} times as many requests per second as ${column.against.who.stack} (${reference}).`;
  return element(
    "p",
    { class: "headline" },
    `In ${column.scenario.about || column.scenario.name}, ${sentence}${others}`,
  );
}

function runTitle(number) {
  const found = listed(number);
  return [
    found.plan,
    found.machine?.title ?? found.machine?.class,
    found.day,
    found.state === "valid" ? "" : found.state,
  ]
    .filter(Boolean)
    .join(" · ");
}

function runChoices(id) {
  const numbers = kept.index.boards.map(board => board.run);
  const current = numberOf(id);
  return (numbers.includes(current) ? numbers : [current, ...numbers]).map(number => [
    kept.index.runs.id[number],
    runTitle(number),
  ]);
}

const contenderNames = run => [
  ...new Set(run.cells.filter(cell => !cell.who.is_twin).map(cell => cell.name)),
];

function toolbar(run, settings, reference, metric, go) {
  const names = contenderNames(run);
  const metrics = [...new Set(run.submission.loads.flatMap(load => load.metrics))];
  return element(
    "div",
    { class: "toolbar" },
    element(
      "div",
      { class: "choices-row" },
      select(
        "choose-ref",
        "Relative to",
        (names.includes(reference) ? names : [reference, ...names]).map(name => [name, name]),
        reference,
        value => go({ ...settings, ref: value }),
      ),
      select(
        "choose-metric",
        "Measure",
        metrics.map(name => [name, METRIC_NAMES[name] ?? name]),
        metric,
        value => go({ ...settings, metric: value }),
      ),
      select(
        "choose-run",
        "Run: plan, machine, date",
        runChoices(run.submission.id),
        run.submission.id,
        value => go({ ...settings, run: value }),
      ),
    ),
    presetBar(run, settings, go),
    filterForm(run, settings, go),
  );
}

function legend(run, columns) {
  const margins = run.submission.plan.content.margins;
  const levels = [
    ...new Set(
      columns
        .flatMap(column => [...column.judgements.values()])
        .map(found => found.ratio?.level)
        .filter(Boolean)
        .map(level => (level * 100).toFixed(1)),
    ),
  ];
  return element(
    "ul",
    { class: "notes" },
    element(
      "li",
      {},
      levels.length
        ? `Lines and numbers in small print are ${levels.join(" or ")} % intervals over rounds, on one logarithmic axis. The vertical line is the reference.`
        : "There are too few rounds for intervals (6 are needed), so there is no rank and no verdict.",
    ),
    element(
      "li",
      {},
      `Hollow: no proven difference. ▲ faster, ▼ slower, = equivalent: beyond, or within, a margin of ${Object.entries(
        margins,
      )
        .map(([name, margin]) => `${percent(margin)} (${METRIC_NAMES[name] ?? name})`)
        .join(", ")}. ? inconclusive.`,
    ),
    element(
      "li",
      {},
      "Place: 1 + how many of those shown here are proven faster, by however little. So a place can be better though the sign is ? or =, as signs need the whole margin. 2= is a shared place. It does not depend on the reference. There is no score over scenarios: none would be right for two readers.",
    ),
    element(
      "li",
      {},
      "Two contenders are only compared within one run. What other machines show is in ",
      link("machines", {}, "Machines"),
      ".",
    ),
  );
}

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
