import type { ForeignChanges } from '@cleat/linux/firewall/foreign-changes';
import { assertForward, hasLegacyRules } from '@cleat/linux/firewall/forward';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';

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
  #work: Promise<void> = Promise.resolve();

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
    await this.#assert(this.#six);
  }

  get #any(): boolean {
    return this.#bridges.length + this.#borrowed.length > 0;
  }

  /** One at a time. */
  #assert(six: boolean): Promise<void> {
    const asserted = this.#work.then(async () => {
      const changes = this.#foreign.count();
      await this.#foreign.own(() => this.#assertFamily(false));
      if (six) await this.#foreign.own(() => this.#assertFamily(true));
      this.#thereAfter = changes;
    });
    this.#work = asserted.catch(() => {});
    return asserted;
  }

  /** @returns how many transactions of nf_tables it took; those of the older iptables are none, or some of each */
  async #assertFamily(six: boolean): Promise<number | undefined> {
    if (!(await assertForward(this.#bridges, this.#tag, six, this.#borrowed))) return 0;
    return hasLegacyRules() ? undefined : 1;
  }
}
