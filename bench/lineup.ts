import { join } from 'node:path';
import { busyboxTar } from '@cleat/cli/tour/busybox';
import { messageOf } from '@cleat/protocol/errors';
import { Crowd } from './crowd.js';
import { type BenchEngine, Cleat, Dockerd } from './engines.js';
import { HookChain } from './hook-chain.js';
import { newerDockerd, podmanPath } from './peers.js';
import { Podman } from './podman.js';
import { Proxied } from './proxied.js';
import { publisher } from './published-plugin.js';
import { SharedPlugin } from './shared-plugin.js';

/** The engines that take part, with the titles of the tables' columns. */
export const engineTitles = {
  dockerd: 'dockerd',
  cleat: 'Cleat',
  processes: 'Cleat, batteries as processes',
  crowded: 'Cleat, 20 more extensions, one hung',
  hooked: 'Cleat, three request hooks',
  newer: 'newer dockerd',
  podman: 'podman',
  proxied: 'through cleat proxy',
} as const;

export type EngineName = keyof typeof engineTitles;

const batteries = ['volume-local', 'network-bridge', 'network-none', 'ipam-default', 'log-json-file'];

/** Starts each engine when a row first needs it, beside those that run already, and ends them all. */
export class Lineup implements AsyncDisposable {
  readonly #base: string;
  readonly #running = new Map<EngineName, BenchEngine>();
  readonly #endings: (() => Promise<void> | void)[] = [];
  readonly #plugin = new SharedPlugin();
  readonly #hooks: HookChain;
  /** Things that were left behind; complete once it is disposed of. */
  readonly failures: string[] = [];

  /** @param base where engines keep their data */
  constructor(base: string) {
    this.#base = base;
    this.#hooks = new HookChain(join(base, 'hooks'));
    this.#endings.push(
      () => this.#plugin.end(),
      () => this.#hooks.end(),
      () => publisher.end(),
    );
  }

  async get(name: EngineName): Promise<BenchEngine> {
    const running = this.#running.get(name);
    if (running) return running;
    await this.#plugin.start();
    if (name === 'hooked') await this.#hooks.start();
    const engine = name === 'proxied' ? new Proxied(name, this.#base, await this.get('dockerd')) : this.#make(name);
    this.#running.set(name, engine);
    this.#endings.push(async () => void this.failures.push(...(await engine.stop())));
    await engine.start(await busyboxTar());
    if (name === 'crowded' && engine instanceof Cleat) await this.#gather(engine);
    // Caches, lazily loaded modules and JIT: the first run of anything is nobody's everyday.
    for (let round = 0; round < 3; round++) await engine.docker('run', '--rm', 'busybox', 'true');
    return engine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#endings.reverse()) {
      try {
        await end();
      } catch (error) {
        this.failures.push(messageOf(error));
      }
    }
  }

  #make(name: EngineName): BenchEngine {
    if (name === 'dockerd') return new Dockerd(name, this.#base);
    if (name === 'newer') return new Dockerd(name, this.#base, newerDockerd());
    if (name === 'podman') return new Podman(name, this.#base, podmanPath());
    if (name === 'hooked') return new Cleat(name, this.#base, this.#hooks.flags);
    const flags = name === 'processes' ? batteries.map((battery) => `--extension=${battery}=process`) : [];
    return new Cleat(name, this.#base, flags);
  }

  /** 20 extensions beside the batteries, all known to the engine. */
  async #gather(engine: Cleat): Promise<void> {
    const crowd = new Crowd(engine.pluginDirectory);
    this.#endings.push(() => crowd.end());
    await crowd.start();
    // Listing volumes asks every plugin: the engine has met them all, and the hung one as often as it takes.
    for (let round = 0; round < 4; round++) await engine.docker('volume', 'ls');
  }
}
