import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineConfig } from '@cleat/engine/config';
import type { ContainerId } from '@cleat/engine/ids';
import { openNetworks } from '@cleat/engine/networks/index';
import type { NetworkHost, Networks, SandboxRequest } from '@cleat/engine/networks/service';
import { openOutbox } from '@cleat/engine/outbox/index';
import { openStore } from '@cleat/engine/store/index';
import type { Store } from '@cleat/engine/store/service';
import { openExtensions } from '@cleat/extensions/index';
import type { ExtensionStatus } from '@cleat/extensions/service';
import { idle } from '@cleat/extensions/status';
import { silentLogger } from '@cleat/protocol/log';
import { Ledger } from './ledger.fixture.js';

/** The name of the plugin that is every driver here. */
const driver = 'ledger';
const containerId = 'c0'.repeat(32) as ContainerId;

/** An engine's networks over a real registry, a real store and the real kernel. */
interface Engine extends AsyncDisposable {
  readonly networks: Networks & NetworkHost;
  readonly store: Store;
  hurry(method: string, ms: number): Promise<unknown>;
  nudge(): void;
}

/** A plugin that keeps a book, and the engine that asks it. */
export class World implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'cleat-faults-'));
  readonly ledger: Ledger;
  #engine: Engine;

  constructor() {
    mkdirSync(join(this.root, 'plugins'));
    this.ledger = new Ledger(join(this.root, 'plugins', `${driver}.sock`), `f${process.pid % 1000}`);
    this.#engine = openEngine(this.root);
  }

  get networks(): Networks & NetworkHost {
    return this.#engine.networks;
  }

  /** Another deadline for a method, in ms. */
  hurry(method: string, ms: number): Promise<unknown> {
    return this.#engine.hurry(method, ms);
  }

  /** Files of namespaces, interfaces of the plugin, and what it gave away; what is pending is told at once. */
  left(): string[] {
    this.#engine.nudge();
    const netns = join(this.root, 'exec', 'netns');
    return [...this.ledger.held.keys(), ...this.ledger.links, ...(existsSync(netns) ? readdirSync(netns) : [])];
  }

  /** The next engine finds what is on disk now, and no container that runs. */
  async kill(): Promise<void> {
    const [store, copy] = [join(this.root, 'store'), join(this.root, 'killed')];
    this.ledger.deaf = true;
    await this.#engine.store.flush();
    cpSync(store, copy, { recursive: true });
    await this.#engine[Symbol.asyncDispose]();
    rmSync(store, { recursive: true });
    renameSync(copy, store);
    this.ledger.deaf = false;
    this.#engine = openEngine(this.root);
    await this.networks.start();
    await this.networks.reconcile(new Set());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine[Symbol.asyncDispose]();
    await this.ledger[Symbol.asyncDispose]();
    rmSync(this.root, { recursive: true });
  }
}

function openEngine(root: string): Engine {
  const store = openStore(join(root, 'store'));
  const execRoot = join(root, 'exec');
  const log = silentLogger;
  const extensions = openExtensions({
    manifestPaths: [],
    overrides: {},
    variables: {},
    pluginDirectories: [join(root, 'plugins')],
    dataRoot: root,
    execRoot,
    hostPath: '/nonexistent',
    log,
  });
  let tell: (status: ExtensionStatus) => void = () => {};
  const onChange = (listener: (status: ExtensionStatus) => void) => {
    tell = listener;
    return extensions.onChange(listener);
  };
  const outbox = openOutbox({ store, extensions: { onChange }, log });
  outbox.start();
  const events = { publish: () => {}, together: <T>(work: () => T) => work(), next: 1, holds: () => true } as never;
  const containers = { find: () => undefined, promised: () => [] };
  const config = { ...settings, dataRoot: root, execRoot } as unknown as EngineConfig;
  const networks = openNetworks({ config, containers, log, store, outbox, extensions, events });
  const active = {
    ...idle,
    name: driver,
    entry: undefined,
    kinds: [],
    carrier: 'socket',
    origin: '',
    reason: '',
  } as const;
  return {
    networks,
    store,
    hurry: (method, ms) => extensions.reconfigure({ [driver]: { deadlines: { [method]: ms } } }),
    nudge: () => tell({ ...active, state: 'active', since: new Date() }),
    async [Symbol.asyncDispose]() {
      await networks.close();
      outbox.close();
      await extensions.close();
      await store.close();
    },
  };
}

const settings = {
  engineId: 'faults',
  defaultNetworkDriver: driver,
  defaultIpamDriver: driver,
  bridge: 'none',
  icc: true,
  ipMasq: true,
  ipv6: false,
  ip: '0.0.0.0',
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
};

/** A container that publishes a port. */
function container({ networks, root }: World, mode: string): SandboxRequest {
  return {
    containerId,
    containerName: 'one',
    hostname: 'one',
    domainname: '',
    exposedPorts: [],
    portBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
    publishAllPorts: false,
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    extraHosts: [],
    links: [],
    sysctls: {},
    directory: join(root, 'container'),
    labels: {},
    networkMode: mode,
    ...networks.requested(mode, { [mode]: {} }),
  };
}

/** Does one thing after another. */
type Step = (work: () => Promise<unknown>) => Promise<boolean>;

/**
 * Everything that a driver is asked in a network's life: two networks, a container that starts on one, is connected to the
 * other and taken off it, and ends. What was made is removed, whatever fails.
 * @returns the errors
 */
export async function live(world: World): Promise<string[]> {
  const failures: string[] = [];
  const step: Step = async (work) => {
    try {
      await work();
      return true;
    } catch (error) {
      failures.push(String(error));
      return false;
    }
  };
  const IPAM = { Config: [{ Subnet: '10.253.1.0/24', AuxiliaryAddresses: { a: '10.253.1.9' } }] };
  const made =
    (await step(() => world.networks.create({ Name: 'first', EnableIPv6: true }))) &&
    (await step(() => world.networks.create({ Name: 'second', IPAM })));
  if (made) await run(world, step);
  await step(() => removeAll(world));
  return failures;
}

async function run(world: World, step: Step): Promise<void> {
  const { networks } = world;
  const started = await step(async () => (await networks.attach(container(world, 'first'))).ready);
  if (started) {
    const other = networks.resolve('second').id;
    const running = { ...container(world, 'first'), running: true, pid: 1 };
    const joined = await step(() => networks.connect(other, running, {}));
    if (joined) await step(() => networks.disconnect(other, containerId));
  }
  await step(() => networks.detach(containerId));
}

/** As a user removes networks, if there are any. */
export async function removeAll({ networks }: World): Promise<void> {
  for (const { Name, Driver } of await networks.list({})) if (Driver === driver) await networks.remove(Name);
}
