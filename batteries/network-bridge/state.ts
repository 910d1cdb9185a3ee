import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PublishedPort } from '@cleat/linux/firewall/ruleset';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';

export interface NetworkRecord {
  v: 1;
  id: string;
  /** Device name. */
  bridge: string;
  /** We made the device, so we remove it with the network. */
  owned: boolean;
  /** CIDRs. */
  subnets: string[];
  /** The bridge's own addresses as CIDR; empty strings are left out. */
  gateways: string[];
  mtu: number;
  icc: boolean;
  masquerade: boolean;
  internal: boolean;
  /** Host address of published ports that name none. */
  hostIp: string;
  /** Name of interfaces in containers, without number. */
  prefix: string;
}

export interface EndpointRecord {
  v: 1;
  id: string;
  networkId: string;
  /** Name of the end that stays on the bridge. */
  hostLink: string;
  /** Name of the end that the engine moves into the sandbox, until then. */
  containerLink: string;
  mac: string;
  /** Without prefix length; empty: none. */
  ip: string;
  ip6: string;
  ports: PublishedPort[];
}

/** One small file per object, written through, so that the process may be killed at any time. */
export class Records<T extends { id: string }> {
  readonly #directory: string;
  readonly #records = new Map<string, T>();

  constructor(directory: string, log: Logger) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(directory).filter((name) => name.endsWith('.json'))) {
      try {
        const record: T = JSON.parse(readFileSync(join(directory, file), 'utf8'));
        this.#records.set(record.id, record);
      } catch (error) {
        log.error('a record could not be read and is ignored', { file, error: messageOf(error) });
      }
    }
  }

  get(id: string): T | undefined {
    return this.#records.get(id);
  }

  all(): T[] {
    return [...this.#records.values()];
  }

  put(record: T): void {
    const path = this.#path(record.id);
    // No fsync: the page cache survives a kill of this process.
    writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    this.#records.set(record.id, record);
  }

  delete(id: string): void {
    rmSync(this.#path(id), { force: true });
    this.#records.delete(id);
  }

  #path(id: string): string {
    return join(this.#directory, `${encodeURIComponent(id)}.json`);
  }
}
