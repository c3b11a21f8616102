// Tracks: one contender beside another in one scenario under one load, over runs or machines.

const trackName = track => track.name ?? kept.index.contenders[track.contender].name;
const trackReference = track => track.against ?? kept.index.contenders[track.reference]?.name ?? "";
const trackScenario = track => kept.index.scenarios[track.scenario];
const trackLoad = track => kept.index.loads[track.load];
const placeOf = track => `${track.project ?? ""} ${track.scenario} ${track.load}`;
const scenarioText = track =>
  `${trackScenario(track).about || trackScenario(track).name}, ${trackLoad(track).title}`;
const namesOf = (tracks, pick) => [...new Set(tracks.map(pick))].sort(compareVersions);

const turned = ends => ends.map(end => (end ? 1 / end : null));

// The tracks as stated, and the same from the other side: the reference relative to each contender.
function bothSides(tracks) {
  const stated = tracks
    .filter(track => track.reference >= 0)
    .map(track => ({ ...track, name: trackName(track), against: trackReference(track), isInverted: false }));
  return stated.concat(
    stated.map(track => ({
      ...track,
      name: track.against,
      against: track.name,
      ratio: turned(track.ratio),
      low: turned(track.high),
      high: turned(track.low),
      isInverted: true,
    })),
  );
}

// How well a track fits what the address names: contender first, then scenario, load and reference.
function fitOf(track, settings) {
  const wanted = {
    contender: trackName(track),
    scenario: trackScenario(track).name,
    load: trackLoad(track).slug,
    ref: trackReference(track),
  };
  return (
    Object.entries(wanted).reduce(
      (sum, [name, value], at) => sum + (firstOf(settings, name) === value ? 2 ** (8 - at) : 0),
      firstOf(settings, "project") === kept.index.projects[track.project]?.id ? 2 ** 9 : 0,
    ) +
    Math.min(track.run.length, 1000) / 1e4 -
    (track.isInverted ? 0.5 : 0)
  );
}

const bestFit = (tracks, settings) =>
  tracks.reduce(
    (best, track) => (best === null || fitOf(track, settings) > fitOf(best, settings) ? track : best),
    null,
  );

const ratioAt = (track, at) => ({
  estimate: track.ratio[at],
  low: track.low[at] ?? null,
  high: track.high[at] ?? null,
  level: null,
});

// The ratio of a track's cell to any contender of the same rounds, from the run itself.
async function rebasedRatio(track, number, reference, metric) {
  const run = await runOf(kept.index.runs.id[number]);
  const cell = run.cells.find(
    found =>
      found.name === trackName(track) &&
      found.what.hash === trackScenario(track).hash &&
      found.how.slug === trackLoad(track).slug,
  );
  const against = cell && besideIn(run, cell, reference);
  return against && against !== cell ? judged(run, cell, against, metric).ratio : null;
}

const notBeside = (wanted, shown) =>
  element(
    "p",
    { class: "warning" },
    element("b", {}, "Not there. "),
    `${wanted} was not measured beside it. Shown is ${shown}.`,
  );

// Another contender than the address names is never shown without a word.
function notThere(settings, shown) {
  const wanted = firstOf(settings, "contender");
  return wanted && wanted !== shown
    ? element(
        "p",
        { class: "warning" },
        element("b", {}, "Not there. "),
        `No valid run has figures of ${wanted} here. Shown is ${shown}.`,
      )
    : null;
}
