import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, startEngine } from '../e2e/support/engine.js';
import { type ApiAnswer, type ApiOptions, ask } from './client.js';
import type { Possibilities } from './generate.js';
import type { JournalEvent } from './invariants/journal.js';
import type { ContainerPlan, Kind, NetworkPlan, Schedule } from './schedule.js';
import { Battery, ScriptedPlugin, type Victim } from './victims.js';
import { complaintsOf, startWitness, type Witness } from './witness.js';

/** So long the engine waits for an extension's answer, instead of minutes. Nobody is that slow without a fault. */
const deadlineMs = 4_000;
const deadlines = { '*': deadlineMs };

/** Which extensions suffer. */
export interface Flavour extends Possibilities {
  readonly name: string;
  readonly drivers: Readonly<Record<Kind, string>>;
  /** Used by what is not to depend on the ones that suffer. */
  readonly others: Readonly<Record<'network' | 'ipam' | 'log', string>>;
}

/** Plugins on sockets suffer; the batteries, which nobody touches, are in process. */
export const plugins: Flavour = {
  name: 'plugins',
  kinds: ['volume', 'volume', 'network', 'ipam', 'log', 'authz'],
  misbehaviour: true,
  drivers: {
    volume: 'chaos-volume',
    network: 'chaos-network',
    ipam: 'chaos-ipam',
    log: 'chaos-log',
    authz: 'chaos-authz',
  },
  others: { network: 'bridge', ipam: 'default', log: 'json-file' },
};

/** The batteries themselves suffer, each a process that the engine supervises. */
export const batteries: Flavour = {
  name: 'batteries',
  kinds: ['volume', 'network', 'ipam', 'log'],
  misbehaviour: false,
  drivers: { volume: 'local', network: 'bridge', ipam: 'default', log: 'json-file', authz: '' },
  others: { network: 'bridge', ipam: 'default', log: 'local' },
};
const entries = { volume: 'volume-local', network: 'network-bridge', ipam: 'ipam-default', log: 'log-json-file' };

/** One engine with the extensions that suffer, and containers that must not notice. It carries many schedules. */
export class World implements AsyncDisposable {
  readonly #directory: string;
  readonly #plugins: readonly ScriptedPlugin[];
  /** Containers that run through everything. */
  witnesses: readonly Witness[] = [];
  /** It was killed and does not serve again yet. */
  engineIsDown = false;
  engineKills = 0;
  readonly #killedAt: number[] = [];

  private constructor(
    readonly flavour: Flavour,
    readonly engine: Engine,
    readonly victims: ReadonlyMap<Kind, Victim>,
    /** Parent of the cgroups of the engine's containers, and of no others. */
    readonly cgroupParent: string,
    /** Prefix of the names of the plugins' interfaces. */
    readonly linkPrefix: string,
    directory: string,
    own: readonly ScriptedPlugin[],
  ) {
    this.#directory = directory;
    this.#plugins = own;
  }

  static async make(flavour: Flavour): Promise<World> {
    const directory = await mkdtemp(join(tmpdir(), 'cle-chaos-'));
    const tag = directory.slice(-6);
    const cgroupParent = `chaos-${tag}`;
    const linkPrefix = `${tag.replace(/\W/g, '')}`;
    const own: ScriptedPlugin[] = [];
    let started: Engine | undefined;
    try {
      // The engine refuses everything before its authorization plugin is there.
      if (flavour.misbehaviour) own.push(await ScriptedPlugin.start('authz', directory));
      const engine = await startEngine({
        config: {
          extensions: Object.fromEntries(
            flavour.misbehaviour
              ? flavour.kinds.map((kind) => [flavour.drivers[kind], { deadlines }])
              : Object.values(entries).map((entry) => [entry, { carrier: 'process', deadlines }]),
          ),
        },
        flags: [
          `--cgroup-parent=${cgroupParent}`,
          `--plugin-dir=${directory}`,
          ...(flavour.misbehaviour ? [`--authorization-plugin=${flavour.drivers.authz}`] : []),
        ],
      });
      started = engine;
      if (flavour.misbehaviour) {
        own.push(await ScriptedPlugin.start('volume', directory));
        own.push(await ScriptedPlugin.start('log', directory));
        own.push(await ScriptedPlugin.start('network', directory, linkPrefix));
        own.push(await ScriptedPlugin.start('ipam', directory, engine.prefix));
      }
      const victims: Victim[] = flavour.misbehaviour
        ? own
        : Object.entries(entries).map(
            ([kind, entry]) => new Battery(kind as Kind, flavour.drivers[kind as Kind], entry, engine),
          );
      const byKind = new Map(victims.map((victim) => [victim.kind, victim]));
      const world = new World(flavour, engine, byKind, cgroupParent, linkPrefix, directory, own);
      world.witnesses = await startWitnesses(world);
      // Everything that is made at its first use exists from now on.
      for (const witness of world.witnesses) await complaintsOf(world, witness);
      return world;
    } catch (error) {
      // The first error is the one to be seen.
      await Promise.resolve(started?.[Symbol.asyncDispose]()).catch(() => {});
      for (const plugin of own) await plugin[Symbol.asyncDispose]();
      throw error;
    }
  }

