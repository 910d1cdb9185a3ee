import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../model/model.js';

/** A container that is to be in service once it answers. */
export interface Target {
  readonly id: string;
  /** Another one after a restart. */
  readonly startedAt: string;
  /** Where it may be reached, the best first. */
  readonly addresses: readonly Address[];
  /** undefined: a connection is enough. */
  readonly path: string | undefined;
  readonly host: string;
  readonly tls: boolean;
  readonly intervalMs: number;
}

/** How long a connection may take, and an answer. */
const connectMs = 500;
const answerMs = 2_000;
/** Looks at one that has not answered yet: often at first. */
const eager = { everyMs: 25, forMs: 5_000 };
const patient = { everyMs: 500 };
/** So many failures in a row take a container out of service. */
const failures = 2;

interface Probe {
  readonly facts: string;
  readonly startedAt: string;
  readonly stop: AbortController;
  address: Address | undefined;
  tried: boolean;
}

/**
 * Connects to containers, to find out where each is to be reached and when it listens: one that has started is not
 * ready, and a request that finds nobody costs its client time. nginx of Debian has no such checks of its own.
 */
export class Prober implements Disposable {
  readonly #probes = new Map<string, Probe>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** These from now on; others are let go of. */
  watch(targets: readonly Target[]): void {
    const wanted = new Map(targets.map((target) => [target.id, target]));
    const former = new Map<string, Probe>();
    for (const [id, probe] of this.#probes) {
      const target = wanted.get(id);
      if (target && factsOf(target) === probe.facts) continue;
      probe.stop.abort();
      this.#probes.delete(id);
      // Where it answered, it does as well in its new networks, if it has not been started again.
      if (target && target.startedAt === probe.startedAt) former.set(id, probe);
    }
    for (const target of targets) {
      if (this.#probes.has(target.id)) continue;
      const { startedAt, addresses } = target;
      const known = former.get(target.id);
      const address = addresses.find((one) => same(one, known?.address));
      const stop = new AbortController();
      const probe: Probe = { facts: factsOf(target), startedAt, stop, address, tried: known?.tried ?? false };
      this.#probes.set(target.id, probe);
      void this.#follow(target, probe);
    }
  }

  /** Where a container answers; undefined: nowhere. */
  where(id: string): Address | undefined {
    return this.#probes.get(id)?.address;
  }

  /** Whether every one of them was tried. */
  get hasTried(): boolean {
    return [...this.#probes.values()].every(({ tried }) => tried);
  }

  [Symbol.dispose](): void {
    for (const { stop } of this.#probes.values()) stop.abort();
    this.#probes.clear();
  }

  async #follow(target: Target, probe: Probe): Promise<void> {
    const { signal } = probe.stop;
    const begun = Date.now();
    let failed = 0;
    while (!signal.aborted) {
      const found = await best(target, probe.address && failed === 0 ? [probe.address] : target.addresses, signal);
      if (signal.aborted) return;
      failed = found ? 0 : failed + 1;
      const isOut = !found && failed >= failures;
      const next = found ?? (isOut ? undefined : probe.address);
      const isNews = !same(next, probe.address) || !probe.tried;
      probe.address = next;
      probe.tried = true;
      if (isNews) this.#changed();
      const isYoung = Date.now() - begun < eager.forMs;
      const pause = found ? target.intervalMs : isYoung ? eager.everyMs : patient.everyMs;
      await sleep(pause, undefined, { signal, ref: false }).catch(() => {}); // Stopped: the loop looks.
    }
  }
}

/** The first of the addresses that answers; all are asked at once. */
async function best(target: Target, addresses: readonly Address[], signal: AbortSignal): Promise<Address | undefined> {
  const answers = addresses.map((address) => answersAt(address, target, signal));
  for (const [index, answer] of answers.entries()) if (await answer) return addresses[index];
  return undefined;
}

async function answersAt(address: Address, target: Target, signal: AbortSignal): Promise<boolean> {
  if (!(await connects(address, signal))) return false;
  return target.path === undefined ? true : await answersWell(address, target, target.path, signal);
}

function connects({ ip, port }: Address, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: ip, port });
    const stop = () => end(false);
    const end = (isThere: boolean) => {
      // Node's own option `signal` would leave a listener behind with each look.
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(connectMs, stop);
    socket.once('connect', () => end(true));
    socket.on('error', stop);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
  });
}

function answersWell(
  { ip, port }: Address,
  { host, tls }: Target,
  path: string,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
    const common = { host: ip, port, path, agent: false, headers: { host }, signal: deadline } as const;
    // The proxy verifies its certificate; here it matters whether it is well.
    const request = tls ? secureRequest({ ...common, rejectUnauthorized: false }) : plainRequest(common);
    request.once('response', (response) => {
      response.on('error', () => {});
      response.destroy();
      resolve((response.statusCode ?? 500) < 400);
    });
    request.on('error', () => resolve(false));
    request.end();
  });
}

const factsOf = (target: Target): string => JSON.stringify(target);
const same = (a: Address | undefined, b: Address | undefined): boolean => a?.ip === b?.ip && a?.port === b?.port;
