import { isDeepStrictEqual } from 'node:util';
import { systemError } from '@cleat/protocol/errors';
import { run } from '../process/run.js';
import { tableFingerprint } from '../syscall/netfilter.js';
import { ForeignChanges } from './foreign-changes.js';
import {
  directElements,
  type FirewallNetwork,
  isTranslated,
  type LinkedPort,
  type PublishedPort,
  portElement,
  ruleset,
} from './ruleset.js';
import { sameShape, shapeOfListing, shapeOfScript } from './shape.js';

interface Change {
  script: string;
  /** Whether the kernel makes a transaction of it: not of elements that are there already. */
  isOne(): boolean;
  /** Called when the rules are the changed ones. */
  done(): void;
  resolve(): void;
  reject(error: unknown): void;
}

interface Contents {
  readonly networks: readonly FirewallNetwork[];
  readonly ports: readonly PublishedPort[];
  readonly links: readonly LinkedPort[];
}

/**
 * The engine's own nft table. The caller holds the truth (networks and ports) and hands over the whole of it when a
 * network comes or goes; ports come and go as single elements. Changes that are asked for while nft runs go together
 * into the next run.
 */
export class Firewall {
  readonly table: string;
  #pending: Change[] = [];
  #running = false;
  /** The contents that the table was last given; undefined while there is to be no table. */
  #contents: Contents | undefined;
  readonly #foreign: ForeignChanges;
  /** The number of others' changes after which ours was last known to be whole. */
  #wholeAfter: number | undefined;
  /** The table's fingerprint when nft last listed it, and it was whole; undefined once we have changed it. */
  #wholePrint: string | undefined;

  /** @param table name of the `inet` table, unique per engine */
  constructor(table: string, foreign = new ForeignChanges()) {
    this.table = table;
    this.#foreign = foreign;
  }

  /** Replaces all rules in one transaction. @throws System with what nft said */
  apply(
    networks: readonly FirewallNetwork[],
    ports: readonly PublishedPort[],
    links: readonly LinkedPort[] = [],
  ): Promise<void> {
    return this.#change(ruleset(this.table, networks, ports, links), () => {
      this.#contents = { networks, ports, links };
    });
  }

  /**
   * Makes the table anew if somebody flushed it, wholly or in part. A look costs one netlink message, a few more if
   * somebody has changed any rules of this host since the last one, and a process where the table is another.
   * @returns whether it had to be made anew
   * @throws System with what nft said
   */
  async mend(): Promise<boolean> {
    // The next look sees the state in which a change that runs now ends.
    if (!this.#contents || this.#running) return false;
    const changes = this.#foreign.count();
    if (changes === undefined || changes === this.#wholeAfter) return false;
    const print = this.#fingerprint();
    if (print !== undefined && print === this.#wholePrint) {
      this.#wholeAfter = changes;
      return false;
    }
    this.#running = true;
    try {
      const { networks, ports, links } = this.#contents;
      const whole = ruleset(this.table, networks, ports, links);
      const listed = await run('nft', ['-j', 'list', 'table', 'inet', this.table]);
      if (listed.code === 0 && sameShape(shapeOfListing(listed.stdout), shapeOfScript(whole))) {
        this.#wholeAfter = changes;
        // Only that of the very table that was listed.
        if (print === this.#fingerprint()) this.#wholePrint = print;
        return false;
      }
      this.#wholePrint = undefined;
      await this.#foreign.own(() => transaction(whole));
      return true;
    } finally {
      void this.#drain();
    }
  }

  publish(ports: readonly PublishedPort[]): Promise<void> {
    return this.#change(
      [
        ...ports
          .filter(isTranslated)
          .map(portElement)
          .map(({ map, key, value }) => `add element inet ${this.table} ${map} { ${key} : ${value} }\n`),
        ...directElements(ports).map(({ set, key }) => `add element inet ${this.table} ${set} { ${key} }\n`),
      ].join(''),
      () => this.#setPorts((there) => [...without(there, ports), ...ports]),
      () => without(ports, this.#contents?.ports ?? []).length > 0,
    );
  }

  /** All ports of a container that lead to the same address go together. */
  unpublish(ports: readonly PublishedPort[]): Promise<void> {
    return this.#change(
      [
        ...ports
          .filter(isTranslated)
          .map(portElement)
          .map(({ map, key }) => `delete element inet ${this.table} ${map} { ${key} }\n`),
        ...directElements(ports).map(({ set, key }) => `delete element inet ${this.table} ${set} { ${key} }\n`),
      ].join(''),
      () => this.#setPorts((there) => without(there, ports)),
    );
  }

  /** Removes the table; none there is fine. */
  remove(): Promise<void> {
    return this.#change(`table inet ${this.table}\ndelete table inet ${this.table}\n`, () => {
      this.#contents = undefined;
    });
  }

  /** Undefined where the kernel does not tell: nft is asked. */
  #fingerprint(): string | undefined {
    try {
      return tableFingerprint(this.table);
    } catch {
      return undefined;
    }
  }

  #setPorts(change: (there: readonly PublishedPort[]) => readonly PublishedPort[]): void {
    if (this.#contents) this.#contents = { ...this.#contents, ports: change(this.#contents.ports) };
  }

  #change(script: string, done: () => void, isOne = () => true): Promise<void> {
    if (!script) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#pending.push({ script, isOne, done, resolve, reject });
      if (!this.#running) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#running = true;
    while (this.#pending.length > 0) {
      const changes = this.#pending;
      this.#pending = [];
      await this.#runTogether(changes);
    }
    this.#running = false;
  }

  /** One transaction for all; if it fails, one for each, so that only the culprit's caller hears of it. */
  async #runTogether(changes: readonly Change[]): Promise<void> {
    try {
      const isOne = changes.some((change) => change.isOne());
      // With a port taken away by somebody else, it may be the same again.
      this.#wholePrint = undefined;
      await this.#foreign.own(() => transaction(changes.map(({ script }) => script).join(''), isOne));
      for (const { done, resolve } of changes) {
        done();
        resolve();
      }
    } catch (error) {
      const [only] = changes;
      if (changes.length === 1) only?.reject(error);
      else for (const change of changes) await this.#runTogether([change]);
    }
  }
}

const without = (all: readonly PublishedPort[], some: readonly PublishedPort[]): PublishedPort[] =>
  all.filter((one) => !some.some((port) => isDeepStrictEqual(port, one)));

/** @returns how many transactions it certainly was */
async function transaction(script: string, isOne = true): Promise<number | undefined> {
  await nft(script);
  return isOne ? 1 : undefined;
}

/** Runs an nft script: all of it or nothing. @throws System with what nft said, Unavailable without nft */
async function nft(script: string): Promise<void> {
  const result = await run('nft', ['-f', '-'], { input: script });
  if (result.code === 0) return;
  const said = result.stderr.split('\n').find((line) => line.includes('Error:')) ?? result.stderr;
  throw systemError(`nft: ${said.replace(/^.*Error: /, '').trim() || `exit code ${result.code}`}`);
}
