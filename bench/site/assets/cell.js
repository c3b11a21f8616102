// A cell: one contender in one scenario under one load, with all that stands behind its numbers.

async function cellView(settings, go) {
  const run = await runOf(firstOf(settings, "run") ?? firstBoard());
  const cell = run.cells.find(
    found =>
      found.name === firstOf(settings, "contender") &&
      found.what.name === firstOf(settings, "scenario") &&
      (!firstOf(settings, "load") || found.how.slug === firstOf(settings, "load")),
  );
  if (!cell) throw new Error("This run has no such cell: its board shows those that it has.");
  const column = columnOf(run, cell);
  const first = firstReference(run);
  const beside = column.cells.filter(other => other !== cell);
  const wanted = firstOf(settings, "ref") ?? first;
  const against =
    beside.find(other => other.name === wanted) ??
    (wanted === cell.name ? null : beside.find(other => other.name === first)) ??
    beside.find(other => !other.who.is_twin) ??
    null;
  const metric = cell.how.metrics[0];
  const found = against ? judged(run, cell, against, metric) : null;
  return {
    title: `${cell.name} in ${cell.what.name}`,
    say:
      against && found.ratio
        ? `${cell.name} relative to ${against.name}: ${bothText(found.ratio)}, ${found.verdict}.`
        : `${cell.name}: no ratio.`,
    content: [
      element(
        "h1",
        {},
        mark(cell.family),
        ` ${cell.name} `,
        element("small", {}, `${cell.what.about || cell.what.name}, ${cell.how.title}`),
      ),
      conditions(run),
      found && element("p", { class: "headline" }, cellSentence(run, cell, against, metric, found)),
      element(
        "div",
        { class: "toolbar" },
        element(
          "div",
          { class: "choices-row" },
          against &&
            select(
              "choose-ref",
              "Relative to",
              beside.map(other => [other.name, other.name]),
              against.name,
              value => go({ ...settings, ref: value }),
            ),
        ),
      ),
      against &&
        firstOf(settings, "ref") &&
        ![against.name, cell.name].includes(firstOf(settings, "ref")) &&
        element(
          "p",
          { class: "warning" },
          element("b", {}, "Not there. "),
          `${firstOf(settings, "ref")} was not measured beside it. Shown is ${against.name}.`,
        ),
      elsewhere(run, cell, against),
      against && roundsSection(run, cell, against, metric, found),
      latencySection(cell, against),
      costSection(run, cell),
      trustSection(run, cell),
      codeSection(run, cell),
      citation(run, cell, against, metric, found),
    ],
  };
}

function cellSentence(run, cell, against, metric, found) {
  const what =
    metric === "throughput_rps" ? "as many requests per second as" : "as much server CPU per request as";
  if (!found.ratio)
    return `No ratio to ${against.name}: ${found.withheld || "no sweep in which both have a value"}.`;
  const verdict = {
    faster: "It is faster.",
    slower: "It is slower.",
    equivalent: "Within the margin they are equivalent.",
    inconclusive: found.blocked ? "The noise floor of this run forbids a verdict." : "That is inconclusive.",
    invalid: "Too few rounds for an interval: no verdict.",
  }[found.verdict];
  return `${cell.who.stack} (${cell.name}) takes ${bothText(found.ratio)} times ${what} ${against.who.stack} (${against.name}). ${verdict}`.replace(
    "takes",
    metric === "throughput_rps" ? "answers" : "takes",
  );
}

function elsewhere(run, cell, against) {
  const place = { contender: cell.name, scenario: cell.what.name, load: cell.how.slug, ref: against?.name };
  return element(
    "ul",
    { class: "links" },
    element("li", {}, link("board", { run: run.submission.id, ref: against?.name }, "Board of this run")),
    element("li", {}, link("machines", place, "The same on other machines")),
    element("li", {}, link("time", { ...place, run: run.submission.id }, "The same over time")),
  );
}

