import type { ForeignChanges } from '@cleat/linux/firewall/foreign-changes';
import { assertForward, hasLegacyRules } from '@cleat/linux/firewall/forward';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { insistingOnRules, longestMs, Patience } from './patience.js';

/** The tagged rules, for {@link Patience}. */
const ours = 'the rules';

/**
 * Keeps our bridges' tagged rules where a dockerd or an iptables policy would drop their packets; they vanish whenever
 * that dockerd restarts. A look costs one netlink message unless somebody changed the firewall since the last one.
 */
export class ForwardGuard {
  readonly #tag: string;
  readonly #foreign: ForeignChanges;
  readonly #log: Logger;
  #bridges: readonly string[] = [];
  #borrowed: readonly string[] = [];
  #six = false;
  /** The number of others' changes after which ours were last there. */
  #thereAfter: number | undefined;
  readonly #patience = new Patience(longestMs.rules);
  #work: Promise<unknown> = Promise.resolve();

  constructor(tag: string, foreign: ForeignChanges, log: Logger) {
    this.#tag = tag;
    this.#foreign = foreign;
    this.#log = log;
  }

  /**
   * Sets the bridges to let through. Failures are logged: the network works wherever nobody drops its packets.
   * @param borrowed bridges of others, of which only what stays on them is let through
   */
  async protect(bridges: readonly string[], borrowed: readonly string[], six: boolean): Promise<void> {
    const had = this.#any;
    const hadSix = this.#six;
    this.#bridges = bridges;
    this.#borrowed = borrowed;
    this.#six = six;
    if (!had && !this.#any) return;
    await this.#assert(six || hadSix).catch((error: unknown) =>
      this.#log.warn('iptables rules for our bridges could not be set; containers may not reach each other', {
        error: messageOf(error),
      }),
    );
  }

  /** @throws System with what iptables said */
  async look(): Promise<void> {
    if (!this.#any) return;
    const changes = this.#foreign.count();
    // Changes to rules of the older iptables are not counted.
    if ((changes === undefined || changes === this.#thereAfter) && !hasLegacyRules()) return;
    if (!this.#patience.isDue(ours) || !(await this.#assert(this.#six))) return;
    const pauseMs = this.#patience.spend(ours);
    this.#log.warn('iptables had other rules than our bridges need, and has them again', insistingOnRules(pauseMs));
  }

  get #any(): boolean {
    return this.#bridges.length + this.#borrowed.length > 0;
  }

  /** One at a time. @returns whether there was anything to do */
  #assert(six: boolean): Promise<boolean> {
    const asserted = this.#work.then(async () => {
      const changes = this.#foreign.count();
      const families = six ? [false, true] : [false];
      let changed = false;
      for (const family of families) if (await this.#assertFamily(family)) changed = true;
      this.#thereAfter = changes;
      return changed;
    });
    this.#work = asserted.catch(() => {});
    return asserted;
  }

  async #assertFamily(six: boolean): Promise<boolean> {
    let changed = false;
    await this.#foreign.own(async () => {
      changed = await assertForward(this.#bridges, this.#tag, six, this.#borrowed);
      if (!changed) return 0;
      // Transactions of the older iptables are none of nf_tables, or some of each.
      return hasLegacyRules() ? undefined : 1;
    });
    return changed;
  }
}
