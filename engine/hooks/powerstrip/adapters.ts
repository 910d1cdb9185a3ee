import type { Caller } from '@cleat/protocol/caller';
import { unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { AdapterRun, AdapterSubject, Adapters } from '../service.js';
import type { NewTrace } from '../traces.js';
import { callAdapter } from './call.js';
import type { PowerstripConfig } from './config.js';
import { type Adapter, PowerstripRun } from './run.js';

export interface AdaptersDeps {
  /** Read at each request: SIGHUP changes it. */
  readonly config: () => PowerstripConfig | undefined;
  readonly log: Logger;
  /** Address of a container by its name; undefined: there is none. */
  readonly addressOf: (container: string) => Promise<string | undefined>;
  readonly trace: (trace: NewTrace) => void;
}

/** Messages that wait for an adapter's answer. It also ends a circle: an adapter that calls the API it is asked about. */
const maxAsked = 200;

/** The adapters of one `adapters.yml`. */
export class PowerstripAdapters implements Adapters {
  readonly #deps: AdaptersDeps;
  #asked = 0;

  constructor(deps: AdaptersDeps) {
    this.#deps = deps;
  }

  get isEmpty(): boolean {
    return (this.#deps.config()?.endpoints.length ?? 0) === 0;
  }

  begin(subject: AdapterSubject): AdapterRun | undefined {
    const config = this.#deps.config();
    const { method, path, caller } = subject;
    const fitting = config?.endpoints.filter(({ matches }) => matches.test(`${method} ${path}`)) ?? [];
    if (!config || fitting.length === 0 || isAdapters(config, caller)) return undefined;
    const found = (names: readonly string[]): Adapter[] =>
      names.map((name) => ({ name, url: config.adapters.get(name) }));
    return new PowerstripRun(subject, {
      pre: found(fitting.flatMap(({ pre }) => pre)),
      post: found(fitting.flatMap(({ post }) => post)),
      ask: (url, message, signal) => this.#ask(url, message, signal),
      log: this.#deps.log,
      trace: this.#deps.trace,
    });
  }

  async #ask(url: URL, message: string, signal: AbortSignal): ReturnType<typeof callAdapter> {
    if (this.#asked >= maxAsked) throw unavailable(`${this.#asked} messages wait for adapters already`);
    this.#asked++;
    try {
      const isContainer = /^[a-z0-9][\w-]*$/i.test(url.hostname) && url.hostname !== 'localhost';
      const address = isContainer ? await this.#deps.addressOf(url.hostname) : undefined;
      return await callAdapter(url, message, { address, signal });
    } finally {
      this.#asked--;
    }
  }
}

/** An adapter in a container may use the API while it is asked something. */
function isAdapters({ adapters }: PowerstripConfig, { Container }: Caller): boolean {
  return Container !== undefined && [...adapters.values()].some(({ hostname }) => hostname === Container.Name);
}
