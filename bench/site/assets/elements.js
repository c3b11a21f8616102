// Elements of the page. Names come from the files of strangers: they are only ever set as text.

const SVG = "http://www.w3.org/2000/svg";
const isContent = part => part !== null && part !== undefined && part !== false && part !== "";

function filled(made, attributes, content) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const part of content.flat(3)) if (isContent(part)) made.append(part);
  return made;
}

const element = (tag, attributes = {}, ...content) =>
  filled(document.createElement(tag), attributes, content);
const drawn = (tag, attributes = {}, ...content) =>
  filled(document.createElementNS(SVG, tag), attributes, content);
const unseen = text => element("span", { class: "unseen" }, text);
const link = (view, settings, ...content) => element("a", { href: addressOf(view, settings) }, ...content);

// Only to the code of a public forge: no other scheme, and no address that a file could make up.
function outward(url, text) {
  return /^https:\/\/[\w.-]+\/[^\s"'<>]*$/.test(url)
    ? element("a", { href: url, rel: "noreferrer" }, text)
    : text;
}

function mark(family, hollow = false) {
  const look = LOOKS.families[family] ?? LOOKS.other;
  return drawn(
    "svg",
    {
      class: hollow ? "mark hollow" : "mark",
      viewBox: "0 0 12 12",
      "aria-hidden": "true",
      style: `color: ${look.css}`,
    },
    drawn("path", { d: LOOKS.marks[look.marker] }),
  );
}

function boxed(table, label) {
  return element("div", { class: "box", "data-label": label }, table);
}

function table({ caption, heads, rows, style = "", label = caption }) {
  return boxed(
    element(
      "table",
      { class: style },
      element("caption", {}, element("span", {}, caption)),
      heads && element("thead", {}, element("tr", {}, heads)),
      element("tbody", {}, rows),
    ),
    label,
  );
}

const head = (text, kind = "text") => element("th", { scope: "col", class: kind }, text);
const data = (content, kind = "") => element("td", { class: kind || null }, content);
const rowHead = (...content) => element("th", { scope: "row", class: "text" }, ...content);

function facts(caption, pairs) {
  const rows = pairs
    .filter(([, value]) => isContent(value))
    .map(([name, value]) =>
      element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)),
    );
  return table({ caption, rows, style: "facts" });
}

function select(id, label, options, chosen, onChange) {
  const box = element(
    "select",
    { id, change: event => onChange(event.target.value) },
    options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)),
  );
  return element("label", { class: "choice", for: id }, element("span", {}, label), box);
}

function toggle(id, text, pressed, onPress) {
  return element(
    "button",
    { type: "button", id, class: "toggle", "aria-pressed": String(pressed), click: onPress },
    text,
  );
}
