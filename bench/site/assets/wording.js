// Numbers and dates as bench/report/wording.py writes them.

const NOTHING = "–";

function figure(value, like = value) {
  if (!value) return value === 0 ? "0" : NOTHING;
  const size = Math.abs(like);
  const decimals = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function ratioText(value, like = value) {
  if (value === null || value === undefined) return NOTHING;
  return like < 2 ? value.toFixed(3) : figure(value, like);
}

function intervalText(estimate, write = ratioText) {
  if (!estimate || estimate.low === null || estimate.high === null) return "";
  return `${write(estimate.low, estimate.estimate)}–${write(estimate.high, estimate.estimate)}`;
}

function bothText(estimate, write = ratioText) {
  if (!estimate) return NOTHING;
  const interval = intervalText(estimate, write);
  return write(estimate.estimate) + (interval && ` (${interval})`);
}

const plural = (count, noun, nouns = `${noun}s`) =>
  `${count.toLocaleString("en-US")} ${count === 1 ? noun : nouns}`;
const percent = share =>
  share === null || share === undefined
    ? NOTHING
    : `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)} %`;
const mebibytes = size => (size ? `${Math.round(size / 2 ** 20).toLocaleString("en-US")} MiB` : NOTHING);
const dayOf = moment => moment.slice(0, 10);
const minuteOf = moment => `${moment.slice(0, 10)} ${moment.slice(11, 16)} UTC`;

const minuteAt = seconds => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

function millions(value) {
  if (!value) return value === 0 ? "0" : NOTHING;
  return value >= 1e6 ? `${figure(value / 1e6)} million` : figure(value);
}

function changeText(ratio) {
  const write = value => `${value >= 1 ? "+" : "−"}${Math.abs(value * 100 - 100).toFixed(1)}`;
  if (!ratio) return NOTHING;
  const interval = ratio.low === null ? "" : ` (${write(ratio.low)} to ${write(ratio.high)})`;
  return `${write(ratio.estimate)} %${interval}`;
}

const METRIC_NAMES = { throughput_rps: "requests per second", service_demand_us: "server CPU per request" };

// A verdict in words that fit what was measured: less of a cost is not faster.
const VERDICT_WORDS = {
  throughput_rps: { faster: "faster", slower: "slower" },
  service_demand_us: { faster: "costs less", slower: "costs more" },
};
const verdictText = (metric, verdict) => VERDICT_WORDS[metric]?.[verdict] ?? verdict;

// The side of a difference that is proven and beyond the noise floor, but not beyond the margin.
function leaningOf({ verdict, ratio, isOpen, isUnderFloor }, metric) {
  if (verdict !== "inconclusive" || isOpen || isUnderFloor) return null;
  return ratio.estimate > 1 === MORE_IS_BETTER[metric] ? "faster" : "slower";
}

function verdictOn(found, metric) {
  const leaning = leaningOf(found, metric);
  return leaning
    ? `${verdictText(metric, leaning)}, perhaps by less than the margin`
    : verdictText(metric, found.verdict);
}

// Intervals over few rounds have only some levels: the least that is not below 95 % is taken.
const levelText = level =>
  level > LEVEL ? `95 % (exactly ${(level * 100).toFixed(1)} %)` : `${(level * 100).toFixed(0)} %`;

const minorOf = version => String(version).split(".").slice(0, 2).join(".");
const asItIs = value => value;

// Versions compare by their numbers: 5.10 is newer than 5.9.
function compareVersions(one, other) {
  return String(one).localeCompare(String(other), "en", { numeric: true });
}
