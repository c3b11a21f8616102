// A run with its ratios: each cell against any other of its scenario and load, computed from the rounds.

const figuresOf = found =>
  found
    ? { estimate: found[0], low: found[1] ?? null, high: found[2] ?? null, level: found[3] ?? null }
    : null;
const familyOf = name => name.split(/[:@~]/)[0].split("-")[0];

function openedRun({ submission, newer = {}, latest = null, project, machine }) {
  const { contenders, scenarios, loads } = submission;
  const cells = submission.cells.map((cell, number) => ({
    ...cell,
    number,
    who: contenders[cell.contender],
    what: scenarios[cell.scenario],
    how: loads[cell.load],
    name: contenders[cell.contender].name,
    family: familyOf(contenders[cell.contender].name),
    newer: newer[cell.contender] ?? [],
    values: {},
  }));
  const columns = new Map();
  for (const cell of cells) {
    const key = `${cell.what.name}:${cell.how.slug}`;
    if (!columns.has(key))
      columns.set(key, { key, scenario: cell.what, load: cell.how, cells: [], proven: new Map() });
    columns.get(key).cells.push(cell);
  }
  return {
    submission,
    cells,
    columns: [...columns.values()],
    newer,
    latest,
    project,
    machine,
    compared: new Map(),
    floors: {},
    isUsable: submission.ended === "complete" && !submission.invalid,
  };
}

// Why no number of this run is in a rank; null if they are.
function unusable({ submission }) {
  if (submission.invalid) return `not valid: ${submission.invalid}`;
  return submission.ended === "complete"
    ? null
    : `partial: it was ${submission.ended ?? "killed"} before its end`;
}

function valuesOf(cell, metric) {
  if (metric === "service_demand_us") return cell.cpu_us;
  cell.values[metric] ??= cell.right.map((right, sweep) =>
    right === null ? null : right / (Array.isArray(cell.window_s) ? cell.window_s[sweep] : cell.window_s),
  );
  return cell.values[metric];
}

const unfitOf = cell =>
  cell.withheld ??
  (cell.client_limit ? "client-limited" : cell.paced ?? (cell.coarse ? `too coarse: ${cell.coarse}` : null));
const besideIn = (run, cell, name) => columnOf(run, cell).cells.find(other => other.name === name) ?? null;
const columnOf = (run, cell) =>
  run.columns.find(column => column.scenario === cell.what && column.load === cell.how);

function withheldOf(cell, other) {
  const names = new Map();
  for (const one of [cell, other]) {
    const why = unfitOf(one);
    if (why) names.set(why, [...(names.get(why) ?? []), one.name]);
  }
  return [...names].map(([why, who]) => `${who.join(" and ")} ${why}`).join("; ");
}

function comparedTo(run, cell, other, metric) {
  const key = `${cell.number} ${other.number} ${metric}`;
  if (!run.compared.has(key)) {
    const pairing = pairedLogRatios(
      valuesOf(cell, metric),
      valuesOf(other, metric),
      run.submission.sweeps.round,
    );
    const withheld = withheldOf(cell, other);
    run.compared.set(key, {
      ...pairing,
      withheld,
      rounds: pairing.logRatios.size,
      ratio: withheld ? null : ratioOf(pairing),
    });
  }
  return run.compared.get(key);
}

// Every contender that ran twice, beside itself.
function floorsOf(run, metric) {
  run.floors[metric] ??= run.cells
    .filter(twin => twin.who.is_twin && twin.how.metrics.includes(metric))
    .map(twin => ({ twin, original: besideIn(run, twin, twin.name.replace(/~aa$/, "")) }))
    .filter(({ twin, original }) => original && !unfitOf(twin) && !unfitOf(original));
  return run.floors[metric];
}

// The noise floor that counts for a cell: of its reference there, else of another there, else the run's first.
function noiseFloorOf(run, cell, reference, metric) {
  const floors = floorsOf(run, metric);
  const here = floors.filter(({ twin }) => twin.what === cell.what && twin.how === cell.how);
  const found = here.find(({ original }) => original === reference) ?? here[0] ?? floors[0];
  return found ? comparedTo(run, found.twin, found.original, metric).ratio : null;
}

