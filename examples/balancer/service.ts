import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { Backoff, type Logger, type Metric } from '@cleat/sdk';
import { Engine } from '@cleat/sdk/watch';
import { Applier, type Outcome } from './apply/applier.js';
import { Coalescer } from './apply/coalescer.js';
import { Certificates } from './certificates/certificates.js';
import { connectionsTo } from './containers/connections.js';
import { addressesOf, type Container, isFarewell, signalNumber } from './containers/container.js';
import { Containers } from './containers/containers.js';
import { OwnNetworks, ownContainer } from './containers/own-networks.js';
import { Prober, type Target } from './containers/prober.js';
import { type Reading, type Wish, wishOf } from './labels/wish.js';
import type { Pool, Server } from './model/model.js';
import type { Candidate, Problem } from './model/plan.js';
import { Haproxy } from './proxies/haproxy/haproxy.js';
import { Nginx } from './proxies/nginx/nginx.js';
import type { Balancer, Statistics } from './proxies/proxy.js';
import { makeDirectory, RunningProxy } from './proxies/running.js';
import type { Settings } from './settings/settings.js';

/** Together with a reload, a new container is in service well within a second. */
const pace = { quietMs: 50, longestMs: 250 };
/** While a container is drained. */
const lookAgainMs = 20;
/** After failures. */
const pauses = { firstMs: 500, longestMs: 30_000 };

/** A container that asks for requests. */
interface Asking {
  readonly container: Container;
  readonly wish: Wish;
}

/** From containers to a running proxy. */
export class Service {
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #balancer: Balancer;
  readonly #applier: Applier;
  readonly #coalescer: Coalescer;
  readonly #containers: Containers;
  readonly #prober: Prober;
  readonly #networks: OwnNetworks;
  readonly #backoff = new Backoff(pauses);
  #outcome: Outcome | undefined;
  #failure: string | undefined;
  #told = new Map<string, string>();
  #inService = 0;
  #asking = 0;
  #requests = new Total();

  static async open(settings: Settings, log: Logger, signal: AbortSignal): Promise<Service> {
    const { directory, listening, program, workers, balancer } = settings;
    makeDirectory(directory);
    const common = { listening, places: { directory }, program };
    const dialect = balancer === 'nginx' ? new Nginx({ ...common, workers }) : new Haproxy(common);
    const running = await RunningProxy.open({ dialect, directory, endMs: listening.drainMs, log });
    return new Service(settings, running, log, signal);
  }

