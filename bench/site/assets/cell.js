// A cell: one contender in one scenario under one load, with all that stands behind its numbers.

async function cellView(settings, go) {
  const run = await runOf(boardRun(settings) ?? firstBoard());
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
  const metric = metricOf(cell.how, firstOf(settings, "metric") ?? "throughput_rps");
  const found = against ? judged(run, cell, against, metric) : null;
  return {
    title: `${cell.name} in ${cell.what.name}`,
    say:
      against && found.ratio
        ? `${cell.name} relative to ${against.name}: ${bothText(found.ratio)}, ${verdictOn(found, metric)}.`
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
      toolbar([
        against &&
          referenceChoice(
            beside.map(other => other.name),
            against.name,
            settings,
            go,
          ),
        cell.how.metrics.length > 1 && measureChoice(cell.how.metrics, metric, settings, go),
      ]),
      against &&
        firstOf(settings, "ref") &&
        ![against.name, cell.name].includes(firstOf(settings, "ref")) &&
        notBeside(firstOf(settings, "ref"), against.name),
      elsewhere(run, cell, against, settings),
      against && roundsSection(run, cell, against, metric, found),
      latencySection(cell, against),
      costSection(cell, against),
      trustSection(run, cell),
      codeSection(run, cell),
      citation(run, cell, against, metric, found),
    ],
  };
}

const IS = { throughput_rps: "is ", service_demand_us: "" };

function cellSentence(run, cell, against, metric, found) {
  const what =
    metric === "throughput_rps" ? "as many requests per second as" : "as much server CPU per request as";
  if (!found.ratio)
    return `No ratio to ${against.name}: ${found.withheld || "no sweep in which both have a value"}.`;
  const verdict = {
    faster: `It ${IS[metric]}${verdictText(metric, "faster")}.`,
    slower: `It ${IS[metric]}${verdictText(metric, "slower")}.`,
    equivalent: "Within the margin they are equivalent.",
    inconclusive: found.blocked
      ? "The noise floor of this run forbids a verdict."
      : found.isOpen
        ? "That is inconclusive."
        : `It ${IS[metric]}${verdictOn(found, metric)}.`,
    invalid: "Too few rounds for an interval: no verdict.",
  }[found.verdict];
  return `${cell.who.stack} (${cell.name}) takes ${bothText(found.ratio)} times ${what} ${against.who.stack} (${against.name}). ${verdict}`.replace(
    "takes",
    metric === "throughput_rps" ? "answers" : "takes",
  );
}

function elsewhere(run, cell, against, settings) {
  const place = {
    ...carried(settings),
    run: run.submission.id,
    contender: cell.name,
    scenario: cell.what.name,
    load: cell.how.slug,
    ref: against?.name,
  };
  return element(
    "ul",
    { class: "links" },
    element("li", {}, link("board", place, "Board of this run")),
    element("li", {}, link("machines", place, "The same on other machines")),
    element("li", {}, link("time", place, "The same over time")),
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
          yName: `${METRIC_NAMES[metric]}, ratio to ${against.name}, by round`,
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

// One figure each, without an interval: less memory is not faster, and a difference is not proven.
function memoryText(cell, against) {
  const [own, other] = [cell.memory_bytes, against?.memory_bytes];
  if (!own || !other) return mebibytes(own);
  const words = own === other ? "takes as much as" : own < other ? "takes less memory than" : "takes more memory than";
  return `${mebibytes(own)}: ${words} ${against.name} with ${mebibytes(other)}; single figures, no interval`;
}

function costSection(cell, against) {
  const counted = cell.counted ?? {};
  const collected =
    counted.with_collections === undefined ? "" : `, ${millions(counted.with_collections)} with garbage collections`;
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
      ["Memory, most", cell.memory_bytes && memoryText(cell, against)],
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
          : `${millions(counted.instructions)}${collected} (${counted.instructions_by})`,
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
      ["Paced", cell.paced],
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

function codeAddress(run, folder = "") {
  const template = kept.index.code ?? "";
  const { commit } = run.submission.project;
  if (!template || !/^[0-9a-f]{7,64}$/.test(commit ?? "")) return "";
  return template
    .replace("{commit}", commit)
    .replace("{folder}", folder.split("/").map(encodeURIComponent).join("/"));
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
      ["Code", outward(codeAddress(run, who.folder), at)],
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
    found.ratio.level && `${levelText(found.ratio.level)} interval over ${found.rounds} rounds`,
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
