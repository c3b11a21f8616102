// Latency of a cell: percentiles, and the curve from its thinned histogram.

// Durations in ms with the share of requests that took no longer, from the thinned histogram.
function quantilesOf({ bits, buckets, counts }) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let [bucket, sum] = [0, 0];
  return buckets.map((step, at) => {
    bucket += step;
    sum += counts[at];
    return [sum / total, (bucketStart(bucket, bits) + bucketStart(bucket + 1, bits)) / 2e6];
  });
}

function bucketStart(bucket, bits) {
  const whole = bucket * 2 ** bits;
  if (whole < 1024) return whole;
  const shift = Math.floor(whole / 512) - 1;
  return (whole - 512 * shift) * 2 ** shift;
}

const PERCENTILES = { p50: "50 %", p90: "90 %", p95: "95 %", p99: "99 %", p99_9: "99.9 %" };
const nines = share => -Math.log10(1 - share);

function latencySection(cell, against) {
  const one = latencyCurve(cell);
  const series = [one, against && latencyCurve(against)].filter(curve => curve && curve.points.length > 1);
  const heads = [head("requests that take no longer"), head("ms", "number")];
  const rows = Object.entries({ mean: "mean", ...PERCENTILES, max: "longest" })
    .filter(([name]) => cell.latency_ms?.[name] !== undefined)
    .map(([name, text]) =>
      element("tr", {}, element("th", { scope: "row" }, text), data(figure(cell.latency_ms[name]), "number")),
    );
  if (!rows.length) return null;
  const all = series.flatMap(curve => curve.points);
  const [low, high] = [
    Math.min(...all.map(([, ms]) => ms)) * 0.9,
    Math.max(...all.map(([, ms]) => ms)) * 1.1,
  ];
  const last = Math.max(...all.map(([x]) => x));
  return element(
    "section",
    {},
    element(
      "h2",
      {},
      "Latency ",
      element(
        "small",
        {},
        cell.arrivals
          ? "from the due moment to the last byte"
          : `with ${plural(cell.how.connections, "request")} in flight, so it follows from throughput`,
      ),
    ),
    element(
      "div",
      { class: "beside" },
      series.length > 0 &&
        curves({
          series,
          xs: [0, last],
          ys: [low, high],
          isLogarithmicY: true,
          yName: "ms, logarithmic",
          xName: "share of requests",
          yTicks: logTicks(low, high, logScale(low, high, 230, 22), 18).map(tick => [tick, String(tick)]),
          xTicks: [0, 0.5, 0.9, 0.99, 0.999]
            .filter(share => nines(share) <= last)
            .map(share => [nines(share), `${share * 100} %`]),
          words: `Latency by share of requests: ${rows.map(row => row.textContent).join("; ")}`,
        }),
      table({ style: "compact", caption: "Latency of right answers", heads, rows }),
    ),
  );
}

function latencyCurve(cell) {
  const total = (cell.latencies?.counts ?? []).reduce((sum, count) => sum + count, 0);
  if (!total) return null;
  const points = quantilesOf(cell.latencies).filter(([share]) => share < 1 && (1 - share) * total >= 20);
  return { name: cell.name, family: cell.family, points: points.map(([share, ms]) => [nines(share), ms]) };
}
