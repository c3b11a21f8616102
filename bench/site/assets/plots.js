// Pictures: ratios with intervals, rounds, latency curves, trends. Plain SVG (docs/adr/0019).

const TICK_STEPS = [1, 2, 5, 1.5, 3, 4, 6, 8, 7];
const scaleOf = (low, high, from, to) => value => from + ((value - low) / (high - low || 1)) * (to - from);

function logScale(low, high, from, to) {
  const scale = scaleOf(Math.log(low), Math.log(high), from, to);
  return value => scale(Math.log(value));
}

// 1 first, then whole decades and their parts, as long as they have room.
function logTicks(low, high, place, room) {
  const decades = [];
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade++)
    decades.push(decade);
  const fine = high / low < 2 ? Array.from({ length: 60 }, (_, step) => (step + 8) / 20) : [];
  const tried = [
    1,
    ...TICK_STEPS.flatMap(step => decades.map(decade => Number((step * 10 ** decade).toPrecision(3)))),
    ...fine,
  ];
  const kept = [];
  for (const tick of tried) {
    if (low <= tick && tick <= high && kept.every(other => Math.abs(place(tick) - place(other)) > room))
      kept.push(tick);
  }
  return kept.sort((a, b) => a - b);
}

const evenTicks = (low, high, count) => {
  const raw = (high - low) / count || 1;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find(times => times * size >= raw) * size;
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step / 1e6; tick += step)
    ticks.push(Number(tick.toPrecision(12)));
  return ticks;
};

// What all ratios of a picture span, 1 included, with a little room.
function reachOf(ratios) {
  const ends = ratios
    .filter(Boolean)
    .flatMap(ratio => [ratio.low, ratio.estimate, ratio.high])
    .filter(end => end > 0);
  const [least, most] = [Math.min(1, ...ends), Math.max(1, ...ends)];
  const room = Math.max(Math.log(most / least), Math.log(1.2)) * 0.06;
  return [Math.exp(Math.log(least) - room), Math.exp(Math.log(most) + room)];
}

const colourOf = family => (LOOKS.families[family] ?? LOOKS.other).css;

// A ratio on one line: its interval, and its mark (hollow: no proven difference). For a cell of a table.
function strip(ratio, family, isOpen, [low, high], width = 168, height = 16) {
  const place = logScale(low, high, 6, width - 6);
  const middle = height / 2;
  return drawn(
    "svg",
    {
      class: "strip",
      viewBox: `0 0 ${width} ${height}`,
      "aria-hidden": "true",
      style: `color: ${colourOf(family)}`,
    },
    drawn("line", { class: "grid", x1: 0, x2: width, y1: middle, y2: middle }),
    drawn("line", { class: "one", x1: place(1), x2: place(1), y1: 0, y2: height }),
    ratio &&
      ratio.low !== null &&
      drawn("path", {
        class: "interval",
        d: `M${place(ratio.low).toFixed(1)} ${middle}H${place(ratio.high).toFixed(1)}`,
      }),
    ratio && marker(family, place(ratio.estimate), middle, isOpen, 8),
  );
}

function marker(family, x, y, isOpen, size = 10) {
  const look = LOOKS.families[family] ?? LOOKS.other;
  const scale = size / 12;
  return drawn("path", {
    class: isOpen ? "point hollow" : "point",
    d: LOOKS.marks[look.marker],
    transform: `translate(${(x - 6 * scale).toFixed(1)} ${(y - 6 * scale).toFixed(1)}) scale(${scale.toFixed(3)})`,
  });
}

const isNarrow = () => matchMedia("(max-width: 40rem)").matches;

// Rows of {name, ratio, family, isOpen, isTotal} on one logarithmic axis. On a telephone names stand above.
function forest(rows, ends, words) {
  const above = isNarrow();
  const [width, left, right, line] = above ? [330, 8, 8, 42] : [780, 310, 150, 26];
  const bottom = rows.length * line;
  const [low, high] = reachOf(rows.map(row => row.ratio));
  const place = logScale(low, high, left, width - right);
  return picture(
    width,
    bottom + 34,
    words,
    logTicks(low, high, place, 34).map(tick => [
      drawn("line", {
        class: tick === 1 ? "one" : "grid",
        x1: place(tick),
        x2: place(tick),
        y1: 0,
        y2: bottom,
      }),
      drawn("text", { x: place(tick), y: bottom + 13, "text-anchor": "middle" }, String(tick)),
    ]),
    place(1) > 60 && drawn("text", { x: place(1) - 5, y: bottom + 28, "text-anchor": "end" }, `← ${ends[0]}`),
    place(1) < width - 60 && drawn("text", { x: place(1) + 5, y: bottom + 28 }, `${ends[1]} →`),
    rows.map((row, number) =>
      forestRow(row, place, {
        width,
        top: number * line,
        y: number * line + (above ? line - 12 : line / 2),
        text: number * line + (above ? 14 : line / 2 + 4),
        letters: above ? 30 : 46,
      }),
    ),
  );
}

