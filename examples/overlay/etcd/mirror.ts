import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { Backoff, type Logger } from '@cleat/sdk';
import { Compacted, type Etcd } from './etcd.js';

/** A watch is a hint, a list the truth: after that long it is read again, in ms. */
const listAgainMs = 30_000;

/** The values below a prefix, as etcd told them last: they can be read at any time, and stay when etcd is away. */
export class Mirror {
  readonly #etcd: Etcd;
  readonly #prefix: string;
  readonly #log: Logger;
  readonly #backoff = new Backoff({ firstMs: 100, longestMs: 1_000 });
  #values = new Map<string, string>();
  #again = new AbortController();
  #whole = false;

  constructor(etcd: Etcd, prefix: string, log: Logger) {
    this.#etcd = etcd;
    this.#prefix = prefix;
    this.#log = log;
  }

  /** Whether it was read at all: until then, what is not in it may be there. */
  get isWhole(): boolean {
    return this.#whole;
  }

  /** Keys with a prefix, and their values. */
  below(prefix: string): [key: string, value: string][] {
    return [...this.#values].filter(([key]) => key.startsWith(prefix));
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  /** A time of silence is over: news may have been missed. */
  reload(): void {
    this.#again.abort();
  }

  /** Follows until the signal aborts. @param onNews after something changed */
  async run(onNews: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#again = new AbortController();
      const timer = setTimeout(() => this.#again.abort(), listAgainMs);
      const ended = AbortSignal.any([signal, this.#again.signal]);
      try {
        await this.#follow(onNews, ended);
      } catch (error) {
        if (!ended.aborted) await this.#pause(error, signal);
      } finally {
        clearTimeout(timer);
      }
    }
  }

  async #follow(onNews: () => void, signal: AbortSignal): Promise<void> {
    const { revision, entries } = await this.#etcd.list(this.#prefix);
    this.#values = new Map(entries.map(({ key, value }) => [key, value]));
    this.#whole = true;
    this.#backoff.reset();
    onNews();
    for await (const news of this.#etcd.watch(this.#prefix, revision, signal)) {
      for (const { key, value } of news) {
        if (value === undefined) this.#values.delete(key);
        else this.#values.set(key, value);
      }
      if (news.length > 0) onNews();
    }
  }

  async #pause(error: unknown, signal: AbortSignal): Promise<void> {
    if (error instanceof Compacted) return;
    this.#log.debug('what other hosts do is not heard now', { error: messageOf(error) });
    await sleep(this.#backoff.next(), undefined, { signal }).catch(() => {}); // Aborted: its caller looks.
  }
}
