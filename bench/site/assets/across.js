// A ratio across classes of machines, under what they have in common.

// A track with only its runs that pass the conditions.
function passingTrack(track, settings) {
  const at = passing(track.run, settings);
  const of = column => at.map(index => column[index]);
  return {
    ...track,
    run: of(track.run),
    ratio: of(track.ratio),
    low: of(track.low),
    high: of(track.high),
    held: of(track.held),
  };
}

// What machines must have in common for a ratio across them.
function settingOf(number) {
  const { runtime, placed, quota } = conditionsOf(number);
  return [
    `runtime ${runtime}`,
    placed.includes("shared") ? "servers and client on the same core" : "",
    ["none", "unknown"].includes(quota) ? "" : QUOTA(quota),
  ]
    .filter(Boolean)
    .join(", ");
}

// Every value of a track with its ratio to *reference*, the newest first, and those that make the interval.
async function travelled(track, beside, reference) {
  const stated = beside.find(
    other => trackName(other) === trackName(track) && trackReference(other) === reference,
  );
  const source = stated ?? track;
  const rows = await Promise.all(
    source.run.map(async (number, at) => {
      const ratio = stated
        ? ratioAt(stated, at)
        : await rebasedRatio(track, number, reference, track.metric);
      const machine = kept.index.runs.machine[number];
      return {
        name: shortMachine(machine),
        family: familyOf(trackName(track)),
        ratio,
        machine,
        number,
        held: source.held[at],
        setting: settingOf(number),
        isOpen: !ratio || ratio.low === null || isTie(ratio),
        why: "not measured beside it",
      };
    }),
  );
  return across(rows);
}

// The newest row of each class, of those that have in common what *same* yields and that most classes have.
function mostClasses(rows, same) {
  const groups = new Map();
  for (const row of rows.filter(one => one.ratio)) {
    const key = same(row);
    if (!groups.has(key)) groups.set(key, new Map());
    const kind = kept.index.machines[row.machine].class;
    if (!groups.get(key).has(kind)) groups.get(key).set(kind, row);
  }
  return [...groups.values()].reduce((best, other) => (other.size > best.size ? other : best), new Map());
}

// Plan and Python are held the same, unless more classes of machines come in without.
function across(rows) {
  const ways = [
    row => [row.setting, conditionsOf(row.number).plan, conditionsOf(row.number).python].join(),
    row => [row.setting, conditionsOf(row.number).plan].join(),
    row => row.setting,
  ].map(same => mostClasses(rows, same));
  const used = [...ways.reduce((best, other) => (other.size > best.size ? other : best)).values()];
  const found = acrossOf(used.map(row => row.ratio.estimate));
  const total = found && {
    name: `across ${used.length} machine classes`,
    ratio: found.across,
    isOpen: isTie(found.across),
    isTotal: true,
  };
  const newest = new Set(used.map(row => row.machine));
  const others = rows.filter(row => !newest.has(row.machine) && newest.add(row.machine));
  return {
    rows: [...used, ...others],
    used,
    setting: used[0]?.setting ?? "",
    total,
    next: found?.next ?? null,
  };
}
