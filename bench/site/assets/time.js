// Time: what became of a contender. Its own figures and its ratio over the runs of one machine and plan at a
// time: a change of machine begins another picture.

const MOST_REBASED = 60; // runs whose rounds are read to re-base a trend
const MOST_SERIES = 24; // machines and plans that are shown at once

async function timeView(settings, go) {
  const numbers = [
    ...new Set(kept.index.runs.trend.filter((trend, run) => trend >= 0 && runPasses(run, settings))),
  ];
  if (!numbers.length)
    return conditionsSet(settings).length
      ? nonePasses("Time", settings, go)
      : {
          title: "Time",
          say: "",
          content: [element("h1", {}, "Time"), element("p", {}, "No valid run has a trend.")],
        };
  const trends = await Promise.all(numbers.slice(0, MOST_SERIES).map(trendOf));
  const cells = trends.flatMap(trend =>
    trend.figures.map(cell => ({ ...cell, trend, project: trend.project, name: trackName(cell) })),
  );
  const cell = chosenCell(cells, settings);
  const same = cells.filter(other => other.contender === cell.contender && placeOf(other) === placeOf(cell));
  const metric = chosenMetric(settings);
  const named = firstOf(settings, "ref");
  const beside = cells.filter(other => other.project === cell.project && placeOf(other) === placeOf(cell));
  const isThere = named && named !== cell.name && beside.some(other => other.name === named);
  const reference = isThere ? named : usualReference(same, cell, metric);
  const everything = await Promise.all(same.map(one => seriesOf(one, reference, metric, settings)));
  const since = firstOf(settings, "since");
  const series = [...everything]
    .sort((one, other) => other.points.length - one.points.length)
    .map(one => ({ ...one, points: pointsSince(one.points, since) }))
    .filter(one => one.points.length);
  const first = series[0];
  return {
    title: `Time: ${cell.name}`,
    say: `${cell.name} on ${plural(series.length, "machine and plan", "machines and plans")}. ${first ? ownChange(first.points, metric) : ""}`,
    content: [
      element("h1", {}, "Time ", element("small", {}, `what became of ${cell.name}`)),
      element("p", { class: "headline" }, timeSentence(cell, series, since, metric, reference)),
      notThere(settings, cell.name),
      named && named !== cell.name && !isThere && notBeside(named, reference),
      timeToolbar(cells, cell, reference, metric, everything, settings, go),
      numbers.length > MOST_SERIES &&
        element(
          "p",
          { class: "warning" },
          `${MOST_SERIES} of ${numbers.length} machines and plans are shown. The filters choose others.`,
        ),
      series.length === 0 && element("p", {}, "No valid run since that date."),
      series.map(one => seriesSection(one, cell.name, reference, metric, one === first)),
      element(
        "p",
        { class: "notes" },
        "Each machine and plan is by itself: no line joins runs of two machines, as their figures do not compare. Its own figures hold the machine's speed too, which changes on a shared host. In a ratio that cancels. A dashed line: versions changed. What became of it since a day begins with the newest run before that day.",
      ),
    ],
  };
}

// What became of it since a day begins with how it was then: the newest run before that day comes along.
function pointsSince(points, since) {
  const later = points.findIndex(point => !since || point.day >= since);
  return later < 0 ? [] : points.slice(points[later].day === since ? later : Math.max(0, later - 1));
}

const chosenMetric = settings =>
  METRIC_NAMES[firstOf(settings, "metric")] ? firstOf(settings, "metric") : "throughput_rps";

// What the address names; otherwise the reference of a plan, of which other contenders are multiples.
function chosenCell(cells, settings) {
  const references = new Set(kept.index.boards.map(board => board.reference));
  const project = kept.index.runs.project[numberOf(firstOf(settings, "run") ?? "")];
  const score = cell =>
    fitOf({ ...cell, against: "" }, settings) * 4 +
    (cell.project === project ? 2 : 0) +
    (references.has(cell.contender) ? 1 : 0);
  return cells.reduce((best, cell) => (best === null || score(cell) > score(best) ? cell : best), null);
}

const tracksOf = (cell, metric) =>
  bothSides(cell.trend.tracks).filter(
    track =>
      track.metric === metric &&
      track.name === cell.name &&
      track.scenario === cell.scenario &&
      track.load === cell.load,
  );

function usualReference(same, cell, metric) {
  const stated = same.flatMap(one => tracksOf(one, metric));
  const order = (one, other) =>
    one.isInverted - other.isInverted || compareVersions(one.against, other.against);
  return stated.sort(order)[0]?.against ?? null;
}

// One machine and plan: its runs in order, with own figures, and the ratio where there is one.
async function seriesOf(cell, reference, metric, settings) {
  const at = passing(cell.run, settings);
  const ratios = await ratiosOf(cell, reference, metric, at);
  const days = at.map(index => listed(cell.run[index]).day);
  const points = at.map((index, order) => {
    const found = listed(cell.run[index]);
    const isTwice = days.filter(day => day === days[order]).length > 1;
    return {
      ...found,
      when: isTwice ? minuteAt(found.at) : found.day,
      rps: figuresOf(cell.rps[index]),
      cpu: figuresOf(cell.cpu[index]),
      isBound: Boolean(cell.bound[index]),
      ratio: ratios.get(cell.run[index]) ?? null,
    };
  });
  return { points, trend: cell.trend, left: Math.max(0, at.length - ratios.tried) };
}

