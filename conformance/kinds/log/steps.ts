import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { LogInfo, logKind, ReadConfig } from '@cleat/protocol/kinds/log';
import { encodeLogEntry, type LogEntry } from '@cleat/protocol/log-entry';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import type { Static } from '@cleat/protocol/schema';
import { Finding, type Said } from '../../verify/finding.js';
import { defaultDeadlineMs } from '../../verify/session.js';
import { Inapplicable, type Trial } from '../../verify/trial.js';
import type { Manner } from '../../verify/wire.js';
import { LogStream } from './stream.js';

export type LogTrial = Trial<typeof logKind>;

/** A container that does not exist, but for its log. */
export interface Container {
  readonly info: LogInfo;
  /** Its streams lie there; removed at the end. */
  readonly directory: string;
}

/** Drivers of these names, and no others, are told a file that they are to write (moby `daemon/container`). */
const fileDrivers: readonly string[] = ['json-file', 'local'];

/** Go's zero time: no limit. */
const noTime = '0001-01-01T00:00:00Z';
const pollMs = 20;
/** A container whose output nobody reads for so long hangs. */
const longestPatienceMs = 5_000;

/** An engine's facts about a container (moby `daemon/logger/loginfo.go`), with the options that the author gave. */
export function container(trial: LogTrial, moreOptions: Record<string, string> = {}): Container {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-verify-'));
  trial.defer(async () => rmSync(directory, { recursive: true, force: true }));
  const info: LogInfo = {
    Config: { ...trial.session.settings.options, ...moreOptions },
    ContainerID: trial.freshId(),
    ContainerName: `/${trial.fresh()}`,
    ContainerEntrypoint: 'sh',
    ContainerArgs: ['-c', 'echo hello'],
    ContainerImageID: `sha256:${trial.freshId()}`,
    ContainerImageName: 'busybox',
    ContainerCreated: new Date().toISOString(),
    ContainerEnv: ['PATH=/usr/bin:/bin'],
    ContainerLabels: { verify: 'yes' },
    LogPath: fileDrivers.includes(trial.session.name) ? join(directory, 'container.log') : '',
    DaemonName: 'docker',
  };
  return { info, directory };
}

/** A FIFO that nobody reads yet; closed at the end. */
export async function streamFor(
  trial: LogTrial,
  { directory }: Container,
  path = join(directory, trial.freshId()),
): Promise<LogStream> {
  const stream = await LogStream.make(path);
  trial.defer(async () => stream.close());
  return stream;
}

/** The request of a start. */
export const startOf = ({ info }: Container, { path }: Pick<LogStream, 'path'>) => ({ File: path, Info: info });

/** The container starts: its stream, of which the plugin was told. */
export async function started(trial: LogTrial, one: Container): Promise<LogStream> {
  const stream = await streamFor(trial, one);
  stoppedAtTheEnd(trial, stream.path);
  await trial.succeeds('StartLogging', startOf(one, stream), 'the stream to be read from now on');
  return stream;
}

/** However the case ends. */
export function stoppedAtTheEnd(trial: LogTrial, path: string): void {
  // Twice does no harm, as a case of its own makes sure.
  trial.defer(async () => void (await trial.ask('StopLogging', { File: path })));
}

/** The container ends, in the order of dockerd: the plugin is told, then the stream ends, then it is removed. */
export async function stopped(trial: LogTrial, stream: LogStream): Promise<void> {
  await trial.succeeds('StopLogging', { File: stream.path }, 'what is in the stream to be read, and an answer');
  stream.close();
}

/** In ms, for one call and for what follows from one. */
export const deadlineOf = (trial: LogTrial): number => trial.session.settings.deadlineMs ?? defaultDeadlineMs;

let lastNano = 0n;

/** A line of a container that prints now. */
export function entryOf(line: string | Uint8Array, more: Partial<LogEntry> = {}): LogEntry {
  const now = BigInt(Date.now()) * 1_000_000n;
  lastNano = now > lastNano ? now : lastNano + 1n;
  return { source: 'stdout', timeNano: lastNano, line: Buffer.from(line), partial: false, ...more };
}

/** @throws Finding unless all of it is read, but for what a pipe holds */
export async function printed(
  trial: LogTrial,
  stream: LogStream,
  entries: readonly (string | LogEntry)[] | Buffer,
): Promise<void> {
  const bytes = Buffer.isBuffer(entries)
    ? entries
    : Buffer.concat(entries.map((entry) => encodeLogEntry(typeof entry === 'string' ? entryOf(entry) : entry)));
  const written = await stream.write(bytes, Math.min(deadlineOf(trial), longestPatienceMs));
  if (written === bytes.length) return;
  throw new Finding(
    'the stream to be read',
    startingCall(trial, stream),
    `only ${written} of ${bytes.length} bytes went in, then nothing more was read: the container hangs in its next line`,
  );
}

function startingCall(trial: LogTrial, { path }: LogStream): Said | undefined {
  return trial.calls.find(
    ({ call, request }) => call.endsWith('StartLogging') && JSON.stringify(request).includes(path),
  );
}

