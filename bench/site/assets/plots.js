// Pictures: ratios with intervals, rounds, latency curves, trends. Plain SVG (docs/adr/0018).

const TICK_STEPS = [1, 2, 5, 1.5, 3, 4, 6, 8, 7];
const scaleOf = (low, high, from, to) => value => from + (value - low) / (high - low || 1) * (to - from);

function logScale(low, high, from, to) {
  const scale = scaleOf(Math.log(low), Math.log(high), from, to);
  return value => scale(Math.log(value));
}

// 1 first, then whole decades and their parts, as long as they have room.
function logTicks(low, high, place, room) {
  const decades = [];
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade++) decades.push(decade);
  const fine = high / low < 2 ? Array.from({ length: 60 }, (_, step) => (step + 8) / 20) : [];
  const tried = [1, ...TICK_STEPS.flatMap(step => decades.map(decade => Number((step * 10 ** decade).toPrecision(3)))), ...fine];
  const kept = [];
  for (const tick of tried) {
    if (low <= tick && tick <= high && kept.every(other => Math.abs(place(tick) - place(other)) > room)) kept.push(tick);
  }
  return kept.sort((a, b) => a - b);
}

const evenTicks = (low, high, count) => {
  const raw = (high - low) / count || 1;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find(times => times * size >= raw) * size;
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step / 1e6; tick += step) ticks.push(Number(tick.toPrecision(12)));
  return ticks;
};

// What all ratios of a picture span, 1 included, with a little room.
function reachOf(ratios) {
  const ends = ratios.filter(Boolean).flatMap(ratio => [ratio.low, ratio.estimate, ratio.high]).filter(end => end > 0);
  const [least, most] = [Math.min(1, ...ends), Math.max(1, ...ends)];
  const room = Math.max(Math.log(most / least), Math.log(1.2)) * 0.06;
  return [Math.exp(Math.log(least) - room), Math.exp(Math.log(most) + room)];
}

const colourOf = family => (LOOKS.families[family] ?? LOOKS.other).css;

