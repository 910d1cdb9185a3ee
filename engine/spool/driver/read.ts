import type { Extensions } from '@cleat/extensions/service';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import { goTime, toNanos, zeroTime } from '../../time.js';
import { Renderer } from '../render.js';
import type { LogsQuery } from '../service.js';

/** A reader of a log does not wait long for a driver that hangs: there is the engine's own copy. */
const answerMs = 5000;
/** How long a driver may be silent in the middle of a log that it is not following. */
const silenceMs = 30_000;
/** How long it may take to end a log that it follows once the container has ended, and how often that is looked at. */
const endMs = 5000;
const lookMs = 1000;
/** A stream of so many bytes without one entry is none. */
const strangeBytes = 1024 * 1024;

type Capability = { reads: boolean; verbatim: boolean };

/** The facts about the container whose log is read. */
export interface Reading {
  driver: string;
  info: LogInfo;
  query: LogsQuery;
  running: () => boolean;
  /** Why the driver takes nothing just now; empty: it does. */
  trouble: () => string;
}

/** Logs from drivers that can be read. */
export class DriverLogs {
  readonly #extensions: Extensions;
  readonly #known = new Map<string, Capability>();
  readonly #offChange: () => void;

  constructor(extensions: Extensions) {
    this.#extensions = extensions;
    // Another version of it may have come.
    this.#offChange = extensions.onChange(({ name }) => this.#known.delete(name));
  }

  /**
   * @returns undefined when the driver cannot be read, or would answer what the engine has itself
   * @throws CleatError when it should answer and does not
   */
  async read(reading: Reading): Promise<AsyncIterable<Uint8Array> | undefined> {
    const { driver, info, query, running } = reading;
    const { reads, verbatim } = await this.#capability(driver);
    if (!reads || verbatim) return undefined;
    const client = await this.#extensions.get(logKind, driver, { impatient: true, signal: query.signal });
    const follow = query.follow && running();
    const timeText = (moment: LogsQuery['since']) => (moment === undefined ? zeroTime : goTime(toNanos(moment)));
    const Config = {
      Since: timeText(query.since),
      Until: timeText(query.until),
      Tail: query.tail ?? -1,
      Follow: follow,
    };
    const options = { signal: query.signal, deadlineMs: answerMs, impatient: true };
    const stream = await client.ReadLogs({ Info: info, Config }, options);
    return stream && render(stream, { ...reading, query: { ...query, follow } });
  }

  close(): void {
    this.#offChange();
  }

  async #capability(driver: string): Promise<Capability> {
    const known = this.#known.get(driver);
    if (known) return known;
    const client = await this.#extensions.get(logKind, driver, {
      impatient: true,
      signal: AbortSignal.timeout(answerMs),
    });
    const answer = await client.Capabilities({}, { deadlineMs: answerMs, impatient: true });
    const capability = { reads: answer?.Cap?.ReadLogs === true, verbatim: answer?.Cap?.Verbatim === true };
    this.#known.set(driver, capability);
    return capability;
  }
}

/** A driver's entries as a client wants them. @throws Unavailable in the middle, when the driver breaks off */
async function* render(stream: AsyncIterable<Uint8Array>, reading: Reading): AsyncGenerator<Uint8Array> {
  const { query, driver } = reading;
  const decoder = new LogEntryDecoder();
  const renderer = new Renderer({
    ...query,
    since: query.since === undefined ? undefined : toNanos(query.since),
    until: query.until === undefined ? undefined : toNanos(query.until),
  });
  const broken = (why: string) =>
    unavailable(`log driver ${driver} broke off in the middle of a log (${why}): what came after it is missing here`);
  const pieces = stream[Symbol.asyncIterator]();
  let seen = false;
  try {
    for (;;) {
      const piece = await next(pieces, reading).catch((error) => {
        throw broken(messageOf(error));
      });
      if (query.signal.aborted || piece === 'over') return;
      if (piece.done) break;
      const entries = decoder.push(piece.value);
      seen ||= entries.length > 0;
      if (!seen && decoder.skipped > strangeBytes) throw broken('it sends something that is no log');
      const chunk = renderer.entries(entries);
      if (chunk.length > 0) yield chunk;
      if (renderer.finished) return;
    }
    if (decoder.rest.length > 0) throw broken('its last entry is cut off');
  } finally {
    // Ends the call; a driver that hangs does not hang who reads.
    pieces.return?.().catch(() => {});
  }
}

/** The next piece; `over` when a followed log is at its end, though the driver does not say so. */
async function next(
  pieces: AsyncIterator<Uint8Array>,
  { query, running, trouble }: Reading,
): Promise<IteratorResult<Uint8Array> | 'over'> {
  const piece = pieces.next();
  // A caller that stops waiting does not hear of its failure.
  piece.catch(() => {});
  let endedMs = 0;
  for (let waited = 0; ; waited += lookMs) {
    const outcome = await Promise.race([piece, tick(lookMs, query.signal)]);
    if (outcome !== 'tick') return outcome;
    if (query.signal.aborted) return 'over';
    if (!query.follow && waited >= silenceMs) throw unavailable(`it has been silent for ${silenceMs / 1000} s`);
    if (query.follow && trouble()) throw unavailable(trouble());
    if (query.follow && !running()) endedMs += lookMs;
    if (endedMs > endMs) return 'over';
  }
}

function tick(ms: number, signal: AbortSignal): Promise<'tick'> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve('tick');
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
