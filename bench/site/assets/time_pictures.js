// Pictures and tables of runs over time: of one machine and plan each. Points are never joined.

// Which versions differ between two texts like "Python 3.11.7, django 5.2.19".
function versionMoves(before, after) {
  const parts = text =>
    new Map(
      text
        .split(", ")
        .map(part => [part.slice(0, part.lastIndexOf(" ")), part.slice(part.lastIndexOf(" ") + 1)]),
    );
  const [old, now] = [parts(before), parts(after)];
  return [...now]
    .filter(([name, version]) => old.has(name) && old.get(name) !== version)
    .map(([name, version]) => `${name} ${old.get(name)} → ${version}`);
}

const stepsOf = points =>
  points
    .slice(1)
    .map((point, at) => [point, versionMoves(points[at].versions, point.versions)])
    .filter(([, moves]) => moves.length)
    .slice(-6)
    .map(([point, moves]) => [point.at, shortened(moves[0], 28)]);

function daysOf(points) {
  const moments = [...new Map(points.map(point => [point.day, point.at])).entries()];
  const every = Math.max(1, Math.ceil(moments.length / (isNarrow() ? 3 : 6)));
  return moments.filter((_, at) => at % every === 0).map(([day, at]) => [at, day]);
}

const OWN = {
  throughput_rps: { of: point => point.rps, unit: "requests per second", short: "req/s" },
  service_demand_us: { of: point => point.cpu, unit: "µs of server CPU per request", short: "CPU µs/req" },
};

// Its own figures: requests per second, or CPU per request.
function ownPicture(points, name, metric) {
  const known = points.filter(point => OWN[metric].of(point));
  const ends = known
    .flatMap(point => Object.values(OWN[metric].of(point)))
    .filter(value => value > 0);
  const [low, high] = [Math.min(...ends) * 0.95, Math.max(...ends) * 1.05];
  return dots({
    points: known.map(point => {
      const own = OWN[metric].of(point);
      return { x: point.at, y: own.estimate, low: own.low, high: own.high, isOpen: point.isBound };
    }),
    ys: [low, high],
    family: familyOf(name),
    yName: `${OWN[metric].unit}; the axis does not begin at 0`,
    yTicks: evenTicks(low, high, 5).map(tick => [tick, tick.toLocaleString("en-US")]),
    xTicks: daysOf(known),
    steps: stepsOf(known),
    words: `${name}, ${OWN[metric].unit}: ${known.map(point => `${point.when}: ${figure(OWN[metric].of(point).estimate)}`).join("; ")}`,
  });
}

function ratioPicture(points, name, reference) {
  const known = points.filter(point => point.ratio);
  const [low, high] = reachOf(known.map(point => point.ratio));
  return dots({
    points: known.map(({ at, ratio }) => ({
      x: at,
      y: ratio.estimate,
      low: ratio.low,
      high: ratio.high,
      isOpen: ratio.low === null || isTie(ratio),
    })),
    ys: [low, high],
    isLogarithmicY: true,
    family: familyOf(name),
    yName: `ratio to ${reference}, logarithmic`,
    one: 1,
    yTicks: logTicks(low, high, logScale(low, high, 206, 22), 22).map(tick => [tick, String(tick)]),
    xTicks: daysOf(known),
    steps: stepsOf(known),
    words: `${name} relative to ${reference}: ${known.map(point => `${point.when}: ${ratioText(point.ratio.estimate)}`).join("; ")}`,
  });
}

const MOST_ROWS = 200;

function timeTable(points, name, place, reference, metric) {
  const rows = [...points]
    .reverse()
    .slice(0, MOST_ROWS)
    .map((point, at, all) => {
      const moves = all[at + 1] ? versionMoves(all[at + 1].versions, point.versions) : [];
      const proven = point.ratio && point.ratio.low !== null && !isTie(point.ratio);
      return element(
        "tr",
        {},
        element(
          "th",
          { scope: "row" },
          link("run", { run: point.id }, point.when),
          point.isOld && element("small", { class: "older" }, "older versions: a newer release was seen"),
        ),
        data(`${point.isBound ? "≥ " : ""}${bothText(point.rps, figure)}`, "number"),
        data(bothText(point.cpu, figure), "number"),
        reference &&
          data([bothText(point.ratio), point.ratio && !proven && element("small", {}, "not proven")], "number"),
        data(moves.join(", ") || (all[at + 1] ? "none" : "–"), "versions"),
        data(element("code", {}, point.commit)),
      );
    });
  return table({
    style: "dated",
    caption: `${name} on ${place}, newest first${points.length > MOST_ROWS ? ` (${MOST_ROWS} of ${points.length})` : ""}`,
    heads: [
      head("run"),
      head("req/s", "number"),
      head("CPU µs/req", "number"),
      reference && head(`${OWN[metric].short}, ratio to ${reference}`, "number"),
      head("versions changed"),
      head("commit"),
    ],
    rows,
  });
}
