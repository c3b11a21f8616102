"use strict";

// Tables sort by the column whose heading is pressed; a row's rounds and a group's title stay where they belong.
const numeric = text => parseFloat(text.replace("−", "-").replace(/^[^\d-]+/, "").replaceAll(",", ""));
const told = cell => (cell.querySelector("b") ?? cell.firstChild ?? cell).textContent.trim();

const asText = (one, other) => one.localeCompare(other, undefined, { numeric: true });

function asNumbers(one, other) {
  const [a, b] = [numeric(one), numeric(other)];
  return Number.isNaN(a) || Number.isNaN(b) ? asText(one, other) : a - b;
}

function sort(heading) {
  const column = heading.cellIndex;
  const compare = heading.matches(".text") ? asText : asNumbers;
  const falling = heading.getAttribute("aria-sort") === "ascending";
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
  for (const body of heading.closest("table").tBodies) {
    const rows = [...body.rows].filter(row => !row.matches(".group, .rounds"));
    const below = new Map(rows.map(row => [row, row.nextElementSibling?.matches(".rounds") ? row.nextElementSibling : null]));
    const known = row => !["", "–"].includes(told(row.cells[column]));
    rows.sort((a, b) => {
      if (known(a) !== known(b)) return known(b) - known(a);  // what is not known comes last, both ways
      return (falling ? -1 : 1) * compare(told(a.cells[column]), told(b.cells[column]));
    });
    for (const row of rows) body.append(row, ...[below.get(row)].filter(Boolean));
  }
}

for (const button of document.querySelectorAll(".sortable > thead button")) {
  button.addEventListener("click", () => sort(button.closest("th")));
}

for (const opener of document.querySelectorAll(".opener")) {
  opener.addEventListener("click", () => {
    const rounds = document.getElementById(opener.getAttribute("aria-controls"));
    rounds.hidden = !rounds.hidden;
    opener.setAttribute("aria-expanded", String(!rounds.hidden));
  });
}

// A word explains itself on hover and on focus; Escape takes the explanation away.
const tip = document.getElementById("tip");

function explain(word) {
  tip.textContent = document.getElementById(word.dataset.term).querySelector("dd").textContent;
  tip.hidden = false;
  const at = word.getBoundingClientRect();
  const below = at.bottom + tip.offsetHeight + 8 < innerHeight;
  tip.style.top = `${below ? at.bottom + 6 : at.top - tip.offsetHeight - 6}px`;
  tip.style.left = `${Math.max(16, Math.min(at.left, innerWidth - tip.offsetWidth - 16))}px`;
}

const hush = () => { tip.hidden = true; };
for (const word of document.querySelectorAll("[data-term]")) {
  word.setAttribute("aria-describedby", word.dataset.term);
  for (const event of ["mouseenter", "focus"]) word.addEventListener(event, () => explain(word));
  for (const event of ["mouseleave", "blur"]) word.addEventListener(event, hush);
}
addEventListener("keydown", event => { if (event.key === "Escape") hush(); });
addEventListener("scroll", hush, { capture: true, passive: true });
