/** A room of plugins on directories of its own; sandboxes and the registry of extensions are played. For tests. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Extensions, Registered, Registration, Unavailable } from '@cleat/extensions/service';
import { Helper } from '@cleat/linux/helper/helper';
import type { Progress } from '@cleat/protocol/api/image';
import type { PluginPrivilege } from '@cleat/protocol/api/plugin';
import { unavailable } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import type { PluginsConfig } from '../config.js';
import { openContent } from '../content/index.js';
import { openDistribution } from '../distribution/index.js';
import type { Events, NewEvent } from '../events/service.js';
import { type Entry, lines, tarOf } from '../images/images.fixture.js';
import { openLayers } from '../layers/index.js';
import { openStore } from '../store/index.js';
import { openPlugins, PluginRegistry } from './index.js';
import type { PluginRecord } from './record.js';
import type { Plugin } from './registry.js';
import type { PluginHost, Plugins, PluginUse } from './service.js';

export const manifest = {
  Description: 'A plugin of the tests',
  Entrypoint: ['/plugin'],
  Interface: { Types: ['docker.volumedriver/1.0'], Socket: 'plugin.sock' },
  Network: { Type: 'host' },
  Linux: { Capabilities: ['CAP_SYS_ADMIN'] },
  Env: [
    { Name: 'DEBUG', Value: '0', Settable: ['value'] },
    { Name: 'PASSWORD', Value: '', Settable: ['value'] },
  ],
};

export const granted: PluginPrivilege[] = [
  { Name: 'network', Description: '', Value: ['host'] },
  { Name: 'capabilities', Description: '', Value: ['CAP_SYS_ADMIN'] },
];

export interface Bench extends AsyncDisposable {
  readonly plugins: Plugins & PluginHost;
  readonly events: NewEvent[];
  /** Names of those that are registered now, with the digest-like text of their manifests' descriptions. */
  readonly running: Map<string, string>;
  /** Those that are known and do not run, with their kinds. */
  readonly unavailable: string[];
  /** Users of each plugin. */
  uses: PluginUse[];
  /** The extensions that need any plugin. */
  dependents: string[];
  /** Plays the activation of a plugin; its error is the plugin's. */
  answer: (description: string, signal?: AbortSignal) => Promise<void>;
  /** The publishers that must have signed plugins. */
  trust: NonNullable<PluginsConfig['pluginTrust']>;
  /** Names of the blobs and layers that are left. */
  left(): Promise<{ blobs: string[]; layers: string[] }>;
  reopen(): Promise<void>;
  /** So many changes of records are still made. */
  killAfter(changes: number): void;
  create(name: string, changes?: object, rootfs?: readonly Entry[]): Promise<void>;
  pull(remote: string, options?: { name?: string; privileges?: readonly PluginPrivilege[] }): Promise<Progress[]>;
  upgrade(name: string, remote: string, privileges?: readonly PluginPrivilege[]): Promise<Progress[]>;
  push(name: string): Promise<Progress[]>;
}

/** A tar as `docker plugin create` sends it. */
export async function archiveOf(config: object, rootfs: readonly Entry[] = [{ name: 'plugin', content: 'run' }]) {
  return await tarOf([
    { name: 'config.json', content: JSON.stringify(config) },
    { name: 'rootfs/', type: 'directory' },
    ...rootfs.map((entry) => ({ ...entry, name: `rootfs/${entry.name}` })),
  ]);
}

/** An engine that is killed after so many changes of its records makes no more of them. */
class KilledRegistry extends PluginRegistry {
  changes = Number.POSITIVE_INFINITY;

  override put(record: PluginRecord): Plugin {
    if (this.changes-- <= 0) throw new Error('the engine was killed');
    return super.put(record);
  }
}

