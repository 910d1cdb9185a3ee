import { CleatError, type ErrorClass, errorStatus, messageOf, systemError } from '@cleat/protocol/errors';
import type { HookChanges, HookRequestReply } from '@cleat/protocol/kinds/hook';
import { memberPathText } from '@cleat/protocol/member-path';
import { readable } from '@cleat/protocol/untrusted';
import type { Link } from './link.js';
import { valueAt } from './members.js';
import type { Claim, Owners } from './owners.js';
import { shown } from './secrets.js';
import type { HookCall, TracedChange, TracedStep } from './service.js';
import { type Changeable, changesOf, wishOf } from './wishes.js';

/** Characters of what a hook says, for client and log. */
const maxMessage = 4096;
/** Changes of one answer in a trace. */
const maxTraced = 64;

/** Statuses that a denial may have, with their class. */
const denials = new Map(
  (
    [
      'InvalidParameter',
      'Unauthorized',
      'Forbidden',
      'NotFound',
      'Conflict',
      'System',
      'NotImplemented',
      'Unavailable',
    ] as const satisfies ErrorClass[]
  ).map((name): [number, ErrorClass] => [errorStatus[name], name]),
);

/** A request is not served because a hook said so, or because two of them want different things. */
export class Refusal {
  constructor(
    readonly result: 'denied' | 'conflict',
    readonly reason: string,
    readonly error: CleatError,
  ) {}
}

/** One hook's turn. */
export class Step {
  readonly link: Link;
  readonly #stage: TracedStep['Stage'];
  readonly #owners: Owners;
  readonly #file: string;
  readonly #began = performance.now();
  readonly #giveBack: () => void;
  readonly #traced: TracedChange[] = [];
  /** Paths that it changed. */
  readonly changed: string[] = [];
  result: TracedStep['Result'] = 'passed';
  reason: string | undefined;

  /** @param file names the file of hooks in messages */
  constructor(link: Link, stage: TracedStep['Stage'], owners: Owners, file: string) {
    this.link = link;
    this.#stage = stage;
    this.#owners = owners;
    this.#file = file;
    this.#giveBack = owners.checkpoint();
  }

  /** @throws whatever keeps the hook from answering */
  async ask<T>(signal: AbortSignal | undefined, question: (call: HookCall) => Promise<T>): Promise<T> {
    this.link.count('asked');
    return await this.link.ask(signal, question);
  }

  /** @throws Refusal; InvalidParameter for one that the protocol does not have */
  refuseDenied({ Deny }: HookRequestReply): void {
    if (!Deny) return;
    const name = denials.get(Deny.Status ?? 403);
    if (!name)
      throw systemError(`it denied with status ${Deny.Status}, which is none of ${[...denials.keys()].join(', ')}`);
    const reason = readable(Deny.Message, maxMessage);
    throw new Refusal('denied', reason, new CleatError(name, `request denied by hook ${this.link.name}: ${reason}`));
  }

  /** Makes all changes that an answer asks for, or none. @throws Refusal; InvalidParameter for one that cannot be made */
  apply(reply: HookChanges, to: Changeable): unknown {
    let { message } = to;
    for (const change of changesOf(reply, to.roots)) {
      const wish = wishOf(this.link.name, change, { ...to, message });
      const settled = this.#owners.settle(message, wish);
      const path = memberPathText(change.path);
      if (settled.kind === 'conflict') throw this.#conflict(path, wish.value, settled.with);
      if (settled.kind === 'yielded') {
        this.#trace({ Path: path, ...value('To', shown(wish.path, wish.value)), YieldedTo: settled.to });
        continue;
      }
      const [from, next] = [valueAt(message, wish.place), valueAt(settled.message, wish.place)];
      message = settled.message;
      const texts = [shown(wish.place, from), shown(wish.place, next)] as const;
      this.#trace({ Path: path, ...value('From', texts[0]), ...value('To', texts[1]) });
      this.changed.push(path);
    }
    if (this.changed.length > 0) this.result = 'changed';
    return message;
  }

  #conflict(path: string, mine: unknown, { hook, path: theirs, value: others }: Claim): Refusal {
    const other = memberPathText(theirs);
    const wants = (where: string, what: string | undefined) =>
      what === undefined ? `removes ${where}` : `sets ${where} to ${what}`;
    const reason =
      `hook ${hook} ${wants(other, shown(theirs, others))}, ` +
      `hook ${this.link.name} ${wants(path, shown([path], mine))}`;
    return new Refusal(
      'conflict',
      reason,
      systemError(`request hooks are in conflict: ${reason}; say in ${this.#file} which one "wins"`),
    );
  }

  #trace(change: TracedChange): void {
    if (this.#traced.length < maxTraced) this.#traced.push(change);
  }

  /** Its hook failed: the message stays as it was, and so do the owners of its fields. @returns why */
  failed(error: unknown): string {
    this.#giveBack();
    this.reason = readable(messageOf(error), maxMessage);
    this.changed.length = 0;
    return this.reason;
  }

  traced(): TracedStep {
    return {
      Hook: this.link.name,
      Stage: this.#stage,
      Result: this.result,
      ...(this.reason !== undefined && { Reason: this.reason }),
      // Changes that were not made are not shown.
      Changes: this.result === 'ignored' || this.result === 'failed' ? [] : this.#traced,
      DurationMs: Math.round((performance.now() - this.#began) * 1000) / 1000,
    };
  }
}

const value = <K extends string>(key: K, text: string | undefined): Partial<Record<K, string>> =>
  text === undefined ? {} : ({ [key]: text } as Record<K, string>);
