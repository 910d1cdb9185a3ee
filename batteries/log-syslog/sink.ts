import { Backoff } from '@cleat/protocol/async/backoff';
import { messageOf } from '@cleat/protocol/errors';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import type { Sink, SinkReport } from '@cleat/sdk/logs/sink';
import { Formatter } from './format.js';
import { type LineOut, openLineOut } from './line-out.js';
import type { SyslogOptions } from './log-options.js';

const pauses = { firstMs: 200, longestMs: 5_000 };
/** So long after the container's end a server that is away is waited for. */
const patienceMs = 60_000;

/**
 * From a driver's stream of entries to a syslog server. While that is away nothing more is read: the engine keeps the
 * output, within its bound.
 */
export class SyslogSink implements Sink {
  readonly #options: SyslogOptions;
  readonly #formatter: Formatter;
  readonly #decoder = new LogEntryDecoder();
  #out: LineOut | undefined;
  #giveUpAt = Number.POSITIVE_INFINITY;
  #report: SinkReport = { skipped: 0, dropped: 0, reason: '' };

  constructor(options: SyslogOptions, rest?: Uint8Array) {
    this.#options = options;
    this.#formatter = new Formatter(options);
    if (rest) this.#decoder.push(rest);
  }

  async push(chunk: Uint8Array): Promise<void> {
    const messages = this.#decoder.push(chunk).flatMap((entry) => this.#formatter.message(entry) ?? []);
    if (messages.length > 0) await this.#send(messages);
  }

  takeReport(): SinkReport | undefined {
    const report = { ...this.#report, skipped: this.#decoder.skipped };
    this.#decoder.skipped = 0;
    this.#report = { skipped: 0, dropped: 0, reason: '' };
    return report.skipped > 0 || report.reason !== '' ? report : undefined;
  }

  get rest(): Buffer {
    return this.#decoder.rest;
  }

  ending(): void {
    this.#giveUpAt = Date.now() + patienceMs;
  }

  async close(): Promise<void> {
    await this.#out?.close();
    this.#out = undefined;
  }

  /** After a broken connection all of them are sent again: better twice than never. */
  async #send(messages: readonly Buffer[]): Promise<void> {
    const backoff = new Backoff(pauses);
    for (;;) {
      try {
        this.#out ??= await openLineOut(this.#options);
        const impossible = await this.#out.send(messages);
        if (impossible > 0) this.#lost(impossible, 'longer than a datagram may be');
        return;
      } catch (error) {
        this.#report.reason ||= messageOf(error);
        await this.#out?.close();
        this.#out = undefined;
        if (Date.now() > this.#giveUpAt) {
          this.#lost(
            messages.reduce((sum, { length }) => sum + length, 0),
            messageOf(error),
          );
          return;
        }
        await backoff.wait();
      }
    }
  }

  #lost(bytes: number, reason: string): void {
    this.#report.dropped += bytes;
    this.#report.reason = reason;
  }
}
