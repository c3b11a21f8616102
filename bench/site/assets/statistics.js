// bench/analysis/statistics.py and the verdicts of comparisons.py, once more for the browser. A test holds
// both to the same numbers.

const LEVEL = 0.95;
const FEWEST_FOR_SIGNED_RANK = 12;

const ascending = values => Float64Array.from(values).sort();

function middleOf(ordered) {
  const half = ordered.length >> 1;
  return ordered.length % 2 ? ordered[half] : (ordered[half - 1] + ordered[half]) / 2;
}

const median = values => middleOf(ascending(values));

// The narrowest [x(k), x(n+1-k)] that reaches the level. *chancesBelow* are P(S < 1), P(S < 2), …
function narrowest(ordered, chancesBelow, level = LEVEL) {
  let found = null;
  for (let k = 1; k <= chancesBelow.length; k++) {
    const reached = 1 - 2 * chancesBelow[k - 1];
    if (reached < level || 2 * k > ordered.length + 1) break;
    found = { low: ordered[k - 1], high: ordered[ordered.length - k], level: reached };
  }
  return found;
}

function medianInterval(values, level = LEVEL) {
  const ordered = ascending(values);
  const chances = [];
  let chance = 0.5 ** ordered.length;
  let below = 0;
  for (let i = 0; i < ordered.length >> 1; i++) {
    below += chance;
    chances.push(below);
    chance *= (ordered.length - i) / (i + 1);
  }
  return narrowest(ordered, chances, level);
}

function walshAverages(values) {
  const n = values.length;
  const averages = new Float64Array((n * (n + 1)) / 2);
  let at = 0;
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) averages[at++] = (values[i] + values[j]) / 2;
  return averages.sort();
}

// P(T < 1), P(T < 2), … of Wilcoxon's signed ranks for *n* values. Halves are exact in binary.
const chancesOf = new Map();
function chancesBelow(n) {
  if (chancesOf.has(n)) return chancesOf.get(n);
  let chances = new Float64Array([1]);
  for (let rank = 1; rank <= n; rank++) {
    const longer = new Float64Array(chances.length + rank);
    chances.forEach((chance, sum) => {
      longer[sum] += chance / 2;
      longer[sum + rank] += chance / 2;
    });
    chances = longer;
  }
  let total = 0;
  const below = chances.map(chance => (total += chance));
  chancesOf.set(n, below);
  return below;
}

function estimated(centre, interval) {
  return {
    estimate: centre,
    low: interval?.low ?? null,
    high: interval?.high ?? null,
    level: interval?.level ?? null,
  };
}

const estimateOf = values => (values.length ? estimated(median(values), medianInterval(values)) : null);

// The centre of one paired difference per round.
function differenceOf(values) {
  if (values.length < FEWEST_FOR_SIGNED_RANK) return estimateOf(values);
  const averages = walshAverages(values);
  return estimated(middleOf(averages), narrowest(averages, chancesBelow(values.length)));
}

const powered = value => (value === null ? null : Math.exp(value));

function exponential(logs) {
  return (
    logs && {
      estimate: Math.exp(logs.estimate),
      low: powered(logs.low),
      high: powered(logs.high),
      level: logs.level,
    }
  );
}

// *values* and *references* have one entry per sweep, null where nothing counts; *rounds* names its round.
function pairedLogRatios(values, references, rounds) {
  const byRound = new Map();
  let [pairs, known] = [0, 0];
  for (let sweep = 0; sweep < rounds.length; sweep++) {
    const [value, reference] = [values[sweep] ?? null, references[sweep] ?? null];
    if (value === null && reference === null) continue;
    known++;
    if (!(value > 0 && reference > 0)) continue;
    pairs++;
    if (!byRound.has(rounds[sweep])) byRound.set(rounds[sweep], []);
    byRound.get(rounds[sweep]).push(Math.log(value / reference));
  }
  const logRatios = new Map([...byRound].map(([round, logs]) => [round, median(logs)]));
  return { logRatios, pairs, dropped: known - pairs };
}

const ratioOf = pairing => exponential(differenceOf([...pairing.logRatios.values()]));

function mediansByRound(values, rounds) {
  const byRound = new Map();
  values.forEach((value, sweep) => {
    if (value === null) return;
    if (!byRound.has(rounds[sweep])) byRound.set(rounds[sweep], []);
    byRound.get(rounds[sweep]).push(value);
  });
  return new Map([...byRound].map(([round, swept]) => [round, median(swept)]));
}

const MORE_IS_BETTER = { throughput_rps: true, service_demand_us: false };

function verdictOf(metric, ratio, margin) {
  if (!ratio || ratio.low === null || ratio.high === null || ratio.low <= 0) return "invalid";
  const [low, high, bound] = [Math.log(ratio.low), Math.log(ratio.high), Math.log1p(margin)];
  if (low > bound || high < -bound) return low > bound === MORE_IS_BETTER[metric] ? "faster" : "slower";
  return -bound <= low && high <= bound ? "equivalent" : "inconclusive";
}

// Whether the noise floor, a contender against itself, forbids a verdict that *ratio* would give.
function isBlocked(metric, ratio, floor, margin) {
  if (!floor || floor.estimate <= 0) return false;
  if (["faster", "slower"].includes(verdictOf(metric, floor, margin))) return true;
  return Math.abs(Math.log(floor.estimate)) >= Math.abs(Math.log(ratio.estimate));
}

const isTie = ratio => Boolean(ratio?.low && ratio?.high && ratio.low <= 1 && 1 <= ratio.high);
