/** An engine's networks, for tests, over the real batteries and the real kernel. */
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import ipamDefault from '@cleat/batteries/ipam-default/main';
import networkBridge from '@cleat/batteries/network-bridge/main';
import networkHost from '@cleat/batteries/network-host/main';
import networkNone from '@cleat/batteries/network-none/main';
import type { EngineConfig } from '@cleat/engine/config';
import type { NewEvent } from '@cleat/engine/events/service';
import type { ContainerId } from '@cleat/engine/ids';
import { openNetworks } from '@cleat/engine/networks/index';
import type { ContainerLookup, NetworkHost, Networks, SandboxRequest } from '@cleat/engine/networks/service';
import { openOutbox } from '@cleat/engine/outbox/index';
import type { Outbox } from '@cleat/engine/outbox/service';
import { openStore } from '@cleat/engine/store/index';
import type { Store } from '@cleat/engine/store/service';
import { run } from '@cleat/linux/process/run';
import { notFound, systemError } from '@cleat/protocol/errors';
import { type ExtensionModule, type RunningExtension, startExtension } from '@cleat/protocol/extension';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach } from 'vitest';

const tag = randomBytes(3).toString('hex');
export const device = `ct${tag}`;
/** Subnets of this test alone. */
export const third = 1 + (Number.parseInt(tag.slice(0, 2), 16) % 200);
const bip = `10.93.${third}.1/24`;

export let root: string;
export let store: Store;
export let networks: Networks & NetworkHost;
let outbox: Outbox;
export let events: NewEvent[];
let batteries: Map<string, RunningExtension>;
/** The parts that tests play, anew for each engine. */
interface Played {
  findContainer: ContainerLookup['find'];
  /** Addresses that users chose for containers. */
  promised: string[];
  /** A method of the driver `plain` that fails. */
  failing?: string | undefined;
  /** A method of the driver `plain` that is never answered. */
  hanging?: string;
  /** A method that does what it is asked, and whose answer gets lost. */
  lost?: string;
}
export let played: Played;

export async function open(extra: Partial<EngineConfig> = {}): Promise<void> {
  const modules: [string, ExtensionModule, Record<string, unknown>][] = [
    ['bridge', networkBridge, { engineId: `test-${tag}`, stateDir: join(root, 'bridge'), defaultDevice: device }],
    ['host', networkHost, {}],
    ['null', networkNone, {}],
    ['default', ipamDefault, { stateDir: join(root, 'ipam') }],
  ];
  batteries = new Map();
  played = { findContainer: () => undefined, promised: [] };
  for (const [name, module, options] of modules) {
    const context = { name, options, log: silentLogger, signal: new AbortController().signal };
    batteries.set(name, await startExtension(module, context));
  }
  store = openStore(join(root, 'store'));
  const config = {
    engineId: `test-${tag}`,
    dataRoot: root,
    execRoot: join(root, 'exec'),
    defaultNetworkDriver: 'bridge',
    defaultIpamDriver: 'default',
    bridge: device,
    bip,
    icc: true,
    ipMasq: true,
    ipv6: false,
    ip: '0.0.0.0',
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    ...extra,
  } as unknown as EngineConfig;
  const extensions = {
    async get(kind: { name: string }, name: string) {
      const plain = name === 'plain';
      const found = batteries.get(plain ? 'bridge' : name)?.implementations.find((o) => o.kind.name === kind.name);
      if (!found) throw notFound(`plugin "${name}" not found`);
      const call = (method: string, handler: unknown) => async (request: unknown) => {
        // A driver that speaks Docker's protocol and nothing more.
        if (plain && method === 'GetCapabilities') return { Scope: 'local' };
        if (plain && method === played.hanging) await new Promise(() => {});
        if (plain && method === played.failing) throw systemError(`${method} failed`);
        const answer = typeof handler === 'function' ? ((await handler(request, {})) ?? {}) : undefined;
        if (method === played.lost) await new Promise(() => {});
        return answer;
      };
      return Object.fromEntries(
        Object.keys(found.kind.methods).map((method) => [method, call(method, found.handlers[method])]),
      );
    },
    nameOf: (_kind: string, called: string) => called,
    onChange: () => () => {},
  } as never;
  outbox = openOutbox({ store, extensions, log: silentLogger });
  outbox.start();
  networks = openNetworks({
    config,
    containers: { find: (ref) => played.findContainer(ref), promised: () => played.promised },
    log: silentLogger,
    store,
    outbox,
    extensions,
    events: {
      publish: (event: NewEvent) => void events.push(event),
      together: <T>(work: () => T) => work(),
      get next() {
        return events.length + 1;
      },
      holds: (event: number) => event > 0 && event <= events.length,
    } as never,
  });
  await networks.start();
}

