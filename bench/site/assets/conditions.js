// Under what runs were carried out. A reader chooses among what the site has; two of a kind are never mixed
// without a word.

const conditionsOf = number => kept.index.conditions[kept.index.runs.conditions[number]];

const PLACED = value =>
  value === "unknown"
    ? "not recorded"
    : value.endsWith(", shared")
      ? `${value.split(",")[0]}, shared with the client`
      : value;
const QUOTA = value =>
  ({ none: "no limit", unknown: "not recorded" })[value] ?? `${value} cores' worth of CPU time`;

// Each condition: its name in the address, what it is of a run, by its number, and the words of its values.
const CONDITIONS = [
  { name: "plan", label: "Plan", of: number => [conditionsOf(number).plan], words: asItIs },
  {
    name: "machine",
    label: "Machine",
    of: number => [kept.index.machines[kept.index.runs.machine[number]].id],
    words: id => tellingMachine(kept.index.machines.findIndex(found => found.id === id)),
  },
  { name: "runtime", label: "Runtime", of: number => [conditionsOf(number).runtime], words: asItIs },
  { name: "cores", label: "Cores of the machine", of: number => [conditionsOf(number).cores], words: asItIs },
  { name: "placed", label: "Cores of the servers", of: number => [conditionsOf(number).placed], words: PLACED },
  { name: "quota", label: "CPU limit", of: number => [conditionsOf(number).quota], words: QUOTA },
  { name: "python", label: "Python", of: number => conditionsOf(number).python, words: asItIs },
];

const pythonCondition = CONDITIONS.find(({ name }) => name === "python");

const shortMachine = number =>
  kept.index.machines[number]?.short ?? kept.index.machines[number]?.class ?? "unknown";

const runPasses = (number, settings) =>
  CONDITIONS.every(
    ({ name, of }) => !settings[name]?.length || of(number).some(value => settings[name].includes(value)),
  );

// What of its short name tells a machine from the others of the site.
function tellingMachine(number) {
  const names = kept.index.machines.map((_, other) => shortMachine(other).split(", "));
  const telling = names[number].filter(part => !names.every(parts => parts.includes(part)));
  return telling.join(", ") || names[number][0];
}

// Where in a column of runs those stand that pass.
const passing = (runs, settings) =>
  runs.map((number, at) => (runPasses(number, settings) ? at : -1)).filter(at => at >= 0);

const valuesOfCondition = ({ of }) =>
  [...new Set(kept.index.runs.id.flatMap((_, number) => of(number)))].sort(compareVersions);

// A select for each condition that differs within the site.
function conditionChoices(settings, go) {
  return CONDITIONS.map(condition => {
    const values = valuesOfCondition(condition);
    const chosen = firstOf(settings, condition.name);
    if (values.length < 2 && !chosen) return null;
    return select(
      `condition-${condition.name}`,
      condition.label,
      [["", "any"], ...withChosen(values, chosen).map(value => [value, condition.words(value)])],
      chosen ?? "",
      value => go({ ...without(settings, ["run", "page"]), [condition.name]: value }),
    );
  });
}

const conditionsSet = settings => CONDITIONS.filter(({ name }) => settings[name]?.length);

// The chosen conditions in words: "Plan quick; Python 3.13".
const conditionsText = settings =>
  conditionsSet(settings)
    .map(({ name, label, words }) => `${label} ${settings[name].map(words).join(" or ")}`)
    .join("; ");

function conditionsForm(settings, go, more = null, count = 0) {
  const set = conditionsSet(settings).length + count;
  const choices = conditionChoices(settings, go);
  if (!choices.some(Boolean) && !more) return null;
  return element(
    "details",
    { class: "filters", id: "filters", "data-keeps-open": true },
    element("summary", { id: "filters-summary" }, set ? `Filters (${set} set)` : "Filters"),
    choices.some(Boolean) && element("div", { class: "choices-row" }, choices),
    more,
  );
}

function noRunPasses(settings, go) {
  const names = conditionsSet(settings).map(({ name }) => name);
  return [
    element(
      "p",
      { class: "warning" },
      element("b", {}, "No run passes. "),
      `No valid run has all of this: ${conditionsText(settings)}.`,
    ),
    toolbar(
      toggle("conditions-none", "Without these filters", false, () => go(without(settings, [...names, "run"]))),
      conditionsForm(settings, go),
    ),
  ];
}
