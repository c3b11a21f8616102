// Runs: every run with its date, versions, plan and void share. A run by itself.

const PAGE = 100; // runs on a page

function runsView(settings, go) {
  const { index } = kept;
  const wanted = {
    state: found => found.state,
    project: found => found.project?.id,
  };
  const all = index.runs.id
    .map((_, number) => listed(number))
    .filter(found => runPasses(found.number, settings))
    .filter(found =>
      Object.entries(wanted).every(
        ([name, of]) => !settings[name]?.length || settings[name].includes(String(of(found))),
      ),
    );
  const page = Math.min(
    Math.max(1, Number(firstOf(settings, "page")) || 1),
    Math.ceil(all.length / PAGE) || 1,
  );
  const shown = all.slice((page - 1) * PAGE, page * PAGE);
  const anyOf = (id, label, name, options) =>
    options.length > 1 || settings[name]?.length
      ? select(id, label, [["", "all"], ...options], firstOf(settings, name) ?? "", value =>
          go({ ...without(settings, ["page"]), [name]: value }),
        )
      : null;
  return {
    title: "Runs",
    say: `${plural(all.length, "run")}, page ${page}.`,
    content: [
      element(
        "h1",
        {},
        "Runs ",
        element(
          "small",
          {},
          `${plural(index.runs.id.length, "run")} on ${plural(index.about.machines, "kind")} of machines`,
        ),
      ),
      toolbar([
        conditionChoices(settings, go),
        anyOf(
          "choose-state",
          "State",
          "state",
          Object.values(STATES).map(name => [name, name]),
        ),
        anyOf(
          "choose-project",
          "Project",
          "project",
          index.projects.map((found, number) => [found.id, projectName(number)]),
        ),
      ]),
      table({
        style: "dated",
        caption: "Newest first. A partial or invalid run is in no rank and no comparison",
        heads: [
          head("date"),
          head("plan"),
          head("state"),
          head("machine"),
          head("versions"),
          head("void", "number"),
          head("commit"),
        ],
        rows: shown.map(runRow),
      }),
      element(
        "p",
        { class: "pages" },
        page > 1 && link("runs", { ...settings, page: page - 1 }, "Newer runs"),
        page > 1 && page * PAGE < all.length && " · ",
        page * PAGE < all.length && link("runs", { ...settings, page: page + 1 }, "Older runs"),
      ),
      leftOut(),
    ],
  };
}

const STATE_SIGNS = { valid: "✓", partial: "◐", invalid: "✗" };

function runRow(found) {
  return element(
    "tr",
    { class: found.state === "valid" ? null : "control" },
    element("th", { scope: "row" }, link("run", { run: found.id }, found.day)),
    data(link("board", { run: found.id }, found.plan)),
    data(`${STATE_SIGNS[found.state]} ${found.state}`, "whole"),
    data(found.machine?.title ?? found.machine?.class ?? NOTHING),
    data([
      found.versions || NOTHING,
      found.isOld && element("small", { class: "older" }, "older: a newer release was seen"),
    ]),
    data(percent(found.voidShare), "number"),
    data(element("code", {}, found.commit || NOTHING)),
  );
}

const coresText = numbers =>
  numbers?.length ? `${plural(numbers.length, "core")} (number ${numbers.join(", ")})` : undefined;

function leftOut() {
  const texts = kept.index.left_out ?? [];
  if (!texts.length) return null;
  return element(
    "section",
    {},
    element("h2", {}, "Left out"),
    element("p", { class: "lead" }, "These files are not in this site:"),
    element(
      "ul",
      {},
      texts.map(text => element("li", {}, text)),
    ),
  );
}

