import { systemError } from '@cleat/protocol/errors';
import { run } from '../process/run.js';
import {
  directElements,
  type FirewallNetwork,
  isTranslated,
  type LinkedPort,
  type PublishedPort,
  portElement,
  ruleset,
} from './ruleset.js';

interface Change {
  script: string;
  resolve(): void;
  reject(error: unknown): void;
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

  /** @param table name of the `inet` table, unique per engine */
  constructor(table: string) {
    this.table = table;
  }

  /** Replaces all rules in one transaction. @throws System with what nft said */
  apply(
    networks: readonly FirewallNetwork[],
    ports: readonly PublishedPort[],
    links: readonly LinkedPort[] = [],
  ): Promise<void> {
    return this.#change(ruleset(this.table, networks, ports, links));
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
    );
  }

  /** Removes the table; none there is fine. */
  remove(): Promise<void> {
    return this.#change(`table inet ${this.table}\ndelete table inet ${this.table}\n`);
  }

  #change(script: string): Promise<void> {
    if (!script) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#pending.push({ script, resolve, reject });
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
      await nft(changes.map(({ script }) => script).join(''));
      for (const { resolve } of changes) resolve();
    } catch (error) {
      const [only] = changes;
      if (changes.length === 1) only?.reject(error);
      else for (const change of changes) await this.#runTogether([change]);
    }
  }
}

/** Runs an nft script: all of it or nothing. @throws System with what nft said, Unavailable without nft */
async function nft(script: string): Promise<void> {
  const result = await run('nft', ['-f', '-'], { input: script });
  if (result.code === 0) return;
  const said = result.stderr.split('\n').find((line) => line.includes('Error:')) ?? result.stderr;
  throw systemError(`nft: ${said.replace(/^.*Error: /, '').trim() || `exit code ${result.code}`}`);
}