// A ratio on one line: its interval, and its mark (hollow: no proven difference). For a cell of a table.
function strip(ratio, family, isOpen, [low, high], width = 128, height = 16) {
  const place = logScale(low, high, 6, width - 6);
  const middle = height / 2;
  return drawn("svg", { class: "strip", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", style: `color: ${colourOf(family)}` },
    drawn("line", { class: "one", x1: place(1), x2: place(1), y1: 0, y2: height }),
    ratio && ratio.low !== null && drawn("path", { class: "interval", d: `M${place(ratio.low).toFixed(1)} ${middle}H${place(ratio.high).toFixed(1)}` }),
    ratio && marker(family, place(ratio.estimate), middle, isOpen, 9));
}

function marker(family, x, y, isOpen, size = 10) {
  const look = LOOKS.families[family] ?? LOOKS.other;
  const scale = size / 12;
  return drawn("path", { class: isOpen ? "point hollow" : "point", d: LOOKS.marks[look.marker],
    transform: `translate(${(x - 6 * scale).toFixed(1)} ${(y - 6 * scale).toFixed(1)}) scale(${scale.toFixed(3)})` });
}

// Rows of {name, note, ratio, family, isOpen, isTotal} on one logarithmic axis.
function forest(rows, ends, words) {
  const [width, nameWidth, line] = [720, 250, 26];
  const height = rows.length * line + 34;
  const place = logScale(...reachOf(rows.map(row => row.ratio)), nameWidth + 10, width - 150);
  const [low, high] = reachOf(rows.map(row => row.ratio));
  const bottom = rows.length * line;
  const ticks = logTicks(low, high, place, 34);
  return picture(width, height, words,
    ticks.map(tick => [
      drawn("line", { class: tick === 1 ? "one" : "grid", x1: place(tick), x2: place(tick), y1: 0, y2: bottom }),
      drawn("text", { x: place(tick), y: bottom + 13, "text-anchor": "middle" }, String(tick))]),
    drawn("text", { x: place(1) - 5, y: bottom + 28, "text-anchor": "end" }, `← ${ends[0]}`),
    drawn("text", { x: place(1) + 5, y: bottom + 28 }, `${ends[1]} →`),
    rows.map((row, number) => {
      const y = number * line + line / 2;
      const { ratio } = row;
      return drawn("g", { style: `color: ${row.isTotal ? "var(--ink)" : colourOf(row.family)}` },
        row.isTotal && drawn("line", { class: "grid", x1: 0, x2: width, y1: y - line / 2, y2: y - line / 2 }),
        drawn("text", { class: row.isTotal ? "name total" : "name", x: 0, y: y + 4 }, shortened(row.name, 40)),
        ratio && ratio.low !== null && drawn("path", { class: "interval", d: `M${place(ratio.low)} ${y}H${place(ratio.high)}M${place(ratio.low)} ${y - 4}v8M${place(ratio.high)} ${y - 4}v8` }),
        ratio && (row.isTotal
          ? drawn("path", { class: row.isOpen ? "point hollow" : "point", d: `M${place(ratio.estimate)} ${y - 7}l7 7l-7 7l-7-7z` })
          : marker(row.family, place(ratio.estimate), y, row.isOpen, 11)),
        drawn("text", { class: "name", x: width, y: y + 4, "text-anchor": "end" }, ratio ? bothText(ratio) : row.why ?? NOTHING));
    }));
}

const shortened = (text, letters) => text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;

// A picture scales with the page; on a telephone it keeps a readable size and its box scrolls.
function picture(width, height, words, ...content) {
  const least = Math.min(width, 540);
  return element("div", { class: "box picture", "data-label": "Picture" },
    drawn("svg", { class: "chart", role: "img", "aria-label": words, viewBox: `0 0 ${width} ${height}`, style: `max-width: ${width}px; min-width: ${least}px` }, content));
}

// *series*: [{name, family, points: [[x, y]]}]. x and y are placed by the given scales' ends.
function curves({ series, xs, ys, xTicks, yTicks, xName, yName, words, isLogarithmicY = false }) {
  const [width, height, left, right, top, bottom] = [640, 260, 56, 120, 22, 34];
  const x = scaleOf(...xs, left, width - right);
  const y = (isLogarithmicY ? logScale : scaleOf)(...ys, height - bottom, top);
  return picture(width, height, words,
    drawn("text", { x: 0, y: 10 }, yName),
    drawn("text", { x: width - right, y: height - 4, "text-anchor": "end" }, xName),
    yTicks.map(([value, text]) => [
      drawn("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, text)]),
    xTicks.map(([value, text]) => drawn("text", { x: x(value), y: height - bottom + 14, "text-anchor": "middle" }, text)),
    series.map(({ family, points }, number) => drawn("g", { style: `color: ${colourOf(family)}` },
      drawn("path", { class: "curve", "stroke-dasharray": number ? "5 3" : null, d: points.map(([a, b], at) => `${at ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("") }))),
    endNames(series, y, width - right + 6));
}

// Names beside the ends of curves, moved apart where they would cover each other.
function endNames(series, y, left) {
  const ends = series.filter(({ points }) => points.length)
    .map(({ name, points }) => ({ name, at: y(points[points.length - 1][1]) })).sort((a, b) => a.at - b.at);
  ends.forEach((end, number) => { if (number) end.at = Math.max(end.at, ends[number - 1].at + 13); });
  return ends.map(end => drawn("text", { class: "name", x: left, y: end.at + 4 }, shortened(end.name, 20)));
}

// One point per round or run, with intervals where there are some.
function dots({ points, ys, yTicks, xTicks, family, yName, words, one, isLogarithmicY = false, steps = [] }) {
  const [width, height, left, top, bottom] = [720, 240, 56, 22, 34];
  const xs = points.length ? [Math.min(...points.map(point => point.x)), Math.max(...points.map(point => point.x))] : [0, 1];
  const x = xs[0] === xs[1] ? () => (left + width) / 2 : scaleOf(...xs, left + 14, width - 14);
  const y = (isLogarithmicY ? logScale : scaleOf)(...ys, height - bottom, top);
  return picture(width, height, words,
    drawn("text", { x: 0, y: 10 }, yName),
    yTicks.map(([value, text]) => [
      drawn("line", { class: value === one ? "one" : "grid", x1: left, x2: width, y1: y(value), y2: y(value) }),
      drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, text)]),
    xTicks.map(([value, text]) => drawn("text", { x: x(value), y: height - bottom + 16, "text-anchor": "middle" }, text)),
    steps.map(([value, text]) => [
      drawn("line", { class: "step", x1: x(value), x2: x(value), y1: top, y2: height - bottom }),
      drawn("text", { x: x(value) + 3, y: top + 2 }, text)]),
    drawn("g", { style: `color: ${colourOf(family)}` },
      points.map(point => [
        point.low && drawn("path", { class: "interval", d: `M${x(point.x).toFixed(1)} ${y(point.low).toFixed(1)}V${y(point.high).toFixed(1)}` }),
        marker(family, x(point.x), y(point.y), point.isOpen, points.length > 60 ? 6 : 9)])));
}
