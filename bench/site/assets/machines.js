// Machines: does a ratio travel? One row per machine, and the interval across classes of machines.

async function machinesView(settings, go) {
  const all = bothSides(await machineTracks());
  const intro = [element("h1", {}, "Machines ", element("small", {}, "does a ratio travel?"))];
  if (!all.length)
    return {
      title: "Machines",
      say: "",
      content: [...intro, element("p", {}, "No valid run has a ratio."), machineTable(), apart()],
    };
  const tracks = all.map(track => passingTrack(track, settings)).filter(track => track.run.length);
  if (!tracks.length) return nonePasses("Machines", settings, go);
  const metrics = namesOf(tracks, track => track.metric).reverse();
  const wanted = firstOf(settings, "metric");
  const metric = metrics.includes(wanted) ? wanted : metrics[0];
  const measured = tracks.filter(track => track.metric === metric);
  const track = bestFit(measured, settings);
  const name = trackName(track);
  const named = firstOf(settings, "ref");
  const reference = named && named !== name ? named : trackReference(track);
  const beside = measured.filter(other => placeOf(other) === placeOf(track));
  const row = await travelled(track, beside, reference);
  return {
    title: `Machines: ${name}`,
    say: `${name} relative to ${reference} on ${plural(row.rows.length, "machine")}. ${travelText(row)}`,
    content: [
      ...intro,
      element("p", { class: "headline" }, travelSentence(track, reference, row)),
      notThere(settings, name),
      toolbar(
        [
          contenderChoice(namesOf(beside, trackName), name, settings, go),
          referenceChoice(
            namesOf(beside, trackName).filter(other => other !== name),
            reference,
            settings,
            go,
          ),
          placeChoice(
            [...new Map(measured.map(found => [placeOf(found), found])).values()],
            track,
            settings,
            go,
          ),
          metrics.length > 1 && measureChoice(metrics, metric, settings, go),
        ],
        conditionsForm(settings, go),
      ),
      forest(
        row.rows.concat(row.total ? [row.total] : []),
        metric === "throughput_rps" ? ["slower", "faster"] : ["costs less", "costs more"],
        travelSentence(track, reference, row),
      ),
      machineRows(track, reference, row, settings),
      mixed(row),
      element(
        "section",
        {},
        element("h2", {}, "All contenders ", element("small", {}, scenarioText(track))),
        acrossTable(await contendersBeside(beside, reference), reference, settings),
      ),
      machineTable(),
      apart(),
    ],
  };
}

function travelText({ used, total }) {
  if (!total) return `Not known across machines: 3 kinds of machines are needed, and there ${used.length === 1 ? "is 1" : `are ${used.length}`}.`;
  return total.isOpen
    ? "Across machines no difference is proven: it does not travel."
    : "The whole interval across machines is on one side of 1: it travels.";
}

// On how many classes the difference is proven, and on which side.
function sidesText({ used }) {
  const above = used.filter(row => !row.isOpen && row.ratio.estimate > 1).length;
  const below = used.filter(row => !row.isOpen && row.ratio.estimate < 1).length;
  const parts = [above && `above 1 on ${above}`, below && `below 1 on ${below}`].filter(Boolean);
  return `The interval is ${parts.join(" and ") || "on neither side of 1 on any"} of ${used.length}.`;
}

function travelSentence(track, reference, row) {
  const plans = [...new Set(row.used.map(({ number }) => conditionsOf(number).plan))];
  const name = `${trackName(track)} relative to ${reference}, ${METRIC_NAMES[track.metric]}, ${scenarioText(track)}`;
  const from = `${plans.length > 1 ? "plans" : "plan"} ${plans.join(" and ")}, ${row.setting}`;
  if (!row.total) return `${name} (${from}): ${travelText(row)} ${sidesText(row)}`;
  const next = ` On one more machine it would lie within ${ratioText(row.next[0])}–${ratioText(row.next[1], row.next[0])}.`;
  return `${name} (${from}): ${bothText(row.total.ratio)} across ${row.used.length} machine classes. ${travelText(row)} ${sidesText(row)}${next}`;
}

