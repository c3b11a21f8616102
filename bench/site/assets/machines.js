// Machines: does a ratio travel? One row per machine, and the interval across them.

function trackOptions(tracks, pick) {
  return [...new Map(tracks.map(track => [pick(track), true])).keys()].sort(compareVersions);
}

const trackName = track => kept.index.contenders[track.contender].name;
const trackReference = track => kept.index.contenders[track.reference]?.name ?? "";
const trackScenario = track => kept.index.scenarios[track.scenario];
const trackLoad = track => kept.index.loads[track.load];
const trackPlace = track => `${track.project} ${track.runtime ?? ""} ${track.scenario} ${track.load}`;

async function machinesView(settings, go) {
  const tracks = await machineTracks();
  const intro = [element("h1", {}, "Machines ", element("small", {}, "does a ratio travel?"))];
  if (!tracks.length)
    return {
      title: "Machines",
      say: "",
      content: [...intro, element("p", {}, "No valid run has a ratio."), machineTable(), apart()],
    };
  const track = chosenTrack(tracks, settings);
  const reference = firstOf(settings, "ref") ?? trackReference(track);
  const rebased = reference === trackReference(track) ? null : reference;
  const beside = tracks.filter(
    other => trackPlace(other) === trackPlace(track) && other.metric === track.metric,
  );
  const [row] = await travelled([track], rebased);
  return {
    title: `Machines: ${trackName(track)}`,
    say: `${trackName(track)} relative to ${reference} on ${plural(row.rows.length, "machine")}. ${travelText(row)}`,
    content: [
      ...intro,
      element("p", { class: "headline" }, travelSentence(track, reference, row)),
      notThere(settings, trackName(track)),
      travelToolbar(tracks, beside, track, reference, settings, go),
      forest(
        row.rows.concat(row.total ? [row.total] : []),
        track.metric === "throughput_rps" ? ["slower", "faster"] : ["less CPU", "more CPU"],
        travelSentence(track, reference, row),
      ),
      machineRows(track, reference, row),
      track.notes?.length > 0 &&
        element(
          "ul",
          { class: "notes" },
          track.notes.map(note => element("li", {}, note)),
        ),
      element(
        "section",
        {},
        element("h2", {}, "All contenders ", element("small", {}, scenarioText(track))),
        acrossTable(await travelled(beside, rebased), reference, settings),
      ),
      machineTable(),
      apart(),
    ],
  };
}

// Another contender than the address names is never shown without a word.
function notThere(settings, shown) {
  const wanted = firstOf(settings, "contender");
  return wanted && wanted !== shown
    ? element(
        "p",
        { class: "warning" },
        element("b", {}, "Not there. "),
        `No valid run has a ratio of ${wanted} here. Shown is ${shown}.`,
      )
    : null;
}

const scenarioText = track =>
  `${trackScenario(track).about || trackScenario(track).name}, ${trackLoad(track).title}`;

function chosenTrack(tracks, settings) {
  const scored = track =>
    ["contender", "scenario", "load", "at"].filter(
      name =>
        firstOf(settings, name) ===
        {
          contender: trackName(track),
          scenario: trackScenario(track).name,
          load: trackLoad(track).slug,
          at: trackPlace(track),
        }[name],
    ).length *
      100 +
    track.machine.length +
    (trackReference(track) === firstOf(settings, "ref") ? 0.5 : 0);
  return tracks.reduce((best, track) => (scored(track) > scored(best) ? track : best));
}

// Each track with its rows: as stated, or re-based on another contender from the rounds of its runs.
async function travelled(tracks, reference) {
  return Promise.all(
    tracks.map(async track => {
      const rows = await Promise.all(
        track.machine.map(async (machine, at) => {
          const number = track.run[at];
          const ratio = reference
            ? await rebasedRatio(track, number, reference)
            : { estimate: track.ratio[at], low: track.low[at] ?? null, high: track.high[at] ?? null };
          const { title, class: kind } = kept.index.machines[machine];
          return {
            name: title ?? kind,
            family: familyOf(trackName(track)),
            ratio,
            machine,
            number,
            isOpen: !ratio || ratio.low === null || isTie(ratio),
            why: "not measured beside it",
          };
        }),
      );
      const usable = rows.filter(row => row.ratio);
      const found = reference
        ? acrossOf(usable.map(row => row.ratio.estimate))
        : track.across?.[1] // without an interval nothing travels
          ? { across: figuresOf(track.across), next: track.next }
          : null;
      const total = found && {
        name: `across ${usable.length} machines`,
        ratio: found.across,
        isOpen: found.across.low === null || isTie(found.across),
        isTotal: true,
      };
      return { track, rows, total, next: found?.next ?? null };
    }),
  );
}

async function rebasedRatio(track, number, reference) {
  const run = await runOf(kept.index.runs.id[number]);
  const cell = run.cells.find(
    found =>
      found.name === trackName(track) &&
      found.what.hash === trackScenario(track).hash &&
      found.how.slug === trackLoad(track).slug,
  );
  const against = cell && besideIn(run, cell, reference);
  return against && against !== cell ? judged(run, cell, against, track.metric).ratio : null;
}

function travelText({ rows, total }) {
  const known = rows.filter(row => row.ratio);
  if (!total)
    return known.length < 3
      ? `${plural(known.length, "kind")} of machines cannot tell: an interval across machines needs 3.`
      : "";
  return total.isOpen
    ? "Across machines no difference is proven: it does not travel."
    : "The whole interval across machines is on one side of 1: it travels.";
}

