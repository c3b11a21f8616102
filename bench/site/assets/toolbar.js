// The choices above a view. Each is in the address under its own name.

const toolbar = (choices, ...more) =>
  element("div", { class: "toolbar" }, element("div", { class: "choices-row" }, choices), more);

const named = names => names.map(name => [name, name]);
const withChosen = (names, chosen) => (chosen === null || names.includes(chosen) ? names : [chosen, ...names]);

const contenderChoice = (names, chosen, settings, go) =>
  select("choose-contender", "Contender", named(withChosen(names, chosen)), chosen, value =>
    go({ ...without(settings, firstOf(settings, "ref") === value ? ["ref"] : []), contender: value }),
  );

const referenceChoice = (names, chosen, settings, go) =>
  select("choose-ref", "Relative to", named(withChosen(names, chosen)), chosen, value =>
    go({ ...settings, ref: value }),
  );

const measureChoice = (metrics, chosen, settings, go) =>
  select(
    "choose-metric",
    "Measure",
    metrics.map(name => [name, METRIC_NAMES[name] ?? name]),
    chosen,
    value => go({ ...settings, metric: value }),
  );

// *places* are tracks, each of another scenario, load or project.
function placeChoice(places, chosen, settings, go) {
  const several = new Set(places.map(found => found.project)).size > 1;
  return select(
    "choose-place",
    "Scenario and load",
    places.map(found => [
      placeOf(found),
      `${scenarioText(found)}${several ? `, project ${projectName(found.project)}` : ""}`,
    ]),
    placeOf(chosen),
    value => {
      const found = places.find(place => placeOf(place) === value);
      go({
        ...settings,
        scenario: trackScenario(found).name,
        load: trackLoad(found).slug,
        ...(several ? { project: kept.index.projects[found.project].id } : {}),
      });
    },
  );
}

function sinceChoice(days, settings, go) {
  return element(
    "label",
    { class: "choice", for: "choose-since" },
    element("span", {}, "Since"),
    element("input", {
      type: "date",
      id: "choose-since",
      value: firstOf(settings, "since") ?? "",
      min: days[0],
      max: days[days.length - 1],
      change: event => go({ ...settings, since: event.target.value }),
    }),
  );
}

const projectName = number =>
  kept.index.projects[number].name || kept.index.projects[number].id.slice(0, 12);