/** More than a pipe holds: it goes in only if what lay there before was read. */
export async function isRead(trial: LogTrial, stream: LogStream): Promise<void> {
  const line = `a line that fills the pipe${'.'.repeat(1_000)}`;
  await printed(trial, stream, Array<string>(140).fill(line));
}

/** Whether it says that it can be read. */
export async function canRead(trial: LogTrial): Promise<boolean> {
  const said = await trial.ask('Capabilities', {});
  return trial.succeeded('Capabilities', said) && trial.read('Capabilities', said).Cap?.ReadLogs === true;
}

/** @throws Inapplicable */
export async function mustRead(trial: LogTrial): Promise<void> {
  if (!(await canRead(trial))) throw new Inapplicable('it does not say that it can be read (Cap.ReadLogs)');
}

export type Reading = Partial<Static<typeof ReadConfig>>;

export const readRequest = ({ info }: Container, config: Reading = {}) => ({
  Info: info,
  Config: { Since: noTime, Until: noTime, Tail: -1, Follow: false, ...config },
});

/** Reads the answer of `ReadLogs`. @throws Finding when that is not a stream of entries */
export async function read(
  trial: LogTrial,
  one: Container,
  config: Reading = {},
  { signal, onEntries }: { signal?: AbortSignal; onEntries?: (all: readonly LogEntry[]) => void } = {},
): Promise<LogEntry[]> {
  const decoder = new LogEntryDecoder();
  const entries: LogEntry[] = [];
  const take: Manner['take'] = (chunk) => {
    // The decoder gives views of what it was given.
    entries.push(...decoder.push(Buffer.from(chunk)));
    onEntries?.(entries);
  };
  const said = await trial.ask('ReadLogs', readRequest(one, config), { take, ...(signal ? { signal } : {}) });
  if (signal?.aborted) return entries;
  trial.read('ReadLogs', said, 'a stream of log entries');
  const strange = decoder.skipped + decoder.rest.length;
  trial.holds(strange === 0, 'a stream of log entries', said, `${strange} bytes of it were none`);
  return entries;
}

/** The lines of entries, whether they have their line feeds or not; what is partial goes on. */
export function linesOf(entries: readonly LogEntry[]): string[] {
  const text = entries
    .map(({ line, partial, partialLogMetadata }) => {
      const piece = Buffer.from(line).toString('utf8');
      const goesOn = partial && partialLogMetadata?.last !== true;
      return goesOn || piece.endsWith('\n') ? piece : `${piece}\n`;
    })
    .join('');
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** Waits for what is expected; drivers that deliver in the background take a moment. */
export async function readsUntil(
  trial: LogTrial,
  one: Container,
  holds: (lines: string[], entries: LogEntry[]) => boolean,
  expected: string,
  config: Reading = {},
): Promise<void> {
  for (const end = Date.now() + deadlineOf(trial); ; await pause(pollMs)) {
    const entries = await read(trial, one, config);
    const lines = linesOf(entries);
    if (holds(lines, entries)) return;
    if (Date.now() < end) continue;
    const shown =
      lines.length > 20 ? [...lines.slice(0, 10), `… ${lines.length - 20} more …`, ...lines.slice(-10)] : lines;
    throw new Finding(expected, trial.calls.at(-1), `its lines are ${JSON.stringify(shown).slice(0, 1_000)}`);
  }
}

/** Where it can be read: these lines are there, in this order, whatever lies between. */
export async function keeps(
  trial: LogTrial,
  one: Container,
  lines: readonly string[],
  expected: string,
): Promise<void> {
  if (!(await canRead(trial))) return;
  await readsUntil(trial, one, (found) => inOrder(found, lines), expected);
}

/** The same, where engines see them: one after the other, whatever entries they come in. */
export async function keepsJoined(
  trial: LogTrial,
  one: Container,
  lines: readonly string[],
  expected: string,
): Promise<void> {
  if (!(await canRead(trial))) return;
  const joined = (entries: readonly LogEntry[]) =>
    entries
      .map(({ line }) => Buffer.from(line).toString('utf8'))
      .join('')
      .split('\n');
  const holds = (found: string[], entries: LogEntry[]) => inOrder(found, lines) || inOrder(joined(entries), lines);
  await readsUntil(trial, one, holds, expected);
}

/** Among the lines that look so, there are these and no others. */
export async function keepsNone(
  trial: LogTrial,
  one: Container,
  looks: RegExp,
  but: readonly string[],
  expected: string,
): Promise<void> {
  if (!(await canRead(trial))) return;
  const others = (found: string[]) => found.filter((line) => looks.test(line) && !but.includes(line));
  await readsUntil(trial, one, (found) => others(found).length === 0, expected);
}

function inOrder(found: readonly string[], lines: readonly string[]): boolean {
  let next = 0;
  for (const line of found) if (next < lines.length && line === lines[next]) next++;
  return next === lines.length;
}