async function runView(settings) {
  const run = await runOf(firstOf(settings, "run") ?? "");
  const { submission } = run;
  const { facts: known, plan } = submission;
  const found = listed(numberOf(submission.id));
  return {
    title: `Run ${submission.id}`,
    say: `Run of ${dayOf(submission.started_at)}, ${found.state}.`,
    content: [
      element("h1", {}, `Run of plan ${plan.name} `, element("small", {}, minuteOf(submission.started_at))),
      conditions(run, link("board", { run: submission.id }, "its board")),
      element(
        "ul",
        { class: "links" },
        element("li", {}, link("time", { run: submission.id }, "Its trends")),
        element(
          "li",
          {},
          element(
            "a",
            { href: `runs/${encodeURIComponent(submission.id)}.json`, download: true },
            "Its file (JSON)",
          ),
        ),
      ),
      facts("What was carried out", [
        ["State", `${STATE_SIGNS[found.state]} ${found.state}${unusable(run) ? `, ${unusable(run)}` : ""}`],
        ["Plan", plan.content.about || plan.name],
        ["Started", minuteOf(submission.started_at)],
        ["Lasted", `${Math.round(submission.lasted_s)} s`],
        [
          "Void slices",
          `${submission.void_slices.toLocaleString("en-US")} of ${submission.slices.toLocaleString("en-US")} (${percent(submission.void_slices / submission.slices)})`,
        ],
        ["Rounds and sweeps", `${plan.content.rounds} and ${plan.content.sweeps}`],
        ["Project", submission.project.name || submission.project.id],
        ["Commit", submission.project.commit && element("code", {}, outward(codeAddress(run), submission.project.commit))],
        ["Hash of the plan", element("code", {}, plan.hash)],
        [
          "Recorded before the first slice",
          plan.hash_at_start
            ? plan.hash_at_start === plan.hash
              ? "✓ the same hash"
              : "✗ another hash"
            : "not recorded",
        ],
        ["Harness", submission.bench],
      ]),
      contenderTable(run),
      claimTable(run),
      facts("Machine", [
        ["Class", known.machine?.class],
        ["CPU", known.machine?.cpu],
        ["Cores", known.machine?.cores],
        ["Memory", known.machine?.memory_bytes && mebibytes(known.machine.memory_bytes)],
        ["Virtual", known.machine?.virtual],
        ["Kernel", known.system?.kernel],
        ["Governors", known.system?.governors?.join(", ")],
        ["Python of the harness", known.python?.version],
        ["CPU limit", QUOTA(conditionsOf(found.number).quota)],
        ["Cores of the servers", coresText(known.placement?.server)],
        ["Cores of the client", coresText(known.placement?.client)],
        ["Cores of the database", coresText(known.placement?.database)],
        ...Object.entries(known.services ?? {}).map(([name, service]) => [name, service.version]),
      ]),
      submission.caveats?.length > 0 &&
        element(
          "section",
          {},
          element("h2", {}, "Caveats"),
          element(
            "ul",
            {},
            submission.caveats.map(text => element("li", {}, text)),
          ),
        ),
      submission.events?.length > 0 &&
        element(
          "section",
          {},
          element("h2", {}, "Events"),
          element(
            "ul",
            {},
            submission.events.map(event =>
              element(
                "li",
                {},
                `${figure(event.at_s)} s: ${event.contender ? `${event.contender}: ` : ""}${event.what}`,
              ),
            ),
          ),
        ),
    ],
  };
}

function contenderTable(run) {
  const { submission } = run;
  const heads = [
    head("contender"),
    head("framework"),
    head("server"),
    head("interface"),
    head("data"),
    head("Python"),
    head("checks"),
    head("code"),
  ];
  return table({
    caption: "Contenders and their code",
    heads,
    rows: submission.contenders
      .filter(who => !who.is_twin)
      .map((who, number) =>
        element(
          "tr",
          {},
          rowHead(
            mark(familyOf(who.name)),
            element("b", {}, who.name),
            element("small", {}, who.stack),
            age({ newer: run.newer[submission.contenders.indexOf(who)] ?? [] }),
          ),
          data([who.framework, who.framework_version].filter(Boolean).join(" ")),
          data([who.server, who.server_version].filter(Boolean).join(" ")),
          data(`${who.interface}${who.is_async ? ", async" : ""}`),
          data(DATA_WORDS[who.data] ?? (who.database ? "unknown" : "no database")),
          data(who.python ?? NOTHING),
          data(who.checks === "passed" ? `✓ ${who.checks_passed} passed` : `✗ ${who.checks}`),
          data(outward(codeAddress(run, who.folder), who.folder)),
        ),
      ),
  });
}

function claimTable(run) {
  const { plan, findings = [] } = run.submission;
  if (!plan.claims?.length) return null;
  const signs = { supported: "✓", "not supported": "✗" };
  return table({
    caption: "Claims of the plan, and what this run shows",
    heads: [head("claim"), head("verdict"), head("why")],
    rows: plan.claims.map((claim, number) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, claim.text ?? claim.claim ?? claim.quote ?? JSON.stringify(claim)),
        data(
          findings[number]
            ? `${signs[findings[number].verdict] ?? "?"} ${findings[number].verdict}`
            : NOTHING,
          "whole",
        ),
        data(findings[number]?.why ?? ""),
      ),
    ),
  });
}
