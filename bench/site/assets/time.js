// Time: the trend of one cell over the runs of one machine, with the versions that changed in between.

const MOST_REBASED = 60; // runs whose rounds are read to re-base a trend

async function timeView(settings, go) {
  const source = timeSource(settings);
  if (source === null)
    return {
      title: "Time",
      say: "",
      content: [element("h1", {}, "Time"), element("p", {}, "No valid run has a trend.")],
    };
  const trend = await trendOf(source);
  const track = chosenTrend(trend, settings);
  if (!track)
    return {
      title: "Time",
      say: "",
      content: [element("h1", {}, "Time"), element("p", {}, "No valid run has a ratio here.")],
    };
  const since = firstOf(settings, "since");
  const { points, reference, left } = await trendPoints(trend, track, settings);
  const shown = points.filter(point => !since || point.day >= since);
  const name = track.name;
  return {
    title: `Time: ${name}`,
    say: `${name} relative to ${reference} in ${plural(shown.length, "run")}. ${changeSince(shown)}`,
    content: [
      element(
        "h1",
        {},
        "Time ",
        element("small", {}, `${kept.index.plans[trend.plan]} on ${machineTitle(trend.machine)}`),
      ),
      element(
        "p",
        { class: "headline" },
        `${name} relative to ${reference}, ${scenarioText(track)}. ${changeSince(shown)}`,
      ),
      notThere(settings, name),
      timeToolbar(trend, track, reference, since, settings, go),
      left > 0 &&
        element(
          "p",
          { class: "warning" },
          `The newest ${MOST_REBASED} runs are shown: ${plural(left, "older run")} left out, as this reference is not the one of their plan.`,
        ),
      shown.length > 0
        ? trendPicture(shown, name, reference)
        : element("p", {}, "No valid run since that date."),
      trendTable(shown, name, reference),
      element(
        "p",
        { class: "notes" },
        "Only runs on this machine are in it. Each point is a ratio within its run, so a change of the machine's speed cancels. A dashed line: versions changed.",
      ),
    ],
  };
}

const machineTitle = number =>
  kept.index.machines[number]?.title ?? kept.index.machines[number]?.class ?? "unknown machine";

function timeSource(settings) {
  const { runs } = kept.index;
  const wanted = firstOf(settings, "series");
  if (wanted !== null && runs.trend.includes(Number(wanted))) return Number(wanted);
  const number = numberOf(firstOf(settings, "run") ?? firstBoard() ?? "");
  if (number >= 0 && runs.trend[number] >= 0) return runs.trend[number];
  return runs.trend.find(trend => trend >= 0) ?? null;
}

// The tracks of a trend, and the same from the other side: the reference relative to each contender.
function bothSides(trend) {
  const stated = trend.tracks
    .filter(track => track.reference >= 0)
    .map(track => ({ ...track, name: trackName(track), against: trackReference(track), isInverted: false }));
  return stated.concat(
    stated.map(track => ({ ...track, name: track.against, against: track.name, isInverted: true })),
  );
}

function chosenTrend(trend, settings) {
  const wanted = {
    contender: track => track.name,
    scenario: track => trackScenario(track).name,
    load: track => trackLoad(track).slug,
    metric: track => track.metric,
  };
  const score = track =>
    Object.entries(wanted).reduce(
      (sum, [name, of], at) => sum + (firstOf(settings, name) === of(track) ? 2 ** (6 - at) : 0),
      0,
    ) +
    (firstOf(settings, "ref") === track.against ? 1 : 0) -
    (track.isInverted ? 0.5 : 0) +
    Math.min(track.run.length, 1000) / 1e4;
  return bothSides(trend).reduce((best, track) => (!best || score(track) > score(best) ? track : best), null);
}

async function trendPoints(trend, track, settings) {
  const reference = firstOf(settings, "ref") ?? track.against;
  const made = (number, ratio) => ({
    ...listed(number),
    ratio: ratio && (track.isInverted && reference === track.against ? inverted(ratio) : ratio),
  });
  if (reference === track.against) {
    const points = track.run.map((number, at) =>
      made(number, {
        estimate: track.ratio[at],
        low: track.low[at] ?? null,
        high: track.high[at] ?? null,
        level: null,
      }),
    );
    return { points, reference, left: 0 };
  }
  const newest = track.run.slice(-MOST_REBASED);
  const points = await Promise.all(
    newest.map(async number => {
      const run = await runOf(kept.index.runs.id[number]);
      const cell = run.cells.find(
        found =>
          found.name === track.name &&
          found.what.hash === trackScenario(track).hash &&
          found.how.slug === trackLoad(track).slug,
      );
      const against = cell && besideIn(run, cell, reference);
      return {
        ...listed(number),
        ratio: against && against !== cell ? judged(run, cell, against, track.metric).ratio : null,
      };
    }),
  );
  return { points: points.filter(point => point.ratio), reference, left: track.run.length - newest.length };
}

