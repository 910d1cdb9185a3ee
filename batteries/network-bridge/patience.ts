import { Backoff } from '@cleat/protocol/async/backoff';

/** The longest intervals. Rules keep networks apart, and cost a process or two: they are made anew more often. */
export const longestMs = { links: 60_000, rules: 10_000 };
/** So often in a row a thing is put right at once: an administrator may load a firewall's rules a few times. */
const atOnce = 10;
const firstMs = 1_000;
/** Damage after so long a peace is a new matter. */
const forgottenAfterMs = 5 * 60_000;

interface Quarrel {
  times: number;
  last: number;
  next: number;
  readonly backoff: Backoff;
}

/**
 * Bounds the work on what somebody else damages again and again: it is put right at longer and longer intervals. Two
 * programs that disagree about a host must not keep it busy.
 */
export class Patience {
  readonly #quarrels = new Map<string, Quarrel>();
  readonly #longestMs: number;
  readonly #now: () => number;

  /** @param longestMs the longest interval */
  constructor(longestMs: number, now = () => performance.now()) {
    this.#longestMs = longestMs;
    this.#now = now;
  }

  /** Whether it is time to put this right. */
  isDue(thing: string): boolean {
    const quarrel = this.#quarrels.get(thing);
    return !quarrel || this.#now() >= quarrel.next;
  }

  /**
   * Notes that it is put right now.
   * @returns how many ms at least pass before it is due again; 0 as long as nobody seems to insist
   */
  spend(thing: string): number {
    const now = this.#now();
    for (const [other, { last }] of this.#quarrels) {
      if (now - last > forgottenAfterMs) this.#quarrels.delete(other);
    }
    const backoff = () => new Backoff({ firstMs, longestMs: this.#longestMs });
    const quarrel = this.#quarrels.get(thing) ?? { times: 0, last: now, next: now, backoff: backoff() };
    this.#quarrels.set(thing, quarrel);
    quarrel.times += 1;
    quarrel.last = now;
    const pause = quarrel.times < atOnce ? 0 : quarrel.backoff.next();
    quarrel.next = now + pause;
    return pause;
  }
}

/** For the log, where somebody seems to insist. */
export const insisting = (pauseMs: number): Record<string, unknown> =>
  pauseMs === 0 ? {} : { again: 'somebody does so again and again', nextTimeAfterSeconds: pauseMs / 1_000 };

/** The same for rules, whose culprit has a name. */
export const insistingOnRules = (pauseMs: number): Record<string, unknown> =>
  pauseMs === 0
    ? {}
    : {
        ...insisting(pauseMs),
        suspect: 'a program that loads rules of its own: run "nft monitor", which tells its name and process',
      };