function whyLeft(row, used) {
  if (!row.ratio) return row.why;
  if (!used.length || row.setting !== used[0].setting) return row.setting;
  const kind = kept.index.machines[row.machine].class;
  return used.some(other => kept.index.machines[other.machine].class === kind)
    ? "another of its kind counts"
    : `plan ${conditionsOf(row.number).plan}, Python ${conditionsOf(row.number).python.join(" and ")}`;
}

// What differs between the machines of the interval beside the machine.
function mixed({ rows, used }) {
  const differs = what => {
    const known = new Map();
    for (const row of used)
      for (const [who, content] of Object.entries(row.held[what] ?? {}))
        known.set(who, (known.get(who) ?? new Set()).add(content));
    return [...known.values()].some(contents => contents.size > 1);
  };
  const plans = new Set(used.map(({ number }) => conditionsOf(number).plan)).size > 1;
  const notes = ["code", "versions of frameworks", "versions of Python"].filter(differs);
  if (plans) notes.push("plans");
  const texts = [
    notes.length && `Between these machines differ: ${notes.join(", ")}. The filters can hold plan and Python the same.`,
    ...rows.filter(row => !used.includes(row)).map(row => `${shortMachine(row.machine)} does not count: ${whyLeft(row, used)}.`),
  ].filter(Boolean);
  return texts.length ? element("ul", { class: "notes" }, texts.map(text => element("li", {}, text))) : null;
}

function machineRows(track, reference, { rows, used }, settings) {
  const heads = [
    head("machine"),
    head("ratio", "number"),
    head("plan"),
    head("run"),
    head("Python"),
    head("runtime"),
    head("servers' cores"),
    head("CPU limit"),
  ];
  return table({
    caption: `${trackName(track)} relative to ${reference}: the newest run of each machine that counts`,
    heads,
    rows: rows.map(row => {
      const { machine, number, ratio } = row;
      const found = conditionsOf(number);
      return element(
        "tr",
        { class: used.includes(row) ? null : "control" },
        rowHead(element("b", {}, kept.index.machines[machine].title ?? kept.index.machines[machine].class)),
        data(ratio ? bothText(ratio) : "not measured beside it", "number"),
        data(found.plan),
        data(
          link("board", { ...carried(settings), run: kept.index.runs.id[number] }, listed(number).day),
          "whole",
        ),
        data(found.python.join(", ") || NOTHING),
        data(found.runtime),
        data(PLACED(found.placed)),
        data(QUOTA(found.quota)),
      );
    }),
  });
}

async function contendersBeside(beside, reference) {
  const names = namesOf(beside, trackName).filter(name => name !== reference);
  return Promise.all(
    names.map(async name => {
      const own = beside.filter(track => trackName(track) === name);
      const track = own.find(found => trackReference(found) === reference) ?? own[0];
      return { track, ...(await travelled(track, beside, reference)) };
    }),
  );
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
    head("machine classes", "number"),
    head("range of ratios", "number"),
    head("across machines", "number"),
    head("does it travel?"),
  ];
  return table({
    caption: `Ratios to ${reference} across machine classes`,
    heads,
    rows: found.map(row => {
      const name = trackName(row.track);
      const ratios = row.used.map(one => one.ratio.estimate);
      return element(
        "tr",
        {},
        rowHead(
          mark(familyOf(name)),
          link("machines", { ...settings, contender: name, ref: reference }, name),
        ),
        data(String(row.used.length), "number"),
        data(
          ratios.length > 1
            ? `${ratioText(Math.min(...ratios))}–${ratioText(Math.max(...ratios))}`
            : ratioText(ratios[0]),
          "number",
        ),
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
    head("Python of the harness"),
    head("runtime"),
    head("noise floor", "number"),
    head("highest ceiling, req/s", "number"),
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