  private constructor(settings: Settings, balancer: Balancer, log: Logger, signal: AbortSignal) {
    this.#settings = settings;
    this.#log = log;
    this.#balancer = balancer;
    const { certificates: source, certificate: fallback, directory, engine, engineTls, relistMs } = settings;
    const certificates = new Certificates({ source, fallback, directory });
    const refusal = (wish: Wish) =>
      wish.tls.mode !== 'none' && settings.listening.tlsPort === undefined
        ? 'it asks for TLS, and the balancer has no port for it: --tls-port'
        : balancer.refusal(wish);
    this.#applier = new Applier(balancer, (host, wish) => certificates.find(host, wish), refusal, log);
    this.#coalescer = new Coalescer(pace, () => this.#apply());
    this.#prober = new Prober(() => this.#coalescer.wish());
    const client = new Engine(engine, { tls: engineTls });
    this.#networks = new OwnNetworks(client, ownContainer(), log);
    this.#containers = new Containers({
      engine: client,
      log,
      signal,
      relistMs,
      changed: () => this.#changed(),
      leaving: (id) => this.#leaving(id),
    });
  }

  /** Until the signal. */
  async follow(): Promise<void> {
    await this.#containers.follow();
  }

  look(): void {
    this.#networks.retry();
    if (this.#containers.isComplete) this.#coalescer.wish();
  }

  /**
   * Takes a container out of service before it is made to end, until nothing is under way to it, or the time is over.
   * The only one of its name stays, and nobody waits.
   */
  async drain(reference: string, ms: number): Promise<void> {
    const container = this.#containers.find(reference);
    const address = container && this.#prober.where(container.id);
    if (!container || !address) return;
    const { id } = container;
    this.#containers.leaves(container);
    const late = Date.now() + ms;
    const serves = (): boolean => this.#pools().some(({ servers }) => servers.some((one) => one.id === id));
    while (Date.now() < late && !this.#pools().some(({ servers }) => this.#isLast(id, servers))) {
      if (!serves() && (await connectionsTo(address)) === 0) return;
      await sleep(lookAgainMs);
    }
  }

  /** It was not made to end after all. */
  stays(reference: string): void {
    const container = this.#containers.find(reference);
    if (container) this.#containers.stays(container.id);
  }

  /** Whether a signal, as clients write it, ends a container. */
  ends(reference: string, signal: string): boolean {
    const container = this.#containers.find(reference);
    return container !== undefined && isFarewell(container, String(signalNumber(signal) ?? ''));
  }

  /** A sentence when something is wrong. */
  health(): string | undefined {
    if (!this.#containers.isComplete) return 'the engine has not told its containers yet';
    if (this.#failure !== undefined) return this.#failure;
    return this.#balancer.isRunning ? undefined : `${this.#balancer.name} does not run`;
  }

  async metrics(): Promise<Metric[]> {
    const { reloads, failures, lastReloadAt, lastReloadSeconds } = this.#applier.counts;
    const statistics = await this.#statistics();
    const gauge = (name: string, help: string, value: number): Metric => ({ name, help, type: 'gauge', value });
    const counter = (name: string, help: string, value: number): Metric => ({ name, help, type: 'counter', value });
    return [
      gauge('balancer_up', 'Whether the proxy runs.', this.#balancer.isRunning ? 1 : 0),
      gauge('balancer_applying', 'Whether a configuration comes into service.', this.#coalescer.isBusy ? 1 : 0),
      gauge('balancer_sites', 'Host names that are served.', this.#outcome?.model.sites.length ?? 0),
      gauge('balancer_backends', 'Containers that ask for requests.', this.#asking),
      gauge('balancer_backends_in_service', 'Containers that get requests.', this.#inService),
      gauge('balancer_backends_refused', 'Containers that are not served, or not as they ask.', this.#told.size),
      counter('balancer_events_total', 'Events of containers that were dealt with.', this.#containers.eventCount),
      counter('balancer_reloads_total', 'Configurations that came into service.', reloads),
      counter('balancer_reload_failures_total', 'Configurations that did not.', failures),
      gauge('balancer_last_reload_timestamp_seconds', 'When the last one came into service.', lastReloadAt),
      gauge('balancer_last_reload_duration_seconds', 'How long that took.', lastReloadSeconds),
      ...(statistics === undefined
        ? []
        : [
            counter('balancer_requests_total', 'Requests, as the proxy counts them.', statistics.requests),
            gauge('balancer_connections', 'Connections of clients.', statistics.connections),
          ]),
    ];
  }

  async close(): Promise<void> {
    await this.#coalescer.end();
    this.#prober[Symbol.dispose]();
    if (this.#settings.leaves) this.#balancer.leave();
    else await this.#balancer[Symbol.asyncDispose]();
  }

  #changed(): void {
    const askers = this.#askers();
    this.#networks.join(this.#containers.running, askers);
    this.#prober.watch(askers.flatMap((asking) => this.#target(asking) ?? []));
    this.#coalescer.wish();
  }

  #leaving(id: string): void {
    this.#coalescer.wish(true);
    // At once, where somebody else stays; then with the configuration.
    if (this.#pools().some(({ servers }) => this.#isLast(id, servers))) return;
    this.#balancer.drain([id]).catch((error: unknown) => {
      this.#log.warn('a container that ends could not be taken out of service early', { error: messageOf(error) });
    });
  }

  #isLast(id: string, servers: readonly Server[]): boolean {
    return servers.some((one) => one.id === id) && servers.every((one) => this.#containers.isLeaving(one.id));
  }

  #pools(): Pool[] {
    return this.#outcome ? poolsOf(this.#outcome) : [];
  }

  #askers(): Asking[] {
    return [...this.#containers.running.values()].flatMap((container) => {
      const { wish } = wishOf(container.labels);
      return wish ? [{ container, wish }] : [];
    });
  }

  #target({ container, wish }: Asking): Target | undefined {
    const { id, startedAt, health, isPaused } = container;
    const addresses = addressesOf(container, wish, this.#settings.backendAddress);
    // Its own check is the better one, where it has one.
    if (typeof addresses === 'string' || isPaused || health === 'starting' || health === 'unhealthy') return undefined;
    const { path, intervalMs } = wish.check;
    const { toBackend, tls, hosts } = wish;
    return {
      id,
      startedAt,
      addresses,
      path: tls.mode === 'passed' ? undefined : path,
      host: hosts[0]?.replace('*', 'any') ?? 'localhost',
      tls: toBackend.tls,
      intervalMs,
    };
  }

  async #apply(): Promise<void> {
    // Nobody is taken out of service because we do not know of it yet.
    if (!this.#containers.isComplete || (this.#outcome === undefined && !this.#prober.hasTried)) return;
    const problems: Problem[] = [];
    const candidates: Candidate[] = [];
    for (const container of this.#containers.running.values()) {
      const { id, name, created } = container;
      const reading = wishOf(container.labels);
      problems.push(...readingProblems(id, name, reading));
      if (!reading.wish) continue;
      const addresses = addressesOf(container, reading.wish, this.#settings.backendAddress);
      if (typeof addresses === 'string') problems.push({ id, name, text: addresses });
      const leaving = this.#containers.isLeaving(id);
      candidates.push({ id, name, created, wish: reading.wish, address: this.#prober.where(id), leaving });
    }
    try {
      const outcome = await this.#applier.apply(candidates);
      this.#outcome = outcome;
      this.#failure = undefined;
      this.#backoff.reset();
      this.#asking = candidates.length;
      this.#inService = countServers(outcome);
      this.#tell([...problems, ...outcome.problems]);
    } catch (error) {
      this.#failure = messageOf(error);
      this.#log.error('the configuration stays as it was', { error: this.#failure });
      setTimeout(() => this.#coalescer.wish(), this.#backoff.next()).unref();
    }
  }

  /** Each problem is told once. */
  #tell(problems: readonly Problem[]): void {
    const now = new Map<string, string>();
    for (const { id, name, text } of problems) {
      now.set(id, [now.get(id), text].filter(Boolean).join('; '));
      if (this.#told.get(id)?.includes(text)) continue;
      this.#log.warn(`container ${name} is not served as it asks`, { container: id.slice(0, 12), problem: text });
    }
    this.#told = now;
  }

  async #statistics(): Promise<Statistics | undefined> {
    try {
      const { requests, connections } = await this.#balancer.statistics();
      return { requests: this.#requests.seen(requests), connections };
    } catch {
      // It does not run, which balancer_up says.
      return undefined;
    }
  }
}

/** A counter of a program that begins at 0 again now and then. */
class Total {
  #before = 0;
  #last = 0;

  seen(value: number): number {
    if (value < this.#last) this.#before += this.#last;
    this.#last = value;
    return this.#before + value;
  }
}

function readingProblems(id: string, name: string, { faults, notices }: Reading): Problem[] {
  return [...faults, ...notices].map((text) => ({ id, name, text }));
}

function poolsOf({ model }: Outcome): Pool[] {
  return [...model.sites.flatMap(({ routes }) => routes), ...model.passed].map(({ pool }) => pool);
}

function countServers(outcome: Outcome): number {
  return new Set(poolsOf(outcome).flatMap(({ servers }) => servers.map(({ id }) => id))).size;
}