function changeSince(points) {
  if (points.length < 2)
    return points.length ? `One run, ${points[0].day}: ${bothText(points[0].ratio)}. A trend needs two.` : "";
  const [first, last] = [points[0], points[points.length - 1]];
  const apart =
    first.ratio.low !== null &&
    last.ratio.low !== null &&
    (last.ratio.low > first.ratio.high || last.ratio.high < first.ratio.low);
  const known = first.ratio.low !== null && last.ratio.low !== null;
  const words = !known
    ? ""
    : apart
      ? " The two intervals are apart."
      : " The two intervals overlap: no change is proven by these two runs.";
  return `${first.day}: ${bothText(first.ratio)}; ${last.day}: ${bothText(last.ratio)}, ${changeText({ estimate: last.ratio.estimate / first.ratio.estimate, low: null, high: null })}.${words}`;
}

function timeToolbar(trend, track, reference, since, settings, go) {
  const tracks = bothSides(trend);
  const names = trackOptions(tracks, found => found.name);
  const places = [...new Map(tracks.map(found => [`${found.scenario} ${found.load}`, found])).values()];
  const placeOf = found => `${trackScenario(found).name}:${trackLoad(found).slug}`;
  const series = [
    ...new Map(
      kept.index.runs.trend.map((found, number) => [found, number]).filter(([found]) => found >= 0),
    ).entries(),
  ];
  return element(
    "div",
    { class: "toolbar" },
    element(
      "div",
      { class: "choices-row" },
      select(
        "choose-contender",
        "Contender",
        names.map(name => [name, name]),
        track.name,
        value => go({ ...without(settings, value === reference ? ["ref"] : []), contender: value }),
      ),
      select(
        "choose-ref",
        "Relative to",
        names.filter(name => name !== track.name).map(name => [name, name]),
        reference,
        value => go({ ...settings, contender: track.name, ref: value }),
      ),
      select(
        "choose-place",
        "Scenario and load",
        places.map(found => [placeOf(found), scenarioText(found)]),
        placeOf(track),
        value => {
          const found = places.find(place => placeOf(place) === value);
          go({ ...settings, scenario: trackScenario(found).name, load: trackLoad(found).slug });
        },
      ),
      series.length > 1 &&
        select(
          "choose-series",
          "Plan and machine",
          series.map(([found, number]) => [
            String(found),
            `${listed(number).plan} · ${machineTitle(kept.index.runs.machine[number])}`,
          ]),
          String(timeSource(settings)),
          value => go({ ...without(settings, ["run"]), series: value }),
        ),
      element(
        "label",
        { class: "choice", for: "choose-since" },
        element("span", {}, "Since"),
        element("input", {
          type: "date",
          id: "choose-since",
          value: since ?? "",
          change: event => go({ ...settings, since: event.target.value }),
        }),
      ),
    ),
  );
}

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

function trendPicture(points, name, reference) {
  const [low, high] = reachOf(points.map(point => point.ratio));
  const moments = [...new Map(points.map(point => [point.day, point.at])).entries()];
  const every = Math.max(1, Math.ceil(moments.length / (isNarrow() ? 3 : 6)));
  const steps = points
    .slice(1)
    .map((point, at) => [point, versionMoves(points[at].versions, point.versions)])
    .filter(([, moves]) => moves.length);
  return dots({
    points: points.map(({ at, ratio }) => ({
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
    xTicks: moments.filter((_, at) => at % every === 0).map(([day, at]) => [at, day]),
    steps: steps.slice(-6).map(([point, moves]) => [point.at, shortened(moves[0], 28)]),
    words: `${name} relative to ${reference} over time: ${changeSince(points)}`,
  });
}

function trendTable(points, name, reference) {
  const rows = [...points]
    .reverse()
    .slice(0, 200)
    .map((point, at, all) => {
      const moves = all[at + 1] ? versionMoves(all[at + 1].versions, point.versions) : [];
      return element(
        "tr",
        {},
        element(
          "th",
          { scope: "row" },
          link("run", { run: point.id }, point.day),
          point.isOld && element("small", { class: "older" }, "older versions: a newer release was seen"),
        ),
        data(bothText(point.ratio), "number"),
        data(point.ratio.low !== null && !isTie(point.ratio) ? "proven" : "not proven"),
        data(moves.join(", ") || "none", "versions"),
        data(element("code", {}, point.commit)),
      );
    });
  return table({
    style: "dated",
    caption: `${name} relative to ${reference}, newest first${points.length > 200 ? ` (200 of ${points.length})` : ""}`,
    heads: [
      head("run"),
      head("ratio", "number"),
      head(`difference from ${reference}`),
      head("versions changed"),
      head("commit"),
    ],
    rows,
  });
}