export async function close(): Promise<void> {
  await networks.close();
  outbox.close();
  for (const battery of batteries.values()) await battery.close?.();
  await store.close();
}

/** The next engine finds what is on disk now, not what this one does when it is closed. */
export async function kill(): Promise<void> {
  await store.flush();
  const parts = ['store', 'ipam', 'bridge'].filter((part) => existsSync(join(root, part)));
  for (const part of parts) cpSync(join(root, part), join(root, 'killed', part), { recursive: true });
  await close();
  for (const part of parts) {
    rmSync(join(root, part), { recursive: true });
    renameSync(join(root, 'killed', part), join(root, part));
  }
  await open();
}

/** For the tests of a file: each has an engine's networks of its own, of which nothing is left. */
export function networksForTests(): void {
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'cleat-networks-'));
    events = [];
    await open();
  });

  afterEach(async () => {
    await networks.reconcile(new Set());
    await networks.prune({});
    await close();
    await run('ip', ['link', 'delete', device]);
    await run('nft', ['delete', 'table', 'inet', `cleat_test${tag}`]);
    rmSync(root, { recursive: true, force: true });
  });
}

export function request(name: string, more: Partial<SandboxRequest> = {}): SandboxRequest {
  const mode = more.networkMode ?? 'default';
  const given = more.endpoints ?? { [mode === 'default' ? 'bridge' : mode]: {} };
  return {
    containerId: `${Buffer.from(name).toString('hex')}${'0'.repeat(64)}`.slice(0, 64) as ContainerId,
    containerName: name,
    hostname: name,
    domainname: '',
    networkMode: 'default',
    exposedPorts: [],
    portBindings: {},
    publishAllPorts: false,
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    extraHosts: [],
    links: [],
    sysctls: {},
    directory: join(root, 'containers', name),
    labels: {},
    ...more,
    ...networks.requested(mode, given),
  };
}

export async function attached(name: string, more: Partial<SandboxRequest> = {}) {
  const wanted = request(name, more);
  const sandbox = await networks.attach(wanted);
  await sandbox.ready;
  const path = sandbox.namespace.kind === 'path' ? sandbox.namespace.path : '';
  const inside = (...command: string[]) => run('nsenter', [`--net=${path}`, ...command], { deadlineMs: 10_000 });
  return { id: wanted.containerId, path, inside, sandbox };
}

/** The answers that a network's containers would get, by a server in one of their namespaces. */
export function serveInside(path: string, port: number, answer: string): () => Promise<unknown> {
  const script = `require('http').createServer((q,s)=>s.end(${JSON.stringify(answer)})).listen(${port})`;
  const stop = new AbortController();
  const ended = run('nsenter', [`--net=${path}`, process.execPath, '-e', script], { signal: stop.signal }).catch(
    () => undefined,
  );
  return () => {
    stop.abort();
    return ended;
  };
}

export async function get(url: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).text();
    } catch (error) {
      // The server inside needs a moment to start.
      if (tries === 50) throw error;
      await sleep(50);
    }
  }
}