function forestRow({ name, ratio, family, isOpen, isTotal, why }, place, { width, top, y, text, letters }) {
  const caps =
    ratio &&
    ratio.low !== null &&
    `M${place(ratio.low)} ${y}H${place(ratio.high)}M${place(ratio.low)} ${y - 4}v8M${place(ratio.high)} ${y - 4}v8`;
  const diamond = ratio && `M${place(ratio.estimate)} ${y - 7}l7 7l-7 7l-7-7z`;
  return drawn(
    "g",
    { style: `color: ${isTotal ? "var(--ink)" : colourOf(family)}` },
    isTotal && drawn("line", { class: "grid", x1: 0, x2: width, y1: top, y2: top }),
    drawn("text", { class: isTotal ? "name total" : "name", x: 0, y: text }, shortened(name, letters)),
    caps && drawn("path", { class: "interval", d: caps }),
    ratio &&
      (isTotal
        ? drawn("path", { class: isOpen ? "point hollow" : "point", d: diamond })
        : marker(family, place(ratio.estimate), y, isOpen, 11)),
    drawn(
      "text",
      { class: "name", x: width, y: text, "text-anchor": "end" },
      ratio ? bothText(ratio) : (why ?? NOTHING),
    ),
  );
}

const shortened = (text, letters) => (text.length <= letters ? text : `${text.slice(0, letters - 1)}…`);

function picture(width, height, words, ...content) {
  return element(
    "div",
    { class: "box picture", "data-label": "Picture" },
    drawn(
      "svg",
      {
        class: "chart",
        role: "img",
        "aria-label": words,
        viewBox: `0 0 ${width} ${height}`,
        style: `max-width: ${width}px`,
      },
      content,
    ),
  );
}

// *series*: [{name, family, points: [[x, y]]}]. x and y are placed by the given scales' ends.
function curves({ series, xs, ys, xTicks, yTicks, xName, yName, words, isLogarithmicY = false }) {
  const [width, height, left, right, top, bottom] = isNarrow()
    ? [330, 240, 40, 72, 22, 34]
    : [640, 260, 56, 120, 22, 34];
  const x = scaleOf(...xs, left, width - right);
  const y = (isLogarithmicY ? logScale : scaleOf)(...ys, height - bottom, top);
  return picture(
    width,
    height,
    words,
    drawn("text", { x: 0, y: 10 }, yName),
    drawn("text", { x: width - right, y: height - 4, "text-anchor": "end" }, xName),
    yTicks.map(([value, text]) => [
      drawn("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, text),
    ]),
    sparse(xTicks, x, 34).map(([value, text]) =>
      drawn("text", { x: x(value), y: height - bottom + 14, "text-anchor": "middle" }, text),
    ),
    series.map(({ family, points }, number) =>
      drawn(
        "g",
        { style: `color: ${colourOf(family)}` },
        drawn("path", {
          class: "curve",
          "stroke-dasharray": number ? "5 3" : null,
          d: points.map(([a, b], at) => `${at ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join(""),
        }),
      ),
    ),
    endNames(series, y, width - right + 6),
  );
}

// Those of the ticks that have room beside the one before.
function sparse(ticks, x, room) {
  const kept = [];
  for (const tick of ticks)
    if (!kept.length || x(tick[0]) - x(kept[kept.length - 1][0]) >= room || tick[1].length < 4)
      kept.push(tick);
  return kept;
}

// Names beside the ends of curves, moved apart where they would cover each other.
function endNames(series, y, left) {
  const ends = series
    .filter(({ points }) => points.length)
    .map(({ name, points }) => ({ name, at: y(points[points.length - 1][1]) }))
    .sort((a, b) => a.at - b.at);
  ends.forEach((end, number) => {
    if (number) end.at = Math.max(end.at, ends[number - 1].at + 13);
  });
  return ends.map(end => drawn("text", { class: "name", x: left, y: end.at + 4 }, shortened(end.name, 20)));
}

// One point per round or run, with intervals where there are some.
function dots({ points, ys, yTicks, xTicks, family, yName, words, one, isLogarithmicY = false, steps = [] }) {
  const [width, height, left, top, bottom] = isNarrow() ? [330, 220, 44, 22, 34] : [720, 240, 56, 22, 34];
  const xs = points.length
    ? [Math.min(...points.map(point => point.x)), Math.max(...points.map(point => point.x))]
    : [0, 1];
  const x = xs[0] === xs[1] ? () => (left + width) / 2 : scaleOf(...xs, left + 14, width - 14);
  const y = (isLogarithmicY ? logScale : scaleOf)(...ys, height - bottom, top);
  return picture(
    width,
    height,
    words,
    drawn("text", { x: 0, y: 10 }, yName),
    yTicks.map(([value, text]) => [
      drawn("line", {
        class: value === one ? "one" : "grid",
        x1: left,
        x2: width,
        y1: y(value),
        y2: y(value),
      }),
      drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, text),
    ]),
    sparse(xTicks, x, 74).map(([value, text]) =>
      drawn(
        "text",
        {
          x: Math.min(x(value), width),
          y: height - bottom + 16,
          "text-anchor": x(value) > width - 40 ? "end" : "middle",
        },
        text,
      ),
    ),
    steps.map(([value, text]) => {
      const [side, anchor] = x(value) > width / 2 ? [-3, "end"] : [3, "start"];
      return [
        drawn("line", { class: "step", x1: x(value), x2: x(value), y1: top, y2: height - bottom }),
        drawn("text", { x: x(value) + side, y: top + 2, "text-anchor": anchor }, text),
      ];
    }),
    drawn(
      "g",
      { style: `color: ${colourOf(family)}` },
      points.map(point => [
        point.low &&
          drawn("path", {
            class: "interval",
            d: `M${x(point.x).toFixed(1)} ${y(point.low).toFixed(1)}V${y(point.high).toFixed(1)}`,
          }),
        marker(family, x(point.x), y(point.y), point.isOpen, points.length > 60 ? 6 : 9),
      ]),
    ),
  );
}
