// The address is the view: "#/board?ref=flask&framework=django,flask". Names may hold anything.

function addressOf(view, settings = {}) {
  const words = Object.entries(settings)
    .filter(
      ([, value]) =>
        value !== null && value !== undefined && value !== "" && !(Array.isArray(value) && !value.length),
    )
    .map(
      ([name, value]) => `${encodeURIComponent(name)}=${[value].flat().map(encodeURIComponent).join(",")}`,
    );
  return `#/${view}${words.length ? `?${words.sort().join("&")}` : ""}`;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Values are lists of texts; a view takes the first where it needs one.
function parsedAddress(hash) {
  const [view, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const settings = {};
  for (const part of query.split("&").filter(Boolean)) {
    const [name, value = ""] = part.split("=", 2);
    settings[decoded(name)] = value.split(",").filter(Boolean).map(decoded);
  }
  return { view: decoded(view), settings };
}

const firstOf = (settings, name) => settings[name]?.[0] ?? null;

const without = (settings, names) =>
  Object.fromEntries(Object.entries(settings).filter(([name]) => !names.includes(name)));

// What is chosen goes with the reader from view to view; what only orders a list stays behind.
const STAYS = ["page", "state", "sort", "order"];
const carried = settings => without(settings, STAYS);
