import { assertForward } from '@cleat/linux/firewall/forward';
import { rulesetGeneration } from '@cleat/linux/syscall/netfilter';
import { messageOf } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';

const intervalMs = 3_000;

/**
 * Keeps our bridges' tagged rules where a dockerd or an iptables policy would drop their packets; they vanish whenever
 * that dockerd restarts. A look costs one netlink message unless somebody changed the firewall since the last one.
 */
export class ForwardGuard {
  readonly #tag: string;
  readonly #log: Logger;
  #bridges: readonly string[] = [];
  #six = false;
  #generation: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(tag: string, log: Logger) {
    this.#tag = tag;
    this.#log = log;
  }

  /** Sets the bridges to let through. Failures are logged: the network works wherever nobody drops its packets. */
  async protect(bridges: readonly string[], six: boolean): Promise<void> {
    const had = this.#bridges.length > 0;
    const hadSix = this.#six;
    this.#bridges = bridges;
    this.#six = six;
    if (had || bridges.length > 0) await this.#assert(six || hadSix);
    if (bridges.length > 0) this.#timer ??= setInterval(() => this.#look(), intervalMs).unref();
    else this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const generation = this.#read();
    if (generation === undefined || generation === this.#generation) return;
    void this.#assert(this.#six);
  }

  #assert(six: boolean): Promise<void> {
    this.#work = this.#work.then(async () => {
      try {
        await assertForward(this.#bridges, this.#tag);
        if (six) await assertForward(this.#bridges, this.#tag, true);
      } catch (error) {
        this.#log.warn('iptables rules for our bridges could not be set; containers may not reach each other', {
          error: messageOf(error),
        });
      }
      this.#generation = this.#read();
    });
    return this.#work;
  }

  #read(): number | undefined {
    try {
      return rulesetGeneration();
    } catch {
      // A kernel without nf_tables: nothing to watch, and the networks' creation has said so.
      return undefined;
    }
  }
}
