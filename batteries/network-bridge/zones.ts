import { distrustInterfaces, firewalldRuns, interfacesInZones, trustInterfaces } from '@cleat/linux/firewall/firewalld';
import type { ForeignChanges } from '@cleat/linux/firewall/foreign-changes';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { insisting, longestMs, Patience } from './patience.js';

/** For {@link Patience}. */
const zone = 'the zone';

/** Keeps our bridges in a zone of firewalld, where that runs: it forgets them whenever it is reloaded. */
export class Zones {
  readonly #foreign: ForeignChanges;
  readonly #log: Logger;
  readonly #patience = new Patience(longestMs.rules);
  #bridges: readonly string[] = [];
  /** The number of others' changes after which ours were last there. */
  #thereAfter: number | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(foreign: ForeignChanges, log: Logger) {
    this.#foreign = foreign;
    this.#log = log;
  }

  /** Sets the bridges, none at the end. Failures are logged: the network works, but for its way out. */
  async protect(bridges: readonly string[]): Promise<void> {
    const gone = this.#bridges.filter((bridge) => !bridges.includes(bridge));
    this.#bridges = bridges;
    if (!firewalldRuns()) return;
    await this.#inTurn(async () => {
      await distrustInterfaces(gone);
      await this.#assert();
    }).catch((error: unknown) =>
      this.#log.warn('firewalld could not be told of our bridges; containers may not get out', {
        error: messageOf(error),
      }),
    );
  }

  /** @throws System with what firewalld said */
  async look(): Promise<void> {
    if (this.#bridges.length === 0 || !firewalldRuns()) return;
    const changes = this.#foreign.count();
    if (changes !== undefined && changes === this.#thereAfter) return;
    if (!this.#patience.isDue(zone)) return;
    await this.#inTurn(async () => {
      if (!(await this.#assert())) return;
      const pauseMs = this.#patience.spend(zone);
      this.#log.warn('firewalld no longer trusted our bridges, and does again', insisting(pauseMs));
    });
  }

  /** @returns whether there was anything to do */
  async #assert(): Promise<boolean> {
    const changes = this.#foreign.count();
    const there = this.#bridges.length > 0 && (await interfacesInZones());
    // While it has no rules it rejects nothing; when it makes them, it changes something.
    const missing = there ? this.#bridges.filter((bridge) => !there.has(bridge)) : [];
    if (missing.length > 0) await trustInterfaces(missing);
    this.#thereAfter = changes;
    return missing.length > 0;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => {});
    return done;
  }
}
