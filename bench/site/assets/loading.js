// The data are scripts beside the page: a page that was opened from a file may read nothing else.

const kept = { index: null, machines: null, runs: new Map(), trends: new Map() };
window.benchIndex = found => {
  kept.index = found;
};
window.benchMachines = found => {
  kept.machines = found;
};
window.benchRun = (id, found) => {
  kept.runs.set(id, openedRun(found));
};
window.benchTrend = (number, found) => {
  kept.trends.set(number, found);
};

const pending = new Map();
function loaded(file) {
  if (!pending.has(file)) {
    pending.set(
      file,
      new Promise((resolve, reject) => {
        const script = element("script", { src: `data/${encodeURIComponent(file)}.js` });
        script.addEventListener("load", resolve);
        script.addEventListener("error", () => {
          pending.delete(file);
          reject(new Error(`data/${file}.js is missing or damaged: build the site again with bench site.`));
        });
        document.head.append(script);
      }),
    );
  }
  return pending.get(file);
}

async function runOf(id) {
  if (!kept.index.runs.id.includes(id))
    throw new Error(`No run ${id} is in this site: see "Runs" for those that are.`);
  if (!kept.runs.has(id)) await loaded(id);
  return kept.runs.get(id);
}

async function trendOf(number) {
  if (!kept.trends.has(number)) await loaded(`trend-${number}`);
  return kept.trends.get(number);
}

async function machineTracks() {
  if (!kept.machines) await loaded("machines");
  return kept.machines.tracks;
}

const STATES = { v: "valid", p: "partial", i: "invalid" };

// One run of the index, by its position.
function listed(number) {
  const { runs, machines, plans, projects, stacks } = kept.index;
  return {
    number,
    id: runs.id[number],
    at: runs.at[number],
    day: new Date(runs.at[number] * 1000).toISOString().slice(0, 10),
    plan: plans[runs.plan[number]],
    machine: machines[runs.machine[number]],
    project: projects[runs.project[number]],
    versions: stacks[runs.stack[number]] ?? "",
    commit: runs.commit[number],
    state: STATES[runs.state[number]],
    voidShare: runs.void[number] / 1000,
    isOld: runs.newer[number] === "1",
    trend: runs.trend[number],
  };
}

const numberOf = id => kept.index.runs.id.indexOf(id);
