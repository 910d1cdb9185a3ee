import type { Caller } from '@cleat/protocol/caller';
import { type CleatError, isClass, messageOf, systemError, unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import {
  type PowerstripAnswer,
  type PowerstripRequest,
  postHookMessage,
  preHookMessage,
  readPostHook,
  readPreHook,
} from '@cleat/protocol/powerstrip';
import { asDetails } from '@cleat/protocol/verdict';
import type { AdapterRun, Adapters, HookChange, Passed } from '../service.js';
import { callAdapter } from './call.js';
import type { PowerstripConfig } from './config.js';

export interface AdaptersDeps {
  /** Read at each request: SIGHUP changes it. */
  readonly config: () => PowerstripConfig | undefined;
  readonly log: Logger;
  /** Address of a container by its name; undefined: there is none. */
  readonly addressOf: (container: string) => Promise<string | undefined>;
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

  begin(method: string, path: string, caller: Caller): AdapterRun | undefined {
    const config = this.#deps.config();
    const fitting = config?.endpoints.filter(({ matches }) => matches.test(`${method} ${path}`)) ?? [];
    if (!config || fitting.length === 0 || isAdapters(config, caller)) return undefined;
    const pre = fitting.flatMap((endpoint) => endpoint.pre);
    const post = fitting.flatMap((endpoint) => endpoint.post);
    return {
      hasPre: pre.length > 0,
      hasPost: post.length > 0,
      request: (given, signal) =>
        this.#chain(config, pre, given, preHookMessage, (text, now) => readPreHook(text, now), signal),
      answer: (client, given, signal) =>
        this.#chain(
          config,
          post,
          given,
          (now: PowerstripAnswer) => postHookMessage(client, now),
          (text, now) => readPostHook(text, now),
          signal,
        ),
    };
  }

  /** Each adapter is given the former one's answer. */
  async #chain<T extends PowerstripRequest | PowerstripAnswer>(
    config: PowerstripConfig,
    names: readonly string[],
    given: T,
    message: (now: T) => string,
    read: (text: string, now: T) => T,
    signal: AbortSignal | undefined,
  ): Promise<Passed<T>> {
    let now = given;
    const changes: HookChange[] = [];
    for (const name of names) {
      const url = config.adapters.get(name);
      if (!url) throw systemError(`the adapter ${name} is not defined`);
      try {
        const reply = await this.#ask(url, message(now), signal);
        if (reply.status >= 400) {
          this.#deps.log.debug('an adapter refused', { adapter: name, status: reply.status });
          return { by: who(name), refusal: reply };
        }
        if (reply.status !== 200) throw systemError(`it answered with status ${reply.status}`);
        const next = read(reply.body.toString(), now);
        changes.push(...differences(now, next).map((Path) => ({ Hook: who(name), Path })));
        now = next;
      } catch (error) {
        if (signal?.aborted) throw error;
        this.#deps.log.warn('an adapter failed', { adapter: name, url: String(url), error: messageOf(error) });
        throw asFailure(name, error);
      }
    }
    return { passed: now, changes };
  }

  async #ask(url: URL, message: string, signal: AbortSignal | undefined) {
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

/** As the audit journal calls it. */
const who = (name: string): string => `adapter ${name}`;

function differences<T extends object>(before: T, after: T): string[] {
  return (Object.keys(after) as (keyof T & string)[]).filter((name) => before[name] !== after[name]);
}

/** An adapter in a container may use the API while it is asked something. */
function isAdapters({ adapters }: PowerstripConfig, { Container }: Caller): boolean {
  return Container !== undefined && [...adapters.values()].some(({ hostname }) => hostname === Container.Name);
}

function asFailure(name: string, error: unknown): CleatError {
  const reason = messageOf(error);
  const message = `the adapter ${name} failed: ${reason}`;
  const options = { cause: error, details: asDetails({ by: who(name), reason, denied: false }) };
  // A client must not take it for an answer of the engine's, such as "no such image".
  return isClass(error, 'Unavailable') ? unavailable(message, options) : systemError(message, options);
}
