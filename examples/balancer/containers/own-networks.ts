import { readFileSync } from 'node:fs';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/sdk';
import type { Engine } from '@cleat/sdk/watch';
import type { Wish } from '../labels/wish.js';
import type { Container } from './container.js';

/**
 * The ID of the container that this process runs in, on Cleat and on a stock engine: they mount its files from a directory
 * that is named after it.
 * @param mountinfo `/proc/self/mountinfo` @returns undefined on a host
 */
export function ownContainerIn(mountinfo: string): string | undefined {
  const mount = /^\S+ \S+ \S+ \S*\/([0-9a-f]{64})\/\S+ \/etc\/(?:hostname|hosts|resolv\.conf) /m.exec(mountinfo);
  return mount?.[1];
}

export function ownContainer(): string | undefined {
  try {
    return ownContainerIn(readFileSync('/proc/self/mountinfo', 'latin1'));
  } catch {
    return undefined; // There is no /proc, so nobody can tell.
  }
}

/**
 * The networks of the balancer, where it is a container itself: as Interlock did, it is connected to each network that the
 * label `network` of a container names. Only to those that the container is in: a label by itself opens no network.
 */
export class OwnNetworks {
  readonly #engine: Engine;
  readonly #own: string | undefined;
  readonly #log: Logger;
  readonly #asked = new Set<string>();

  constructor(engine: Engine, own: string | undefined, log: Logger) {
    this.#engine = engine;
    this.#own = own;
    this.#log = log;
  }

  /** Connects it where it is missing. Nobody waits for that: containers are tried until they answer. */
  join(running: ReadonlyMap<string, Container>, asking: Iterable<{ container: Container; wish: Wish }>): void {
    const own = this.#own === undefined ? undefined : running.get(this.#own);
    // It reaches whatever the host reaches.
    if (!own || own.onHost) return;
    for (const { container, wish } of asking) {
      const { network } = wish;
      if (network === undefined || !container.networks.has(network) || own.networks.has(network)) continue;
      if (!this.#asked.has(network)) void this.#connect(own.id, network);
    }
  }

  /** Networks that it is still not in, or that it was taken out of, are asked for again. */
  retry(): void {
    this.#asked.clear();
  }

  async #connect(own: string, network: string): Promise<void> {
    this.#asked.add(network);
    try {
      await this.#engine.post(`/networks/${encodeURIComponent(network)}/connect`, { Container: own });
      this.#log.info('the balancer was connected to a network', { network });
    } catch (error) {
      this.#log.warn('the balancer could not be connected to a network', { network, error: messageOf(error) });
    }
  }
}