// A cell against a reference, with its verdict. *isOpen*: no difference was proven.
function judged(run, cell, reference, metric) {
  const found = comparedTo(run, cell, reference, metric);
  if (cell === reference) {
    const fit = run.isUsable && !unfitOf(cell);
    return {
      ...found,
      ratio: fit ? { estimate: 1, low: null, high: null, level: null } : null,
      verdict: "reference",
      isOpen: false,
    };
  }
  if (!run.isUsable)
    return { ...found, ratio: null, withheld: unusable(run), verdict: "invalid", isOpen: true };
  const margin = run.submission.plan.content.margins[metric];
  const verdict = verdictOf(metric, found.ratio, margin);
  const floor = noiseFloorOf(run, cell, reference, metric);
  const isUnderFloor = Boolean(found.ratio) && isBlocked(metric, found.ratio, floor, margin);
  const blocked = ["faster", "slower"].includes(verdict) && isUnderFloor;
  const hasInterval = Boolean(found.ratio?.low && found.ratio?.high);
  return {
    ...found,
    verdict: blocked ? "inconclusive" : verdict,
    blocked,
    isUnderFloor,
    isOpen: !hasInterval || blocked || isTie(found.ratio),
  };
}

// 1 + how many of *cells*, of one column, are proven better; only where every pair has an interval.
function ranksOf(run, column, cells, metric) {
  const ranks = new Map();
  const fit = cells.filter(cell => cell.requests && !unfitOf(cell) && !cell.who.is_twin);
  if (!run.isUsable) return ranks;
  for (const cell of fit) {
    const rivals = fit
      .filter(other => other !== cell)
      .map(other => provenBeside(run, column, other, cell, metric));
    if (rivals.every(proven => proven !== null)) ranks.set(cell, 1 + rivals.filter(Boolean).length);
  }
  return ranks;
}

// Whether *cell* is proven better than *other*; null without an interval. It is independent of the reference.
function provenBeside(run, column, cell, other, metric) {
  const key = `${cell.number} ${other.number} ${metric}`;
  if (!column.proven.has(key)) {
    const { ratio } = comparedTo(run, cell, other, metric);
    const known = Boolean(ratio && ratio.low !== null);
    const [above, below] = [known ? ratio.low > 1 : null, known ? ratio.high < 1 : null];
    const [better, worse] = MORE_IS_BETTER[metric] ? [above, below] : [below, above];
    column.proven.set(key, better);
    column.proven.set(`${other.number} ${cell.number} ${metric}`, worse);
  }
  return column.proven.get(key);
}

const rankText = (rank, ranks) =>
  rank ? `${rank}${[...ranks.values()].filter(other => other === rank).length > 1 ? "=" : ""}` : "";

const planReference = run => run.submission.plan.content.reference;

// The reference that a view begins with: the plan's, if it is a contender with cells.
function firstReference(run) {
  const names = run.cells.map(cell => cell.name);
  const stated = run.submission.ratios?.map(one => run.submission.contenders[one.reference].name) ?? [];
  return [planReference(run), ...stated, ...names].find(name => names.includes(name)) ?? null;
}

const metricOf = (load, metric) => (load.metrics.includes(metric) ? metric : load.metrics[0]);

// Ratios across machines: the mean of the logs and Student's interval, where a machine is the unit.
function acrossOf(ratios) {
  const logs = ratios.map(Math.log);
  const k = logs.length;
  const quantile = kept.index.t[k - 1];
  if (k < 3 || !quantile) return null;
  const mean = logs.reduce((sum, log) => sum + log, 0) / k;
  const deviation = Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (k - 1));
  const around = half => [Math.exp(mean - half), Math.exp(mean + half)];
  const [low, high] = around((quantile * deviation) / Math.sqrt(k));
  return {
    across: { estimate: Math.exp(mean), low, high, level: LEVEL },
    next: around(quantile * deviation * Math.sqrt(1 + 1 / k)),
  };
}

// The ratio the other way round is exact: medians and intervals of logs change their sign alone.
const inverted = ratio =>
  ratio && {
    estimate: 1 / ratio.estimate,
    low: ratio.high && 1 / ratio.high,
    high: ratio.low && 1 / ratio.low,
    level: ratio.level,
  };
