/** Durations as Go's `time` package reads and prints them. */

const unitNanos: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds of a Go duration (`1h30m`, `-1.5s`, `0`). @returns undefined when `text` is none */
export function parseDuration(text: string): bigint | undefined {
  const match = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.exec(text);
  if (!match) return /^[+-]?0$/.test(text) ? 0n : undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(amount) * (unitNanos[unit ?? ''] ?? 0);
  }
  return BigInt(Math.round(match[1] === '-' ? -total : total));
}

/** Nanoseconds as Go's `Duration.String` prints them: `1.5s`, `300ms`, `1m30s`, `1h0m0s`. */
export function goDuration(nanos: number): string {
  if (nanos === 0) return '0s';
  const sign = nanos < 0 ? '-' : '';
  const size = Math.abs(nanos);
  for (const [unit, below] of [
    ['ns', 1e3],
    ['µs', 1e6],
    ['ms', 1e9],
  ] as const) {
    if (size < below) return `${sign}${size / (below / 1e3)}${unit}`;
  }
  const minutes = Math.floor(size / 60e9);
  const seconds = `${(size - minutes * 60e9) / 1e9}s`;
  if (minutes === 0) return sign + seconds;
  const hours = Math.floor(minutes / 60);
  return `${sign}${hours > 0 ? `${hours}h` : ''}${minutes % 60}m${seconds}`;
}