function roundsSection(run, cell, against, metric, found) {
  const rates = mediansByRound(valuesOf(cell, "throughput_rps"), run.submission.sweeps.round);
  const demands = mediansByRound(cell.cpu_us, run.submission.sweeps.round);
  const logs = found.logRatios;
  const numbers = [...new Set([...rates.keys(), ...logs.keys()])].sort((a, b) => a - b);
  const ratios = [...logs]
    .map(([number, log]) => ({ x: number, y: Math.exp(log) }))
    .sort((a, b) => a.x - b.x);
  const [low, high] = [
    Math.min(...ratios.map(point => point.y)) * 0.97,
    Math.max(...ratios.map(point => point.y)) * 1.03,
  ];
  return element(
    "section",
    {},
    element(
      "h2",
      {},
      "Rounds ",
      element("small", {}, `${plural(found.pairs, "pair")} of sweeps, ${found.dropped} without a partner`),
    ),
    element(
      "div",
      { class: "beside" },
      ratios.length > 0 &&
        dots({
          points: ratios,
          family: cell.family,
          ys: [low, high],
          one: 1,
          yName: `ratio to ${against.name}, a point for each round`,
          yTicks: evenTicks(low, high, 5)
            .map(tick => [tick, String(tick)])
            .filter(([tick]) => tick !== 1)
            .concat(low < 1 && high > 1 ? [[1, "1"]] : []),
          xTicks: ratios.map(point => [point.x, String(point.x)]),
          words: `Ratio of each round: ${ratios.map(point => ratioText(point.y)).join(", ")}`,
        }),
      table({
        style: "compact",
        caption: "Round by round: medians over sweeps",
        heads: [
          head("round", "number"),
          head("req/s", "number"),
          head(`ratio to ${against.name}`, "number"),
          head("server CPU µs/req", "number"),
        ],
        rows: numbers.map(number =>
          element(
            "tr",
            {},
            element("th", { scope: "row", class: "number" }, String(number)),
            data(figure(rates.get(number)), "number"),
            data(logs.has(number) ? ratioText(Math.exp(logs.get(number))) : NOTHING, "number"),
            data(figure(demands.get(number)), "number"),
          ),
        ),
      }),
    ),
  );
}

function costSection(run, cell) {
  const counted = cell.counted ?? {};
  const perRequest = (found, unit) => (found ? `${bothText(figuresOf(found), figure)} ${unit}` : null);
  return element(
    "section",
    {},
    element("h2", {}, "What it costs"),
    facts("Per request, with intervals over rounds", [
      [
        "Requests per second",
        cell.throughput_rps &&
          `${cell.client_limit ? "≥ " : ""}${bothText(figuresOf(cell.throughput_rps), figure)}`,
      ],
      ["Server CPU", perRequest(cell.service_demand_us, "µs")],
      ["Database CPU", perRequest(cell.database_us, "µs")],
      ["Load generator's CPU", perRequest(cell.client_us, "µs")],
      ["Memory, most", cell.memory_bytes && mebibytes(cell.memory_bytes)],
      [
        "SQL statements",
        counted.statements === undefined
          ? "not counted"
          : `${figure(counted.statements)}, by ${counted.statements_by ?? "unknown"}`,
      ],
      [
        "Instructions",
        counted.instructions === undefined
          ? "not counted"
          : `${millions(counted.instructions)}, ${millions(counted.with_collections)} with garbage collections (${counted.instructions_by})`,
      ],
      ["Bytes of an answer", cell.response_bytes && figure(cell.response_bytes)],
      ["Workers and threads", `${cell.who.workers} × ${cell.who.threads}`],
    ]),
  );
}

