// From the address to the view. A change of the address draws anew; what had the focus keeps it.

const VIEWS = {
  board: boardView,
  cell: cellView,
  machines: machinesView,
  time: timeView,
  runs: runsView,
  run: runView,
};
const NAVIGATION = {
  board: "board",
  cell: "board",
  machines: "machines",
  time: "time",
  runs: "runs",
  run: "runs",
};

let drawing = 0;
let shownView = null;

async function show() {
  const turn = ++drawing;
  const address = parsedAddress(location.hash);
  const name = address.view || "board";
  const go = settings => {
    location.hash = addressOf(name, settings);
  };
  let found;
  try {
    const view = VIEWS[name];
    if (!view) throw new Error(`There is no view "${name}".`);
    found = await view(address.settings, go);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    found = {
      title: "Not found",
      say: error.message,
      content: [
        element("h1", {}, "Not found"),
        element("p", { class: "warning" }, error.message),
        element("p", {}, link("board", {}, "To the board")),
      ],
    };
  }
  if (turn === drawing) place(name, found, address.settings);
}

function place(name, { title, say, content }, settings = {}) {
  const main = document.getElementById("main");
  const focused = document.activeElement?.id;
  const at = scrollY;
  const open = new Set(
    [...main.querySelectorAll("details[data-keeps-open][open]")].map(details => details.id),
  );
  main.replaceChildren(...content.flat(3).filter(isContent));
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  markScrolling();
  document.title = `${title} · ${document.body.dataset.site}`;
  for (const entry of document.querySelectorAll("nav a")) {
    entry.href = addressOf(entry.dataset.view, carried(settings));
    if (entry.dataset.view === NAVIGATION[name]) entry.setAttribute("aria-current", "page");
    else entry.removeAttribute("aria-current");
  }
  document.getElementById("live").textContent = say ?? "";
  const isOther = shownView !== null && shownView !== name;
  shownView = name;
  if (isOther) {
    scrollTo(0, 0);
    const heading = main.querySelector("h1");
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  } else {
    scrollTo(0, at);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

// What scrolls sideways is a stop of the keyboard, with a name; what fits is none.
function markScrolling() {
  for (const box of document.querySelectorAll(".box")) {
    const scrolls = box.scrollWidth > box.clientWidth;
    for (const [name, value] of [
      ["tabindex", "0"],
      ["role", "region"],
      ["aria-label", box.dataset.label],
    ]) {
      if (scrolls) box.setAttribute(name, value);
      else box.removeAttribute(name);
    }
  }
}

function footer() {
  const { about, built_at: built, rule } = kept.index;
  document.getElementById("about").textContent =
    `${plural(about.runs, "run")}, ${about.valid} valid, on ${plural(about.machines, "kind")} of machines, ${dayOf(String(about.from))} to ${dayOf(String(about.to))}. Built ${dayOf(built)}.`;
}

addEventListener("hashchange", show);
addEventListener("resize", markScrolling);
matchMedia("(max-width: 40rem)").addEventListener("change", show);
document.getElementById("skip").addEventListener("click", event => {
  event.preventDefault(); // the address is the view
  document.getElementById("main").focus();
});
loaded("index").then(
  () => {
    footer();
    return show();
  },
  error =>
    place("board", {
      title: "No data",
      say: error.message,
      content: [element("h1", {}, "No data"), element("p", { class: "warning" }, error.message)],
    }),
);
