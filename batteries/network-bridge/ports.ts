import { setImmediate } from 'node:timers/promises';
import type { PublishedPort } from '@cleat/linux/firewall/ruleset';
import { hasIPv6, readSysctl } from '@cleat/linux/net/facts';
import { reservePort } from '@cleat/linux/net/reserve';
import { CleatError, conflict, isClass } from '@cleat/protocol/errors';
import type { PortBinding } from '@cleat/protocol/kinds/network';
import { type PortRequest, type PortTarget, readPortRequests } from './port-requests.js';
import { keyOf } from './proxy/messages.js';
import type { PortProxy } from './proxy/proxy.js';
import type { Family } from './state.js';

const unspecified = new Set(['0.0.0.0', '::']);
const defaultRange: readonly [number, number] = [32768, 60999];

interface Held {
  port: PublishedPort;
  free: () => void | Promise<void>;
}

/**
 * The host ports of this driver. Each is held by a socket as long as it is published, so that two engines, or an engine
 * and any other process, never believe that they have the same one: one that is only bound, or the proxy's.
 */
export class HostPorts {
  readonly #proxy: Pick<PortProxy, 'open' | 'close'>;
  readonly #held = new Map<string, Held>();
  readonly #reserved: () => string;
  #cursor = 0;

  /** @param reserved ports that the operator keeps from being chosen, as the kernel writes them: `8080,9148-9150` */
  constructor(
    proxy: Pick<PortProxy, 'open' | 'close'>,
    reserved = () => readSysctl('ipv4/ip_local_reserved_ports') ?? '',
  ) {
    this.#proxy = proxy;
    this.#reserved = reserved;
  }

  /**
   * Chooses and holds ports for all bindings, or for none.
   * @throws Conflict `Bind for 0.0.0.0:80 failed: port is already allocated`, InvalidParameter, System for an address that
   * the host does not have
   */
  async allocate(
    bindings: readonly PortBinding[],
    to: PortTarget,
    families?: readonly Family[],
  ): Promise<PublishedPort[]> {
    const done: PublishedPort[] = [];
    try {
      for (const request of readPortRequests(bindings, to, hasIPv6(), families))
        done.push(...(await this.#allocateOne(request)));
      return done;
    } catch (error) {
      await this.release(done);
      throw error;
    }
  }

  /** Holds ports that were given away before this process started. @returns those that somebody took meanwhile */
  async restore(ports: readonly PublishedPort[]): Promise<PublishedPort[]> {
    const taken: PublishedPort[] = [];
    for (const port of ports) {
      // A routed one takes nothing of the host's.
      if (port.hostPort === 0) continue;
      try {
        await this.#hold(port);
      } catch (error) {
        if (!(error instanceof CleatError)) throw error;
        taken.push(port);
      }
    }
    return taken;
  }

  async release(ports: readonly PublishedPort[]): Promise<void> {
    for (const port of ports) {
      const held = this.#held.get(keyOf(port));
      await held?.free();
      if (held && this.#held.get(keyOf(port)) === held) this.#held.delete(keyOf(port));
    }
  }

  async #allocateOne(request: PortRequest): Promise<PublishedPort[]> {
    const candidates = request.from === 0 ? this.#ephemeral() : range(request.from, request.to);
    let last: unknown;
    for (const hostPort of candidates) {
      const ports = request.targets.map(
        (target): PublishedPort => ({
          ...target,
          protocol: request.protocol,
          hostPort,
          containerPort: request.containerPort,
        }),
      );
      try {
        await this.#holdAll(ports);
        return ports;
      } catch (error) {
        if (!isClass(error, 'Conflict')) throw error;
        last = error;
      }
      // However many are taken, everybody else goes on meanwhile.
      await setImmediate();
    }
    throw last ?? conflict('all ports are allocated');
  }

  async #holdAll(ports: readonly PublishedPort[]): Promise<void> {
    const done: PublishedPort[] = [];
    try {
      for (const port of ports) {
        await this.#hold(port);
        done.push(port);
      }
    } catch (error) {
      await this.release(done);
      throw error;
    }
  }

  async #hold(port: PublishedPort): Promise<void> {
    for (const { port: other } of this.#held.values()) {
      if (!clash(port, other)) continue;
      const host = port.hostIp.includes(':') ? `[${port.hostIp}]` : port.hostIp;
      throw conflict(`Bind for ${host}:${port.hostPort} failed: port is already allocated`);
    }
    if (!port.hostIp.includes(':') || port.protocol === 'sctp') {
      this.#held.set(keyOf(port), { port, free: reservePort(port.protocol, port.hostIp, port.hostPort) });
      return;
    }
    // From here on nobody else here asks for it.
    this.#held.set(keyOf(port), { port, free: () => this.#proxy.close(port) });
    try {
      await this.#proxy.open(port);
    } catch (error) {
      this.#held.delete(keyOf(port));
      throw error;
    }
  }

  /**
   * The kernel's range for ports that nobody chose, from where we stopped the last time, without those that the operator
   * keeps from such a choice.
   */
  *#ephemeral(): Generator<number> {
    const [first, last] = ephemeralRange();
    const reserved = readPortRanges(this.#reserved());
    for (let tries = 0; tries <= last - first; tries++) {
      this.#cursor = this.#cursor < first || this.#cursor >= last ? first : this.#cursor + 1;
      const port = this.#cursor;
      if (!reserved.some(([from, to]) => port >= from && port <= to)) yield port;
    }
  }
}

function* range(from: number, to: number): Generator<number> {
  for (let port = from; port <= to; port++) yield port;
}

function ephemeralRange(): readonly [number, number] {
  const [first, last] = (readSysctl('ipv4/ip_local_port_range') ?? '').split(/\s+/).map(Number);
  return first && last ? [first, last] : defaultRange;
}

const readPortRanges = (text: string): [number, number][] =>
  [...text.matchAll(/(\d+)(?:-(\d+))?/g)].map(([, from, to]) => [Number(from), Number(to ?? from)]);

function clash(a: PublishedPort, b: PublishedPort): boolean {
  if (a.protocol !== b.protocol || a.hostPort !== b.hostPort) return false;
  if (a.hostIp.includes(':') !== b.hostIp.includes(':')) return false;
  return a.hostIp === b.hostIp || unspecified.has(a.hostIp) || unspecified.has(b.hostIp);
}
