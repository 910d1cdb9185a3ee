import { messageOf, systemError } from '@cleat/protocol/errors';
import type { HookMatch } from '@cleat/protocol/kinds/hook';
import { memberPathText } from '@cleat/protocol/member-path';
import type { HookEntry } from './config.js';
import { mayFit } from './match.js';
import type { Hook, HookCall, HookedRoute, HookStatus, HookWishes } from './service.js';

/**
 * Questions to one hook that wait for an answer. It also ends a circle: a hook that calls the API, and is asked about
 * that, and calls the API.
 */
const maxAsked = 200;

/** A hook with its place in the chain: what the file says of it, and how it fares. */
export class Link {
  readonly hook: Hook;
  readonly entry: HookEntry;
  #asked = 0;
  #requests = 0;
  #changed = 0;
  #refused = 0;
  #failures = 0;
  #lastFailure: string | undefined;

  constructor(hook: Hook, entry: HookEntry) {
    this.hook = hook;
    this.entry = entry;
  }

  get name(): string {
    return this.entry.name;
  }

  /** Whether it may want to see requests of that route; one that has not said yet may want all that the file lets it. */
  mayWant(route: HookedRoute): boolean {
    const { known } = this.hook;
    if (this.entry.match && !this.entry.match.some((match) => mayFit(match, route))) return false;
    if (!known) return true;
    if (known.request === 'none' && known.response === 'none') return false;
    return !known.match || known.match.some((match) => mayFit(match, route));
  }

  /** Those of its alternatives that may fit, of the file's and of its own; a request must fit one of each. */
  alternatives({ match }: HookWishes, route: HookedRoute): (readonly HookMatch[])[] {
    return [this.entry.match, match].flatMap((all) => (all ? [all.filter((one) => mayFit(one, route))] : []));
  }

  /** Puts one question. @throws System when there is no answer */
  async ask<T>(signal: AbortSignal | undefined, question: (call: HookCall) => Promise<T>): Promise<T> {
    if (this.#asked >= maxAsked) throw systemError(`it has ${maxAsked} questions to answer already`);
    this.#asked++;
    try {
      return await question({ signal, deadlineMs: this.entry.deadlineMs });
    } finally {
      this.#asked--;
    }
  }

  count(result: 'asked' | 'changed' | 'refused'): void {
    if (result === 'asked') this.#requests++;
    else if (result === 'changed') this.#changed++;
    else this.#refused++;
  }

  failed(cause: unknown): void {
    this.#failures++;
    this.#lastFailure = messageOf(cause);
  }

  status(): HookStatus {
    const { name, match, deadlineMs, onFailure, wins } = this.entry;
    const { known, origin } = this.hook;
    return {
      Name: name,
      Origin: origin,
      OnFailure: onFailure,
      DeadlineMs: deadlineMs,
      Wins: wins.map(memberPathText),
      ...(match && { Match: match }),
      ...(known && { Wishes: known }),
      Requests: this.#requests,
      Changed: this.#changed,
      Refused: this.#refused,
      Failures: this.#failures,
      ...(this.#lastFailure !== undefined && { LastFailure: this.#lastFailure }),
    };
  }
}