function trustSection(run, cell) {
  const caveats = (cell.caveats ?? []).map(number => run.submission.caveats[number]);
  const counts = kinds =>
    Object.entries(kinds ?? {})
      .map(([kind, count]) => `${kind} × ${count.toLocaleString("en-US")}`)
      .join("; ");
  return element(
    "section",
    {},
    element("h2", {}, "How far to trust it"),
    facts("Checks, limits and doubts", [
      [
        "Checks",
        cell.who.checks === "passed"
          ? `✓ ${plural(cell.who.checks_passed, "check")} passed`
          : `✗ ${cell.who.checks}`,
      ],
      [
        "Verified answers",
        `${cell.requests.toLocaleString("en-US")} of ${cell.answers.toLocaleString("en-US")}`,
      ],
      ["Failures", counts(cell.failures) || "none"],
      ["Void slices", counts(cell.voids) || "none"],
      ["Rounds and slices", `${cell.rounds} and ${cell.slices}`],
      ["Limited by", cell.bound_by],
      ["Ceiling of the load generator", cell.ceiling_rps && `${figure(cell.ceiling_rps)} req/s`],
      ["Steadiness", cell.steadiness],
      ["Withheld", cell.withheld],
      ["Client limit", cell.client_limit],
      ["Too coarse", cell.coarse],
    ]),
    caveats.length > 0 &&
      element(
        "ul",
        { class: "notes" },
        caveats.map(caveat => element("li", { class: "caveat" }, caveat)),
      ),
  );
}

function codeAddress(run, who) {
  const template = kept.index.code ?? "";
  const { commit } = run.submission.project;
  if (!template || !/^[0-9a-f]{7,64}$/.test(commit ?? "")) return "";
  return template
    .replace("{commit}", commit)
    .replace("{folder}", (who.folder ?? "").split("/").map(encodeURIComponent).join("/"));
}

function codeSection(run, cell) {
  const { submission } = run;
  const { who } = cell;
  const packages = submission.facts.environments?.[who.environment]?.packages ?? {};
  const at = submission.project.commit
    ? `${who.folder} at commit ${submission.project.commit.slice(0, 12)}`
    : `${who.folder}, commit unknown`;
  return element(
    "section",
    {},
    element("h2", {}, "The code that was measured"),
    facts("Code and versions", [
      ["Code", outward(codeAddress(run, who), at)],
      [
        "Changed since that commit",
        submission.project.dirty
          ? "yes: the working tree had changes"
          : submission.project.dirty === false
            ? "no"
            : "unknown",
      ],
      ["Hash of its files", who.source && element("code", {}, who.source)],
      ["Hash of command and environment", element("code", {}, who.definition)],
      ["Framework", [who.framework, who.framework_version].filter(Boolean).join(" ")],
      ["Server", [who.server, who.server_version].filter(Boolean).join(" ")],
      ["Python", who.python],
      ["Requests", (cell.what.exchanges ?? []).map(exchange => exchange.request).join(", ")],
    ]),
    age(cell),
    Object.keys(packages).length > 0 &&
      element(
        "details",
        {},
        element("summary", {}, `${plural(Object.keys(packages).length, "package")} of its environment`),
        facts("Packages", Object.entries(packages)),
      ),
  );
}

// A line that can be quoted: number, interval, date, conditions.
function citation(run, cell, against, metric, found) {
  if (!found?.ratio) return null;
  const { submission } = run;
  const text = [
    `${cell.name} relative to ${against.name}, ${METRIC_NAMES[metric]}, ${cell.what.about || cell.what.name}, ${cell.how.title}: ${bothText(found.ratio)}`,
    found.ratio.level && `${(found.ratio.level * 100).toFixed(1)} % interval over ${found.rounds} rounds`,
    dayOf(submission.started_at),
    submission.facts.machine?.class,
    cell.who.python && `Python ${cell.who.python}`,
    `run ${submission.id}`,
  ]
    .filter(Boolean)
    .join("; ");
  return element(
    "section",
    {},
    element("h2", {}, "To quote it"),
    element("p", {}, element("code", { class: "cite" }, `${text}.`)),
  );
}
