// One sentence on what a board shows: who is ahead of those that passed the filters, and where nobody is.

const MOST_NAMED = 3; // columns, or contenders that share a place, before "and 2 more"

const listText = names =>
  names.length > MOST_NAMED + 1
    ? `${names.slice(0, MOST_NAMED).join(", ")} and ${names.length - MOST_NAMED} more`
    : names.join(", ").replace(/, ([^,]*)$/, " and $1");

const FILTER_WORDS = {
  db: { yes: "with a database", no: "without a database" },
  data: {
    orm: "with an ORM",
    sql: "with SQL by hand",
    none: "without a database",
    unknown: "with unknown SQL",
  },
  async: { yes: "with async views", no: "without async views", unknown: "of unknown async" },
  framework: value => `of ${value}`,
  server: value => `on ${value}`,
  interface: value => `by ${value}`,
  python: value => `on Python ${value}`,
};

function filterText(settings) {
  const parts = Object.entries(FILTER_WORDS)
    .filter(([name]) => settings[name]?.length)
    .map(([name, words]) =>
      typeof words === "function"
        ? words(settings[name].join(" or "))
        : settings[name].map(value => words[value] ?? value).join(" or "),
    );
  if (firstOf(settings, "latest")) parts.push("of the latest releases");
  return [...new Set(parts)].join(" and ").replace(/ and with /g, " and ");
}

function boardHeadline(run, columns, reference, settings) {
  if (!columns.length) return null;
  const names = new Set(columns.flatMap(column => [...column.judgements.keys()]));
  const metrics = new Set(columns.map(column => column.metric));
  const who = [
    plural(names.size, "contender"),
    filterText(settings),
    metrics.size === 1 && `by ${METRIC_NAMES[columns[0].metric]}`,
  ]
    .filter(Boolean)
    .join(" ");
  const several = new Set(columns.map(column => column.load.slug)).size > 1;
  const told = columns.map(column => leadText(run, column, reference));
  const isAllTheSame = columns.length > 1 && new Set(told).size === 1;
  const leads = isAllTheSame
    ? [`in each of ${columns.length} columns ${told[0]}`]
    : columns.slice(0, MOST_NAMED).map((column, at) => `in ${placeText(column, several)}, ${told[at]}`);
  const more = isAllTheSame ? 0 : columns.length - leads.length;
  if (more > 0) leads.push(`${plural(more, "more column")} ${more > 1 ? "are" : "is"} below`);
  return element("p", { class: "headline" }, `Among ${who}: ${leads.join("; ")}. ${measuredText(run)}.`);
}

const placeText = (column, several) =>
  `${column.scenario.about || column.scenario.name}${several ? ` at ${column.load.title}` : ""}`;

function measuredText(run) {
  const { submission } = run;
  const pythons = conditionsOf(numberOf(submission.id)).python;
  return [
    `Measured ${dayOf(submission.started_at)} on ${shortMachine(run.machine)}`,
    `plan ${submission.plan.name}`,
    pythons.length && `Python ${pythons.join(" and ")}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function leadText(run, column, reference) {
  const shown = column.kept;
  const placed = [...column.ranks].filter(([, rank]) => rank === 1).map(([cell]) => cell);
  const without = shown.length - column.ranks.size;
  if (!placed.length) return `nobody is ahead: ${whyUndecided(run, column)}`;
  if (shown.length === 1) return `only ${shown[0].name} is shown`;
  const better = MORE_IS_BETTER[column.metric] ? -1 : 1;
  const valueOf = cell => column.judgements.get(cell.name).ratio?.estimate ?? 0;
  const leaders = placed.sort((one, other) => better * (valueOf(one) - valueOf(other)));
  const lead = MORE_IS_BETTER[column.metric]
    ? leaders.length > 1
      ? "share the first place"
      : "is ahead"
    : leaders.length > 1
      ? "share the least CPU per request"
      : "needs the least CPU per request";
  const open =
    leaders.length > 1
      ? []
      : [...column.ranks.keys()].filter(
          other => other !== leaders[0] && !provenBeside(run, column, leaders[0], other, column.metric),
        );
  return [
    `${listText(leaders.map(cell => cell.name))} ${lead}${besideText(column, leaders, reference)}`,
    open.length && `not proven against ${listText(open.map(cell => cell.name))}`,
    without && `${without} of ${shown.length} without a place`,
  ]
    .filter(Boolean)
    .join(", ");
}

// ", 1.072 to 1.162 and 1.096 to 1.118 × flask"
function besideText(column, leaders, reference) {
  const against = leaders.filter(cell => cell.name !== reference).slice(0, MOST_NAMED);
  const ratios = against.map(cell => column.judgements.get(cell.name)).filter(found => found.ratio);
  if (!column.against || !ratios.length)
    return leaders.some(cell => cell.name === reference) ? ", the reference" : "";
  const texts = ratios.map(({ ratio }) =>
    ratio.low === null
      ? `${ratioText(ratio.estimate)} without an interval`
      : `${ratioText(ratio.low, ratio.estimate)} to ${ratioText(ratio.high, ratio.estimate)}`,
  );
  const tie = ratios.every(found => found.isOpen) ? ", which is no proven difference" : "";
  return `, ${listText(texts)} × ${reference}${tie}`;
}

function whyUndecided(run, column) {
  if (!run.isUsable) return `the run is ${unusable(run)}`;
  const fit = column.kept.filter(cell => cell.requests && !unfitOf(cell));
  if (column.kept.every(cell => cell.paced)) return "the rate is given, so only latency differs, as shown below";
  if (!fit.length) return "no row may be compared";
  return fit.some(cell => column.judgements.get(cell.name).ratio?.low)
    ? "some rows have too few rounds for an interval"
    : "there are too few rounds for intervals";
}
