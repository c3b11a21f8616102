// What a board shows: filters of contenders and scenarios, and presets of one click.

const yesOrNo = value => (value === undefined || value === null ? "unknown" : value ? "yes" : "no");
const DATA_WORDS = { orm: "ORM", sql: "SQL by hand", none: "no database" };

// Each facet: its name in the address, what it is of a contender or a scenario, and the words of its values.
const FACETS = [
  { name: "framework", label: "Framework", of: cell => cell.who.framework, words: asItIs },
  { name: "server", label: "Server", of: cell => cell.who.server, words: asItIs },
  { name: "interface", label: "Interface", of: cell => cell.who.interface, words: asItIs },
  {
    name: "data",
    label: "ORM or SQL",
    of: cell => cell.who.data ?? (cell.who.database ? "unknown" : "none"),
    words: value => DATA_WORDS[value] ?? value,
  },
  { name: "async", label: "Async", of: cell => yesOrNo(cell.who.is_async), words: asItIs },
  {
    name: "python",
    label: "Python",
    of: cell => (cell.who.python ? minorOf(cell.who.python) : "unknown"),
    words: asItIs,
  },
  { name: "db", label: "Scenario has SQL", of: cell => yesOrNo(cell.what.database), words: asItIs },
  { name: "scenarios", label: "Scenario", of: cell => cell.what.name, words: asItIs },
  { name: "loads", label: "Load", of: cell => cell.how.slug, words: asItIs },
];

function passes(cell, settings) {
  if (firstOf(settings, "latest") && cell.newer.length) return false;
  return FACETS.every(
    facet => !settings[facet.name]?.length || settings[facet.name].includes(String(facet.of(cell))),
  );
}

// The servers that serve more than one framework: with one of them, a difference is not the server's.
function sharedServers(run) {
  const frameworks = new Map();
  for (const { who } of run.cells)
    frameworks.set(who.server, (frameworks.get(who.server) ?? new Set()).add(who.framework));
  const most = Math.max(0, ...[...frameworks.values()].map(found => found.size));
  return most < 2
    ? []
    : [...frameworks]
        .filter(([, found]) => found.size === most)
        .map(([server]) => server)
        .slice(0, 1);
}

function presetsOf(run) {
  const server = sharedServers(run);
  return [
    { id: "with", text: "With a database", settings: { db: ["yes"] } },
    { id: "without", text: "Without", settings: { db: ["no"] } },
    { id: "orm", text: "Database and ORM", settings: { db: ["yes"], data: ["orm"] } },
    server.length ? { id: "server", text: `Same server (${server[0]})`, settings: { server } } : null,
    { id: "async", text: "Async", settings: { async: ["yes"] } },
    { id: "latest", text: "Only latest releases", settings: { latest: ["yes"] } },
  ].filter(Boolean);
}

const isSet = (settings, wanted) =>
  Object.entries(wanted).every(([name, values]) => String(settings[name] ?? "") === String(values));

function presetBar(run, settings, go) {
  const chosen = [...FACETS.map(facet => facet.name), "latest"].filter(name => settings[name]?.length);
  const wholly = wanted => isSet(settings, wanted) && chosen.length === Object.keys(wanted).length;
  return element(
    "div",
    { class: "presets", role: "group", "aria-label": "Presets" },
    toggle("preset-all", "All", !chosen.length, () => go(without(settings, chosen))),
    presetsOf(run).map(({ id, text, settings: wanted }) =>
      toggle(`preset-${id}`, text, wholly(wanted), () => go({ ...without(settings, chosen), ...wanted })),
    ),
  );
}

// Of contenders and scenarios; those of runs are conditions. Python is both: it chooses runs, then rows.
function filterForm(run, settings, go) {
  const own = FACETS.filter(({ name }) => name !== "python" || valuesOfCondition(pythonCondition).length < 2);
  const set = own.filter(facet => settings[facet.name]?.length).length;
  const fields = own.map(facet => facetField(run, facet, settings, go));
  return conditionsForm(settings, go, element("div", { class: "facets" }, fields), set);
}

function facetField(run, facet, settings, go) {
  const chosen = settings[facet.name] ?? [];
  const values = [
    ...new Set(run.cells.filter(cell => !cell.who.is_twin).map(cell => String(facet.of(cell)))),
  ].sort(compareVersions);
  if (values.length < 2 && !chosen.length) return null;
  return element(
    "fieldset",
    {},
    element("legend", {}, facet.label),
    values.map((value, number) => {
      const id = `filter-${facet.name}-${number}`;
      return element(
        "label",
        { for: id },
        element("input", {
          type: "checkbox",
          id,
          checked: chosen.includes(value),
          change: event =>
            go({
              ...settings,
              [facet.name]: event.target.checked ? [...chosen, value] : chosen.filter(other => other !== value),
            }),
        }),
        ` ${facet.words(value)}`,
      );
    }),
  );
}
