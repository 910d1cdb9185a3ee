import type { Row } from './rows.js';

export interface Result {
  name: string;
  unit: Row['unit'];
  atMost: number;
  /** Medians. */
  dockerd: number;
  cleat: number;
  ratio: number;
  pass: boolean;
  samples: { dockerd: number[]; cleat: number[] };
}

export function resultOf(row: Row, dockerd: number[], cleat: number[]): Result {
  const medians = { dockerd: median(dockerd), cleat: median(cleat) };
  const ratio = medians.cleat / medians.dockerd;
  const { name, unit, atMost } = row;
  return { name, unit, atMost, ...medians, ratio, pass: ratio <= atMost, samples: { dockerd, cleat } };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? Number.NaN)) / 2 : upper;
}

export function markdown(results: readonly Result[], notes: readonly string[]): string {
  const lines = results.map(
    ({ name, unit, dockerd, cleat, ratio, atMost, pass }) =>
      `| ${name} | ${figure(dockerd)} ${unit} | ${figure(cleat)} ${unit} | ${ratio.toFixed(2)} | ${atMost.toFixed(2)} | ${pass ? 'PASS' : 'over'} |`,
  );
  return [
    '| work | dockerd | Cleat | ratio | at most | |',
    '|---|---|---|---|---|---|',
    ...lines,
    '',
    ...notes.map((note) => `- ${note}`),
    '',
  ].join('\n');
}

const figure = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