  victim(kind: Kind): Victim {
    const victim = this.victims.get(kind);
    if (!victim) throw new Error(`nobody of kind ${kind} suffers here`);
    return victim;
  }

  /** Where the log plugin puts what a container printed. */
  carriedLog(id: string): string | undefined {
    const plugin = this.#plugins.find(({ kind }) => kind === 'log');
    return plugin && join(plugin.directory, 'logs', id);
  }

  ask(method: string, path: string, options?: ApiOptions): Promise<ApiAnswer> {
    return ask(this.engine.socket, method, `/v1.41${path}`, options);
  }

  /** An answer that must be good. */
  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text } = await this.ask(method, path, { body });
    if (status > 299) throw new Error(`${method} ${path}: ${status} ${text.trim()}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async killEngine(): Promise<void> {
    this.engineIsDown = true;
    this.engineKills++;
    this.#killedAt.push(Date.now());
    await this.engine.kill('SIGKILL');
  }

  /** Whether an engine that was killed may never have read the answer that was given to it at that time. */
  mayHaveMissed(answeredAt: number): boolean {
    return this.#killedAt.some((at) => answeredAt <= at && answeredAt > at - deadlineMs);
  }

  async restartEngine(): Promise<void> {
    await this.engine.restart();
    this.engineIsDown = false;
  }

  /** Everybody behaves again. */
  async relieve(): Promise<void> {
    for (const victim of this.victims.values()) await victim.relieve();
    if (this.engineIsDown) await this.restartEngine();
  }

  /** Which of those that suffer a container needs. */
  needsOf(schedule: Schedule, container: ContainerPlan): Kind[] {
    const network = schedule.networks.find(({ name }) => name === container.network);
    return [
      ...(container.volume ? ['volume' as const] : []),
      ...(container.log ? ['log' as const] : []),
      ...(network ? this.needsOfNetwork(network) : []),
    ];
  }

  needsOfNetwork({ driver, ipam }: NetworkPlan): Kind[] {
    if (!this.flavour.misbehaviour) return ['network', 'ipam'];
    return [...(driver ? ['network' as const] : []), ...(ipam ? ['ipam' as const] : [])];
  }

  /** Events from a time on, until now. */
  async events(sinceMs: number): Promise<JournalEvent[]> {
    const { text } = await this.ask('GET', `/events?since=${sinceMs / 1000}&until=${Date.now() / 1000}`);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as JournalEvent);
  }

  #removeCgroupParent(): void {
    const root = '/sys/fs/cgroup';
    for (const hierarchy of ['', ...readdirSync(root)]) {
      const path = join(root, hierarchy, this.cgroupParent);
      if (existsSync(path)) rmdirSync(path);
    }
  }

  /** Leaves nothing behind; what the engine leaves is an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.relieve();
      await this.ask('DELETE', `/containers/witness?force=1&v=1`);
    } finally {
      try {
        await this.engine[Symbol.asyncDispose]();
      } finally {
        for (const plugin of this.#plugins) await plugin[Symbol.asyncDispose]();
        await rm(this.#directory, { recursive: true, force: true });
        this.#removeCgroupParent();
      }
    }
  }
}

/** Starts one container that depends on all the victims, and one that depends on none of them. */
async function startWitnesses(world: World): Promise<Witness[]> {
  const { drivers, others } = world.flavour;
  const suffering = await startWitness(world, 'witness', drivers);
  if (!world.flavour.misbehaviour) return [suffering];
  return [suffering, await startWitness(world, 'bystander', { ...others, volume: 'local' })];
}