export async function openBench(): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'cleat-plugins-'));
  const events: NewEvent[] = [];
  const running = new Map<string, string>();
  const known = new Set<Unavailable>();
  const helper = new Helper();
  const { signal } = new AbortController();
  const described = ({ manifest: { Description } }: Pick<Plugin, 'manifest'>) => Description;
  const launched: Plugin[] = [];

  const extensions = {
    register(extension: Registration): Registered {
      let now = extension;
      const plugin = launched.at(-1);
      running.set(extension.name, plugin ? described(plugin) : '');
      return {
        status: { state: 'active', health: 'healthy', reason: '', since: new Date() } as Registered['status'],
        activated: async (options) => await bench.answer(running.get(now.name) ?? '', options?.signal),
        replace: async (next) => {
          now = next;
          const last = launched.at(-1);
          running.set(next.name, last ? described(last) : '');
        },
        remove: async () => void running.delete(now.name),
      };
    },
    setUnavailable: (one: Unavailable) => {
      known.add(one);
      return () => known.delete(one);
    },
    dependents: () => bench.dependents,
    logger: () => silentLogger,
    list: () => [],
  } as unknown as Extensions;

  const start = async () => {
    const store = openStore(join(root, 'store'));
    const log = silentLogger;
    const content = await openContent(join(root, 'blobs'));
    const registry = new KilledRegistry(store, log);
    content.addUser(registry);
    const config = { insecureRegistries: [], registryMirrors: [], maxConcurrentDownloads: 3 };
    const plugins = openPlugins({
      directory: join(root, 'saved'),
      log,
      events: {
        publish: (event: NewEvent) => void events.push(event),
        together: (work: () => unknown) => work(),
      } as unknown as Events,
      registry,
      content,
      layers: await openLayers({ directory: join(root, 'layers'), content, store, users: [registry], log }),
      distribution: openDistribution({ config, reach: undefined, log, content }),
      extensions,
      helper,
      config: {
        liveRestore: false,
        authorizationPlugins: ['me/guard'],
        get pluginTrust() {
          return bench.trust;
        },
      },
      sandboxes: {
        launcher(plugin) {
          launched.push(plugin);
          const never = () => Promise.reject(unavailable('nothing runs here'));
          return {
            launcher: { launch: never, adopt: async () => undefined, close: async () => {} },
            socket: '/x.sock',
          };
        },
        lastOutput: async () => ['said at last'],
        place: () => ({ root: '/', within: '.' }),
        beginRuntime: () => {},
        runtime: () => ({ path: '' }),
        runtimeAnswers: async () => {},
        endRuntime: async () => {},
        logging: () => ({ directory: '', inside: '', owner: { uid: 0, gid: 0 } }),
        execTarget: () => undefined,
        active: () => [],
        endStrangers: async () => {},
        leaveNetworks: async () => {},
        leaveRunning: () => {},
        erase: async () => {},
      },
      usage: () => bench.uses,
    });
    return { store, plugins, registry };
  };
  let open = await start();
  const bench: Bench = {
    get plugins() {
      return open.plugins;
    },
    events,
    running,
    get unavailable() {
      return [...known].map(({ name, kinds }) => `${name}: ${kinds.join(', ')}`);
    },
    uses: [],
    dependents: [],
    answer: async () => {},
    trust: [],
    left: async () => ({
      blobs: await readdir(join(root, 'blobs/sha256')),
      layers: await readdir(join(root, 'layers')),
    }),
    async reopen() {
      await open.store.close();
      running.clear();
      known.clear();
      open = await start();
      await open.plugins.start();
    },
    killAfter(changes) {
      open.registry.changes = changes;
    },
    async create(name, changes = {}, rootfs) {
      const archive = Readable.from([await archiveOf({ ...manifest, ...changes }, rootfs)]);
      await open.plugins.create(name, archive, signal);
    },
    pull: async (remote, { name = '', privileges = granted } = {}) =>
      await lines(open.plugins.pull({ remote, name, privileges, signal })),
    upgrade: async (name, remote, privileges = granted) =>
      await lines(open.plugins.upgrade({ remote, name, privileges, signal })),
    push: async (name) => await lines(open.plugins.push(name, { signal })),
    async [Symbol.asyncDispose]() {
      await open.store.close();
      await helper.close();
      await rm(root, { recursive: true, force: true });
    },
  };
  return bench;
}
