import { type CallResult, callResults, type MethodStatistics } from '@cleat/extensions/status';
import { columns, plain } from '../columns.js';
import type { Shown } from './shown.js';

/** One line for each; two drivers of one name are told apart by their entry. @param width of the terminal */
export function table(all: readonly Shown[], width?: number): string {
  const lines = [
    ['NAME', 'ENTRY', 'KINDS', 'CARRIER', 'STATE', 'SINCE', 'HEALTH', 'RESTARTS', 'CALLS', 'FAILED', 'WHY', 'ORIGIN'],
    ...all.map((one) => [
      one.name,
      one.entry ?? '-',
      one.kinds.join(',') || '-',
      one.carrier,
      one.state,
      ago(one.since),
      one.health,
      one.process ? String(one.process.restarts) : '-',
      String(total(one.methods, () => true)),
      String(total(one.methods, failed)),
      why(one) || '-',
      one.origin,
    ]),
  ];
  // Their texts are in `inspect`, too.
  return columns(lines, {
    width,
    dispensable: ['ORIGIN', 'SINCE', 'FAILED', 'CALLS', 'RESTARTS', 'CARRIER', 'HEALTH', 'KINDS'],
  });
}

/** Everything of one, for people. */
export function details(one: Shown): string {
  const { lastError, methods } = one;
  const facts: [string, string][] = [
    ['Name', one.name],
    ...named('Also', one.aliases),
    ['Entry', one.entry ?? (one.carrier === 'managed' ? '- (a managed plugin)' : '- (discovered)')],
    ['Kinds', one.kinds.join(', ') || '-'],
    ['Carrier', one.carrier],
    ['Origin', one.origin],
    [
      'State',
      `${one.state}, since ${one.since} (${ago(one.since)})${one.reason ? `: ${why({ ...one, awaitedBy: [] })}` : ''}`,
    ],
    ...named('Container', one.provider && [`${one.provider.name} (${one.provider.id.slice(0, 12)})`]),
    ...named('Needs', one.needs),
    ...named('After', one.after),
    ...named('Awaited by', one.awaitedBy),
    ...(one.process ? [processFact(one.process)] : []),
    ['Health', one.suspendedUntil ? `${one.health}, asked again ${soon(one.suspendedUntil)}` : one.health],
    [
      'Last error',
      lastError ? `${lastError.message} (${lastError.method}, ${lastError.result}, ${lastError.at})` : '-',
    ],
    ['Deadlines', deadlines(one)],
    ['Calls', `${one.underWay} under way, ${one.retries} sent again because a connection broke`],
  ];
  const width = Math.max(...facts.map(([name]) => name.length)) + 2;
  const text = facts.map(([name, value]) => `${`${name}:`.padEnd(width)}${plain(value)}\n`).join('');
  if (methods.length === 0) return `${text}\nNo call yet.\n`;
  const rows = methods.map(({ method, results, latency }) => [
    method,
    ...callResults.map((result) => String(results[result])),
    latency.count === 0 ? '-' : milliseconds(latency.sumMs / latency.count),
    latency.count === 0 ? '-' : milliseconds(latency.maxMs),
  ]);
  return `${text}\n${columns([['CALL', ...callResults.map((result) => result.toUpperCase()), 'MEAN', 'LONGEST'], ...rows])}`;
}

/** Nothing where there is nothing to say. */
function named(what: string, list: readonly string[] = []): [string, string][] {
  return list.length > 0 ? [[what, list.join(', ')]] : [];
}

function why({ reason, waitsUntil, awaitedBy = [] }: Shown): string {
  const [one, ...more] = awaitedBy;
  const waiting = one && `${more.length === 0 ? one : `${awaitedBy.length} containers`} waiting`;
  return [reason, waitsUntil && `waited for, ${left(waitsUntil)} more`, waiting].filter(Boolean).join('; ');
}

/** Calls that got no answer. An error is an answer, and a caller who went away is not the extension's fault. */
function failed(result: CallResult): boolean {
  return result === 'timeout' || result === 'unreachable' || result === 'blocked';
}

function total(methods: readonly MethodStatistics[], wanted: (result: CallResult) => boolean): number {
  let sum = 0;
  for (const { results } of methods) for (const result of callResults) if (wanted(result)) sum += results[result];
  return sum;
}

function processFact({ pid, since, restarts, lastEnd }: NonNullable<Shown['process']>): [string, string] {
  const now = pid === undefined ? `none, since ${since}` : `${pid}, since ${since} (${ago(since)})`;
  return ['Process', lastEnd === '' ? now : `${now}; started again ${restarts} times, last end: ${lastEnd}`];
}

function deadlines({ deadlines: set }: Shown): string {
  const list = Object.entries(set).map(([method, ms]) => `${method} ${milliseconds(ms)}`);
  return list.join(', ') || "the contract's";
}

function milliseconds(ms: number): string {
  return ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)}ms` : `${Number((ms / 1000).toFixed(1))}s`;
}

function soon(moment: string): string {
  return Date.parse(moment) > Date.now() ? `in ${left(moment)}` : 'by the next call';
}

function left(moment: string): string {
  return `${Math.max(0, Math.ceil((Date.parse(moment) - Date.now()) / 1000))}s`;
}

/** How long ago a moment was, roughly, as `docker ps` says it. */
function ago(moment: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(moment)) / 1000));
  for (const [unit, length] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
  ] as const) {
    if (seconds >= length * 2) return `${Math.floor(seconds / length)}${unit} ago`;
  }
  return `${seconds}s ago`;
}