function travelSentence(track, reference, row) {
  const name = `${trackName(track)} relative to ${reference}, ${scenarioText(track)}`;
  if (!row.total) return `${name}: ${travelText(row)}`;
  const next = row.next
    ? ` On one more machine it would lie within ${ratioText(row.next[0])}–${ratioText(row.next[1], row.next[0])}.`
    : "";
  return `${name}: ${bothText(row.total.ratio)} across ${row.rows.filter(one => one.ratio).length} machine classes. ${travelText(row)}${next}`;
}

function travelToolbar(tracks, beside, track, reference, settings, go) {
  const places = [...new Map(tracks.map(found => [trackPlace(found), found])).values()];
  const several = new Set(tracks.map(found => found.runtime)).size > 1;
  const projects = new Set(tracks.map(found => found.project)).size > 1;
  const projectOf = found =>
    kept.index.projects[found.project].name || kept.index.projects[found.project].id.slice(0, 12);
  const names = trackOptions(beside, trackName);
  const references = [...new Set([reference, ...beside.map(trackReference), ...names])].filter(
    name => name !== trackName(track),
  );
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
        trackName(track),
        value => go({ ...settings, contender: value }),
      ),
      select(
        "choose-ref",
        "Relative to",
        references.map(name => [name, name]),
        reference,
        value => go({ ...settings, ref: value }),
      ),
      select(
        "choose-place",
        "Scenario and load",
        places.map(found => [
          trackPlace(found),
          `${scenarioText(found)}${several ? `, runtime ${found.runtime}` : ""}${projects ? `, project ${projectOf(found)}` : ""}`,
        ]),
        trackPlace(track),
        value => go({ ...without(settings, ["scenario", "load"]), at: value }),
      ),
    ),
  );
}

function machineRows(track, reference, { rows }) {
  const heads = [
    head("machine"),
    head("ratio", "number"),
    head("cores", "number"),
    head("kernel"),
    head("Python"),
    head("runtime"),
    head("noise floor", "number"),
    head("ceiling req/s", "number"),
    head("run"),
  ];
  return table({
    caption: `${trackName(track)} relative to ${reference}: the newest valid run of each machine class`,
    heads,
    rows: rows.map(({ machine, number, ratio }) => {
      const found = kept.index.machines[machine];
      return element(
        "tr",
        {},
        rowHead(element("b", {}, found.title ?? found.class)),
        data(ratio ? bothText(ratio) : "not measured beside it", "number"),
        machineData(found),
        data(link("board", { run: kept.index.runs.id[number] }, listed(number).day), "whole"),
      );
    }),
  });
}

const machineData = found => [
  data(figure0(found.cores), "number"),
  data(found.kernel ?? NOTHING),
  data(found.python ?? NOTHING),
  data(found.runtime ?? NOTHING),
  data(found.noise_floor ? bothText(figuresOf(found.noise_floor)) : NOTHING, "number"),
  data(found.ceiling_rps ? figure(found.ceiling_rps) : NOTHING, "number"),
];
const figure0 = value => (value === undefined || value === null ? NOTHING : String(value));

function acrossTable(found, reference, settings) {
  const heads = [
    head("contender"),
    head("machines", "number"),
    head("across machines", "number"),
    head("does it travel?"),
  ];
  return table({
    caption: `Ratios to ${reference} across machine classes`,
    heads,
    rows: found.map(row => {
      const name = trackName(row.track);
      return element(
        "tr",
        {},
        rowHead(
          mark(familyOf(name)),
          link("machines", { ...settings, contender: name, ref: reference }, name),
        ),
        data(String(row.rows.filter(one => one.ratio).length), "number"),
        data(row.total ? bothText(row.total.ratio) : NOTHING, "number"),
        data(row.total ? (row.total.isOpen ? "? not proven" : "✓ yes") : "– too few machines"),
      );
    }),
  });
}

function machineTable() {
  const heads = [
    head("machine"),
    head("runs", "number"),
    head("cores", "number"),
    head("kernel"),
    head("Python"),
    head("runtime"),
    head("noise floor", "number"),
    head("ceiling req/s", "number"),
  ];
  return element(
    "section",
    {},
    element("h2", {}, "Machines in this site"),
    table({
      caption: "As in the newest run of each",
      heads,
      rows: kept.index.machines.map(found =>
        element(
          "tr",
          {},
          rowHead(element("b", {}, found.title ?? found.class)),
          data(link("runs", { machine: found.id }, String(found.runs)), "number"),
          machineData(found),
        ),
      ),
    }),
  );
}

// What may not be compared, and the facts by which it is kept apart.
function apart() {
  const { machines, rule, formula } = kept.index;
  const paths = [...new Set(machines.flatMap(found => Object.keys(found.facts ?? {})))].sort();
  const telling = paths.filter(
    path => new Set(machines.map(found => JSON.stringify(found.facts?.[path] ?? null))).size > 1,
  );
  return element(
    "section",
    {},
    element("h2", {}, "What is kept apart"),
    element("p", { class: "lead" }, rule),
    element("p", { class: "notes" }, formula),
    machines.length > 1 &&
      telling.length > 0 &&
      table({
        caption: "The facts in which these machines differ: numbers of two of them are never compared",
        heads: [head("machine"), telling.map(path => head(path))],
        rows: machines.map(found =>
          element(
            "tr",
            {},
            rowHead(element("b", {}, found.title ?? found.class)),
            telling.map(path => data(factText(found.facts?.[path]))),
          ),
        ),
      }),
  );
}

const factText = value =>
  value === undefined
    ? "not recorded"
    : value === null
      ? "none"
      : Array.isArray(value)
        ? value.join(", ") || "none"
        : typeof value === "object"
          ? JSON.stringify(value)
          : String(value);
