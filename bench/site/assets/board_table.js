// The table of a board: a row for each contender, a column for each scenario and load.

const VERDICT_SIGNS = {
  faster: "▲",
  slower: "▼",
  equivalent: "=",
  inconclusive: "?",
  invalid: "",
  reference: "",
};
const LEANING_SIGNS = { faster: "△", slower: "▽" };
const signOf = (found, metric) => LEANING_SIGNS[leaningOf(found, metric)] ?? VERDICT_SIGNS[found.verdict];

function boardTable(run, columns, reference, settings, go) {
  const names = ordered(run, columns, settings);
  const reach = reachOf(columns.flatMap(column => [...column.judgements.values()].map(found => found.ratio)));
  const [sortedBy, direction] = sortOf(settings, columns);
  const sortHead = (key, text, detail, falls) => {
    const isSorted = sortedBy === key;
    const next = isSorted && (direction === "descending") === falls ? (falls ? "up" : "down") : "";
    return element(
      "th",
      {
        scope: "col",
        class: key === "name" ? "text" : "text cell-head",
        "aria-sort": isSorted ? direction : null,
      },
      element(
        "button",
        { type: "button", id: `sort-${key}`, click: () => go({ ...settings, sort: key, order: next }) },
        text,
      ),
      detail && element("small", {}, detail),
    );
  };
  const heads = [
    sortHead("name", "contender", "", false),
    columns.map(column =>
      sortHead(
        column.key,
        column.scenario.about || column.scenario.name,
        loadText(column),
        column.metric === "throughput_rps",
      ),
    ),
  ];
  const rows = names.map(name => {
    const cells = columns.map(column => column.judgements.get(name));
    const { cell } = cells.find(Boolean);
    return element(
      "tr",
      { class: name === reference ? "reference" : null },
      rowHead(
        mark(cell.family),
        link("time", { ...carried(settings), run: run.submission.id, contender: name }, element("b", {}, name)), element("small", {}, cell.who.stack),
        age(cell),
      ),
      columns.map((column, at) => boardCell(run, column, cells[at], reference, reach, settings)),
    );
  });
  return table({
    caption: `${METRIC_NAMES[columns[0].metric]} relative to ${reference}: ratio, interval, place`,
    heads,
    rows,
    style: "board",
    label: "Board",
  });
}

const loadText = column =>
  column.metric === "service_demand_us" ? `${column.load.title}, CPU: less costs less` : column.load.title;

function age(cell) {
  if (!cell.newer.length) return null;
  return element(
    "small",
    { class: "older" },
    cell.newer.map(([what, here, there]) => `older: ${what} ${here}, ${there} was seen`).join("; "),
  );
}

function boardCell(run, column, found, reference, reach, settings) {
  if (!found) return data("", "absent");
  const { cell, ratio, verdict, isOpen } = found;
  const rank = rankText(column.ranks.get(cell), column.ranks);
  const place = {
    ...carried(settings),
    run: run.submission.id,
    contender: cell.name,
    scenario: column.scenario.name,
    load: column.load.slug,
    ref: reference,
  };
  const isChosen = ["contender", "scenario", "load"].every(name => firstOf(settings, name) === place[name]);
  const isReference = verdict === "reference";
  const text = isReference && ratio ? "1" : ratio ? ratioText(ratio.estimate) : reasonText(run, cell, column);
  const level = intervalText(ratio);
  return element(
    "td",
    {
      class: `cell ${isReference ? "" : ratio ? verdict : "none"} ${isOpen ? "open" : ""} ${isChosen ? "chosen" : ""}`,
    },
    element("span", { class: "rank" }, rank, rank && unseen(". place: ")),
    link(
      "cell",
      place,
      text,
      unseen(
        isReference
          ? ", the reference"
          : ratio
            ? `, ${isOpen ? "no proven difference" : verdictOn(found, column.metric)}`
            : "",
      ),
      isChosen && unseen(", chosen"),
    ),
    !isReference &&
      ratio &&
      element("span", { class: "sign", "aria-hidden": "true" }, signOf(found, column.metric)),
    strip(ratio, cell.family, isOpen && !isReference, reach),
    element(
      "small",
      {},
      isReference ? ownFigure(cell, column.metric) : level,
    ),
  );
}

const ownFigure = (cell, metric) =>
  metric === "throughput_rps"
    ? `${figure(cell.throughput_rps?.[0])} req/s`
    : `${figure(cell.service_demand_us?.[0])} µs/req`;

function reasonText(run, cell, column) {
  if (!run.isUsable) return `${figure(cell.throughput_rps?.[0])} req/s`;
  if (cell.withheld) return "withheld";
  if (cell.client_limit) return `a bound: ≥ ${figure(cell.throughput_rps?.[0])} req/s`;
  if (cell.paced) return latencyText(cell);
  if (cell.coarse) return "too coarse";
  return column.against ? "no ratio" : "reference not here";
}

// Where the rate is given, only latency can differ.
function latencyText({ latency_ms: latency }) {
  const known = latency?.p50 ?? latency?.mean;
  return known ? `${latency.p50 ? "p50" : "mean"} ${figure(known)} ms` : "paced";
}

function sortOf(settings, columns) {
  const wanted = firstOf(settings, "sort");
  const column = columns.find(column => column.key === wanted) ?? (wanted === "name" ? null : columns[0]);
  const falls = column ? column.metric === "throughput_rps" : false;
  const turned = { up: "ascending", down: "descending" }[firstOf(settings, "order")];
  return [column?.key ?? "name", turned ?? (falls ? "descending" : "ascending")];
}

// What is not known comes last, both ways.
function ordered(run, columns, settings) {
  const [key, direction] = sortOf(settings, columns);
  const names = [...new Set(columns.flatMap(column => [...column.judgements.keys()]))];
  const sign = direction === "descending" ? -1 : 1;
  if (key === "name") return names.sort((a, b) => sign * compareVersions(a, b));
  const column = columns.find(column => column.key === key);
  const value = name => {
    const found = column.judgements.get(name);
    return found?.ratio?.estimate ?? null;
  };
  return names
    .map(name => [name, value(name)])
    .sort(([, a], [, b]) => (a === null || b === null ? (a === null) - (b === null) : sign * (a - b)))
    .map(([name]) => name);
}
