import type { Reply } from '@cleat/protocol/answer';
import { Deadline } from '@cleat/protocol/async/deadline';
import { messageOf } from '@cleat/protocol/errors';
import type { Metric, RunningExtension } from '@cleat/protocol/extension';
import type { Logger } from '@cleat/protocol/log';
import type { CallStatistics } from './calls.js';
import { metricsMediaType, metricsText } from './prometheus.js';

/** How long the extension may take to say how it is. */
const deadlineMs = 5_000;
export const plainText = 'text/plain; charset=utf-8';

/** A page, with its media type. */
export interface Page extends Reply {
  type: string;
}

export interface PageSettings {
  name: string;
  running: RunningExtension;
  kinds: readonly string[];
  statistics: CallStatistics;
  isStopping: () => boolean;
  log: Logger;
}

/** The pages of an extension, read by GET; the protocol itself is POST only. */
export class Pages {
  readonly #settings: PageSettings;
  readonly #since = new Date().toISOString();

  constructor(settings: PageSettings) {
    this.#settings = settings;
  }

  async answer(path: string): Promise<Page> {
    if (path === '/health') return { ...(await this.#health()), type: 'application/json' };
    if (path === '/metrics') return { status: 200, text: await this.#metrics(), type: metricsMediaType };
    const text = 'the plugin protocol knows POST only; by GET there are /health and /metrics';
    return { status: 405, text, type: plainText };
  }

  async #health(): Promise<Reply> {
    const { name, kinds, statistics } = this.#settings;
    const facts = { name, kinds, since: this.#since, underWay: statistics.underWay };
    const reason = await this.#whatIsWrong();
    const text = (more: object) => `${JSON.stringify({ ...more, ...facts })}\n`;
    if (reason === undefined) return { status: 200, text: text({ status: 'ok' }) };
    return { status: 503, text: text({ status: 'failing', reason }) };
  }

  async #whatIsWrong(): Promise<string | undefined> {
    const { running, isStopping } = this.#settings;
    if (isStopping()) return 'it is being stopped';
    try {
      return (await inTime('its health check', async (signal) => running.health?.(signal))) || undefined;
    } catch (error) {
      return messageOf(error) || 'it failed without saying why';
    }
  }

  async #metrics(): Promise<string> {
    const { running, statistics, log } = this.#settings;
    const added = await inTime('its metrics', async () => running.metrics?.() ?? []).catch(
      (error: unknown): readonly Metric[] => {
        log.warn('the extension does not tell its own metrics', { error: messageOf(error) });
        return [];
      },
    );
    return metricsText(statistics, added);
  }
}

/** @throws Error when the work takes longer than the deadline */
async function inTime<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  using deadline = new Deadline({
    ms: deadlineMs,
    late: () => new Error(`${what} did not end within ${deadlineMs} ms`),
  });
  return await deadline.race(work(deadline.signal));
}
