import { engineTitles } from './lineup.js';
import { overlayTitles } from './overlay-pair.js';
import { pluginTitles } from './plugin-pair.js';
import type { Row, SideName } from './row.js';

const titles: Readonly<Record<SideName, string>> = { ...engineTitles, ...pluginTitles, ...overlayTitles };

export interface Result {
  name: string;
  unit: Row['unit'];
  between: readonly [SideName, SideName];
  /** Both undefined where the ratio is only stated. */
  atMost: number | undefined;
  atLeast: number | undefined;
  /** Limit of our own figure. */
  below: number | undefined;
  /** Limit of how much ours is above theirs. */
  adds: number | undefined;
  /** Medians. */
  theirs: number;
  ours: number;
  ratio: number;
  pass: boolean;
  /** Medians of those that stand beside. */
  beside: { name: SideName; median: number; ratio: number }[];
  samples: { theirs: number[]; ours: number[] };
}

export function resultOf<Side, Name extends SideName>(
  row: Row<Side, Name>,
  theirs: number[],
  ours: number[],
  others: readonly { name: SideName; samples: readonly number[] }[] = [],
): Result {
  const medians = { theirs: median(theirs), ours: median(ours) };
  const ratioTo = (others: readonly number[]): number =>
    row.paired ? pairRatio(ours, others) : medians.ours / median(others);
  const ratio = ratioTo(theirs);
  const { name, unit, between, atMost, atLeast, below, adds } = row;
  const added = medians.ours - medians.theirs;
  const isBelow = medians.ours < (below ?? Number.POSITIVE_INFINITY) && added <= (adds ?? Number.POSITIVE_INFINITY);
  const pass = isBelow && ratio <= (atMost ?? Number.POSITIVE_INFINITY) && ratio >= (atLeast ?? 0);
  const beside = others.map(({ name, samples }) => ({ name, median: median(samples), ratio: ratioTo(samples) }));
  return {
    name,
    unit,
    between,
    atMost,
    atLeast,
    below,
    adds,
    ...medians,
    ratio,
    pass,
    beside,
    samples: { theirs, ours },
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? Number.NaN)) / 2 : upper;
}

/** The ratio of samples that were taken in turn. */
const pairRatio = (ours: readonly number[], theirs: readonly number[]): number =>
  median(ours.map((our, index) => our / (theirs[index] ?? Number.NaN)));

/** A table per pair of engines, in the order of the rows. */
export function markdown(results: readonly Result[], notes: readonly string[]): string {
  const pairs = [...new Set(results.map(({ between }) => between.join(' ')))];
  const tables = pairs.flatMap((pair) => table(results.filter(({ between }) => between.join(' ') === pair)));
  return [...tables, ...notes.map((note) => `- ${note}`), ''].join('\n');
}

function table(results: readonly Result[]): string[] {
  const [first] = results;
  if (!first) return [];
  const [theirs, ours] = first.between;
  const peers = [...new Set(results.flatMap(({ beside }) => beside.map((peer) => peer.name)))];
  const more = peers.map((name) => ` ${titles[name]} (ratio) |`).join('');
  return [
    `| work | ${titles[theirs]} | ${titles[ours]} | ratio | limit | |${more}`,
    `|---|---|---|---|---|---|${peers.map(() => '---|').join('')}`,
    ...results.map((result) => row(result) + peers.map((name) => peer(result, name)).join('')),
    '',
  ];
}

/** A column that stands beside, with our figure divided by its. */
function peer({ beside, unit }: Result, name: SideName): string {
  const found = beside.find((one) => one.name === name);
  return found ? ` ${figure(found.median)} ${unit} (${found.ratio.toFixed(2)}) |` : ' – |';
}

function row({ name, unit, theirs, ours, ratio, atMost, atLeast, below, adds, pass }: Result): string {
  const own = below === undefined ? '' : `< ${below} ${unit}`;
  const more = adds === undefined ? '' : `≤ ${adds} ${unit} more`;
  const bounds = [bound('≤', atMost), bound('≥', atLeast), own, more].join('');
  const limit = bounds === '' ? '– | ' : `${bounds} | ${pass ? 'PASS' : 'missed'} `;
  return `| ${name} | ${figure(theirs)} ${unit} | ${figure(ours)} ${unit} | ${ratio.toFixed(2)} | ${limit}|`;
}

const bound = (sign: string, value: number | undefined): string =>
  value === undefined ? '' : `${sign} ${value.toFixed(2)}`;

const figure = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