// By run. As stated, or from the rounds of the newest runs where the plan has another reference.
async function ratiosOf(cell, reference, metric, at) {
  const track = tracksOf(cell, metric).find(found => found.against === reference);
  const found = new Map();
  found.tried = at.length;
  if (track) track.run.forEach((number, index) => found.set(number, ratioAt(track, index)));
  else if (reference) {
    const newest = at.slice(-MOST_REBASED).map(index => cell.run[index]);
    found.tried = newest.length;
    const ratios = await Promise.all(newest.map(number => rebasedRatio(cell, number, reference, metric)));
    newest.forEach((number, index) => found.set(number, ratios[index]));
  }
  return found;
}

function seriesSection({ points, trend, left }, name, reference, metric, isFirst) {
  const hasRatio = points.some(point => point.ratio);
  const place = `${shortMachine(trend.machine)}, plan ${kept.index.plans[trend.plan]}`;
  const hasOwn = points.filter(point => OWN[metric].of(point)).length > 1;
  return element(
    "section",
    { class: "series" },
    element(
      "h2",
      {},
      `${shortMachine(trend.machine)} `,
      element("small", {}, `plan ${kept.index.plans[trend.plan]}, ${plural(points.length, "run")}`),
    ),
    !isFirst && element("p", { class: "lead" }, ownChange(points, metric), ratioChange(points, reference)),
    hasOwn &&
      element(
        "div",
        { class: "beside" },
        ownPicture(points, name, metric),
        hasRatio && ratioPicture(points, name, reference),
      ),
    left > 0 &&
      element(
        "p",
        { class: "notes" },
        `${plural(left, "older run")} without a ratio: ${reference} is not the reference of the plan.`,
      ),
    timeTable(points, name, place, hasRatio ? reference : null, metric),
  );
}

function timeSentence(cell, series, since, metric, reference) {
  const name = `${cell.name}, ${scenarioText(cell)}${since ? `, since ${since}` : ""}`;
  if (!series.length) return `${name}: no valid run.`;
  const [{ points, trend }] = series;
  const others = series.length - 1;
  const more = others
    ? ` ${plural(others, "other machine or plan", "other machines or plans")} below, ${others > 1 ? "each" : "kept"} by itself.`
    : "";
  return `${name}, on ${shortMachine(trend.machine)}, plan ${kept.index.plans[trend.plan]}: ${ownChange(points, metric)}${ratioChange(points, reference)}${more}`;
}

const areApart = (one, other) =>
  one?.low != null && other?.low != null ? other.low > one.high || other.high < one.low : null;

function ownChange(points, metric) {
  const { of, unit } = OWN[metric];
  const known = points.filter(of);
  if (!known.length) return `no ${unit}.`;
  const text = point => `${point.isBound ? "≥ " : ""}${bothText(of(point), figure)}`;
  const [first, last] = [known[0], known[known.length - 1]];
  if (first === last) return `one run, ${first.when}: ${text(first)} ${unit}. A trend needs two.`;
  const apart = areApart(of(first), of(last));
  const words = {
    true: " The two intervals are apart; the machine's own speed is in them.",
    false: " The two intervals overlap.",
    null: "",
  }[apart];
  const change = changeText({ estimate: of(last).estimate / of(first).estimate, low: null, high: null });
  return `${first.when}: ${text(first)}; ${last.when}: ${text(last)} ${unit}, ${change}.${words}`;
}

function ratioChange(points, reference) {
  const known = points.filter(point => point.ratio);
  if (!known.length) return "";
  const [first, last] = [known[0], known[known.length - 1]];
  if (first === last) return ` Relative to ${reference}: ${bothText(first.ratio)}.`;
  const apart = areApart(first.ratio, last.ratio);
  const words =
    apart === null ? "" : apart ? " These two intervals are apart." : " These two overlap: no change is proven.";
  return ` Relative to ${reference}: ${bothText(first.ratio)}, then ${bothText(last.ratio)}.${words}`;
}

function timeToolbar(cells, cell, reference, metric, everything, settings, go) {
  const own = cells.filter(other => other.project === cell.project);
  const here = own.filter(other => placeOf(other) === placeOf(cell));
  const days = [...new Set(everything.flatMap(one => one.points.map(point => point.day)))].sort();
  return toolbar(
    [
      contenderChoice(namesOf(own, found => found.name), cell.name, settings, go),
      referenceChoice(
        namesOf(here, found => found.name).filter(name => name !== cell.name),
        reference,
        settings,
        go,
      ),
      placeChoice(
        [
          ...new Map(
            cells.filter(other => other.name === cell.name).map(found => [placeOf(found), found]),
          ).values(),
        ],
        cell,
        settings,
        go,
      ),
      measureChoice(Object.keys(METRIC_NAMES), metric, settings, go),
      sinceChoice(days, settings, go),
    ],
    conditionsForm(settings, go),
  );
}
