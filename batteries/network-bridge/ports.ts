import type { Protocol, PublishedPort } from '@cleat/linux/firewall/ruleset';
import { readSysctl } from '@cleat/linux/net/facts';
import { reservePort } from '@cleat/linux/net/reserve';
import { CleatError, conflict, invalidParameter, isClass } from '@cleat/protocol/errors';
import type { PortBinding } from '@cleat/protocol/kinds/network';

const protocols: Readonly<Record<number, Protocol>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };
export const protocolNumber: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };
const unspecified = new Set(['0.0.0.0', '::']);
const defaultRange: readonly [number, number] = [32768, 60999];

interface Wish {
  protocol: Protocol;
  containerPort: number;
  /** Host addresses that all get the same port, with the container's address that each leads to. */
  targets: { hostIp: string; containerIp: string }[];
  /** First and last port to try; 0: any free one. */
  from: number;
  to: number;
}

/**
 * The host ports of this driver. Each is held by a bound socket as long as it is published, so that two engines, or an
 * engine and any other process, never believe that they have the same one.
 */
export class HostPorts {
  readonly #held = new Map<string, { port: PublishedPort; free: () => void }>();
  #cursor = 0;

  /**
   * Chooses and holds ports for all bindings, or for none.
   * @throws Conflict `Bind for 0.0.0.0:80 failed: port is already allocated`, InvalidParameter
   */
  allocate(bindings: readonly PortBinding[], to: { ip: string; ip6: string; hostIp: string }): PublishedPort[] {
    const done: PublishedPort[] = [];
    try {
      for (const binding of bindings) done.push(...this.#allocateOne(readWish(binding, to)));
      return done;
    } catch (error) {
      this.release(done);
      throw error;
    }
  }

  /** Holds ports that were given away before this process started. @returns those that somebody took meanwhile */
  restore(ports: readonly PublishedPort[]): PublishedPort[] {
    return ports.filter((port) => {
      try {
        this.#hold(port);
        return false;
      } catch (error) {
        if (error instanceof CleatError) return true;
        throw error;
      }
    });
  }

  release(ports: readonly PublishedPort[]): void {
    for (const port of ports) {
      this.#held.get(keyOf(port))?.free();
      this.#held.delete(keyOf(port));
    }
  }

  #allocateOne(wish: Wish): PublishedPort[] {
    const candidates = wish.from === 0 ? this.#ephemeral() : range(wish.from, wish.to);
    let last: unknown;
    for (const hostPort of candidates) {
      const ports = wish.targets.map(
        (target): PublishedPort => ({
          ...target,
          protocol: wish.protocol,
          hostPort,
          containerPort: wish.containerPort,
        }),
      );
      try {
        this.#holdAll(ports);
        return ports;
      } catch (error) {
        if (!isClass(error, 'Conflict')) throw error;
        last = error;
      }
    }
    throw last ?? conflict('all ports are allocated');
  }

  #holdAll(ports: readonly PublishedPort[]): void {
    const done: PublishedPort[] = [];
    try {
      for (const port of ports) {
        this.#hold(port);
        done.push(port);
      }
    } catch (error) {
      this.release(done);
      throw error;
    }
  }

  #hold(port: PublishedPort): void {
    for (const { port: other } of this.#held.values()) {
      if (!clash(port, other)) continue;
      const host = port.hostIp.includes(':') ? `[${port.hostIp}]` : port.hostIp;
      throw conflict(`Bind for ${host}:${port.hostPort} failed: port is already allocated`);
    }
    const free = reservePort(port.protocol, port.hostIp, port.hostPort);
    this.#held.set(keyOf(port), { port, free });
  }

  /** The kernel's range for ports that nobody chose, from where we stopped the last time. */
  *#ephemeral(): Generator<number> {
    const [first, last] = ephemeralRange();
    for (let tries = 0; tries <= last - first; tries++) {
      this.#cursor = this.#cursor < first || this.#cursor >= last ? first : this.#cursor + 1;
      yield this.#cursor;
    }
  }
}

function readWish(binding: PortBinding, to: { ip: string; ip6: string; hostIp: string }): Wish {
  const protocol = protocols[binding.Proto];
  if (!protocol) throw invalidParameter(`invalid protocol number ${binding.Proto} of a published port`);
  const from = binding.HostPort ?? 0;
  return {
    protocol,
    containerPort: binding.Port,
    targets: targetsOf(binding.HostIP ?? '', to),
    from,
    to: Math.max(from, binding.HostPortEnd ?? 0),
  };
}

function targetsOf(hostIp: string, to: { ip: string; ip6: string; hostIp: string }): Wish['targets'] {
  if (hostIp.includes(':')) {
    if (hostIp === '::1') {
      throw invalidParameter('cannot publish a port on [::1]: the kernel cannot translate it; use 127.0.0.1');
    }
    if (!to.ip6) throw invalidParameter(`cannot publish a port on [${hostIp}]: the container has no IPv6 address`);
    return [{ hostIp, containerIp: to.ip6 }];
  }
  const four = to.ip ? [{ hostIp: hostIp || to.hostIp || '0.0.0.0', containerIp: to.ip }] : [];
  const everywhere = !hostIp && (!to.hostIp || unspecified.has(to.hostIp));
  return everywhere && to.ip6 ? [...four, { hostIp: '::', containerIp: to.ip6 }] : four;
}

function* range(from: number, to: number): Generator<number> {
  for (let port = from; port <= to; port++) yield port;
}

function ephemeralRange(): readonly [number, number] {
  const [first, last] = (readSysctl('ipv4/ip_local_port_range') ?? '').split(/\s+/).map(Number);
  return first && last ? [first, last] : defaultRange;
}

function clash(a: PublishedPort, b: PublishedPort): boolean {
  if (a.protocol !== b.protocol || a.hostPort !== b.hostPort) return false;
  if (a.hostIp.includes(':') !== b.hostIp.includes(':')) return false;
  return a.hostIp === b.hostIp || unspecified.has(a.hostIp) || unspecified.has(b.hostIp);
}

const keyOf = ({ protocol, hostIp, hostPort }: PublishedPort): string => `${protocol} ${hostIp} ${hostPort}`;
