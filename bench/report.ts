import { type EngineName, engineTitles } from './lineup.js';
import type { Row } from './row.js';

export interface Result {
  name: string;
  unit: Row['unit'];
  between: readonly [EngineName, EngineName];
  /** Undefined where the ratio is only stated. */
  atMost: number | undefined;
  /** Medians. */
  theirs: number;
  ours: number;
  ratio: number;
  pass: boolean;
  samples: { theirs: number[]; ours: number[] };
}

/** Whom a row compares. */
export const sidesOf = (row: Row): readonly [EngineName, EngineName] => row.between ?? ['dockerd', 'cleat'];

export function resultOf(row: Row, theirs: number[], ours: number[]): Result {
  const medians = { theirs: median(theirs), ours: median(ours) };
  const ratio = medians.ours / medians.theirs;
  const { name, unit, atMost } = row;
  const pass = atMost === undefined || ratio <= atMost;
  return { name, unit, between: sidesOf(row), atMost, ...medians, ratio, pass, samples: { theirs, ours } };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? Number.NaN)) / 2 : upper;
}

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
  return [
    `| work | ${engineTitles[theirs]} | ${engineTitles[ours]} | ratio | at most | |`,
    '|---|---|---|---|---|---|',
    ...results.map(row),
    '',
  ];
}

function row({ name, unit, theirs, ours, ratio, atMost, pass }: Result): string {
  const limit = atMost === undefined ? '– | ' : `${atMost.toFixed(2)} | ${pass ? 'PASS' : 'over'} `;
  return `| ${name} | ${figure(theirs)} ${unit} | ${figure(ours)} ${unit} | ${ratio.toFixed(2)} | ${limit}|`;
}

const figure = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
