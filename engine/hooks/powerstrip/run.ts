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
import { readable } from '@cleat/protocol/untrusted';
import { asDetails } from '@cleat/protocol/verdict';
import { shown } from '../secrets.js';
import type {
  AdapterRun,
  AdapterSubject,
  HookChange,
  HookDecision,
  Passed,
  TracedChange,
  TracedStep,
} from '../service.js';
import { type NewTrace, outcomeOf, traced } from '../traces.js';
import type { callAdapter } from './call.js';

export interface Adapter {
  readonly name: string;
  /** undefined: the file names it, and does not define it. */
  readonly url: URL | undefined;
}

export interface RunDeps {
  readonly pre: readonly Adapter[];
  readonly post: readonly Adapter[];
  readonly ask: (url: URL, message: string, signal: AbortSignal) => ReturnType<typeof callAdapter>;
  readonly log: Logger;
  readonly trace: (trace: NewTrace) => void;
}

type Message = PowerstripRequest | PowerstripAnswer;

/** How adapters are told of a message, and what they make of it. */
interface Wording<T extends Message> {
  readonly stage: TracedStep['Stage'];
  message(now: T): string;
  read(text: string, now: T): T;
}

/** Characters of a reason that a trace keeps. */
const longestReason = 1024;

/** One request on its way through the adapters, and its answer back. Each adapter is given the former one's message. */
export class PowerstripRun implements AdapterRun {
  readonly changes: HookChange[] = [];
  readonly steps: TracedStep[] = [];
  decision: HookDecision = { result: 'passed' };
  readonly #subject: AdapterSubject;
  readonly #deps: RunDeps;
  readonly #time = new Date().toISOString();

  constructor(subject: AdapterSubject, deps: RunDeps) {
    this.#subject = subject;
    this.#deps = deps;
  }

  get hasPre(): boolean {
    return this.#deps.pre.length > 0;
  }

  get hasPost(): boolean {
    return this.#deps.post.length > 0;
  }

  async request(given: PowerstripRequest, signal: AbortSignal): Promise<Passed<PowerstripRequest>> {
    const wording = { stage: 'request', message: preHookMessage, read: readPreHook } as const;
    return await this.#chain(this.#deps.pre, given, wording, signal);
  }

  async answer(
    client: PowerstripRequest,
    given: PowerstripAnswer,
    signal: AbortSignal,
  ): Promise<Passed<PowerstripAnswer>> {
    const message = (now: PowerstripAnswer): string => postHookMessage(client, now);
    return await this.#chain(this.#deps.post, given, { stage: 'response', message, read: readPostHook }, signal);
  }

  end(status: number): void {
    if (this.steps.length === 0) return;
    const outcome = outcomeOf(this.decision, this.steps);
    this.#deps.trace({ ...traced(this.#subject, this.#time), ...outcome, Status: status });
  }

  async #chain<T extends Message>(
    adapters: readonly Adapter[],
    given: T,
    wording: Wording<T>,
    signal: AbortSignal,
  ): Promise<Passed<T>> {
    let now = given;
    const made: HookChange[] = [];
    for (const { name, url } of adapters) {
      if (!url) throw systemError(`the adapter ${name} is not defined`);
      const begun = performance.now();
      const note = (Result: TracedStep['Result'], more: Partial<TracedStep>): void => {
        const DurationMs = Math.round((performance.now() - begun) * 1000) / 1000;
        this.steps.push({ Hook: who(name), Stage: wording.stage, Result, Changes: [], DurationMs, ...more });
      };
      const refuse = (result: 'denied' | 'failed', text: string): void => {
        const reason = readable(text, longestReason);
        this.decision = { result, by: who(name), reason };
        note(result, { Reason: reason });
      };
      try {
        const reply = await this.#deps.ask(url, wording.message(now), signal);
        if (reply.status >= 400) {
          this.#deps.log.debug('an adapter refused', { adapter: name, status: reply.status });
          refuse(reply.status < 500 ? 'denied' : 'failed', `${reply.status} ${reply.body.subarray(0, longestReason)}`);
          return { by: who(name), refusal: reply };
        }
        if (reply.status !== 200) throw systemError(`it answered with status ${reply.status}`);
        const next = wording.read(reply.body.toString(), now);
        const changes = differences(now, next);
        made.push(...changes.map(({ Path }) => ({ Hook: who(name), Path })));
        note(changes.length > 0 ? 'changed' : 'passed', { Changes: changes });
        now = next;
      } catch (error) {
        if (signal.aborted) throw error;
        this.#deps.log.warn('an adapter failed', { adapter: name, url: String(url), error: messageOf(error) });
        refuse('failed', messageOf(error));
        throw asFailure(name, error);
      }
    }
    this.changes.push(...made);
    return { passed: now };
  }
}

/** As the audit journal and traces call it. */
const who = (name: string): string => `adapter ${name}`;

function differences<T extends Message>(before: T, after: T): TracedChange[] {
  const names = Object.keys(after) as (keyof T & string)[];
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => ({ Path: name, ...text('From', name, before[name]), ...text('To', name, after[name]) }));
}

/** A value for the trace; a target without its query, which may hold secrets. */
function text<K extends string>(key: K, name: string, value: unknown): Partial<Record<K, string>> {
  const plain = name === 'Request' ? String(value).replace(/\?.*$/s, '?…') : value;
  const seen = plain === null ? undefined : shown([name], plain);
  return seen === undefined ? {} : ({ [key]: seen } as Record<K, string>);
}

function asFailure(name: string, error: unknown): CleatError {
  const reason = messageOf(error);
  const message = `the adapter ${name} failed: ${reason}`;
  const options = { cause: error, details: asDetails({ by: who(name), reason, denied: false }) };
  // A client must not take it for an answer of the engine's, such as "no such image".
  return isClass(error, 'Unavailable') ? unavailable(message, options) : systemError(message, options);
}
