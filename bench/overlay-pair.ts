import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { busyboxTar } from '@cleat/cli/tour/busybox';
import { createNamespace, inNamespace, removeNamespace } from '@cleat/linux/net/namespace';
import { messageOf } from '@cleat/protocol/errors';
import { cable, uplink } from './cable.js';
import { type BenchEngine, Cleat } from './engines.js';
import { endProcess } from './registry.js';
import { Listeners } from './traffic.js';
import { ask, create, post, whereabouts } from './work.js';

/** Two hosts, joined by VXLAN, with the titles of the table's columns. */
export const overlayTitles = { vxlan: 'bare VXLAN', overlay: '`examples/overlay`' } as const;

export type OverlayName = keyof typeof overlayTitles;

/** A sender and a receiver on two hosts. */
export interface Across {
  /** The beginning of a command that is to run where packets are sent from. */
  readonly entering: readonly string[];
  /** The receiver's. */
  readonly address: string;
}

const main = fileURLToPath(new URL('../../examples/overlay/dist/main.js', import.meta.url));
const network = 'bench-overlay';
/** Addresses of a block for benchmarks (RFC 2544). */
const hosts = ['198.18.1.1', '198.18.1.2'] as const;
const etcd = `http://${hosts[0]}:2379`;

/** Makes each of the two when a row first needs it, and removes both. */
export class OverlayPair implements AsyncDisposable {
  readonly #base: string;
  readonly #made = new Map<OverlayName, Across>();
  readonly #endings: (() => unknown)[] = [];
  /** Things that were left behind; complete once it is disposed of. */
  readonly failures: string[] = [];

  /** @param base where engines keep their data */
  constructor(base: string) {
    this.#base = base;
  }

  async get(name: OverlayName): Promise<Across> {
    const made = this.#made.get(name) ?? (name === 'vxlan' ? await this.#bare() : await this.#overlay());
    this.#made.set(name, made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#endings.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        this.failures.push(messageOf(error));
      }
    }
  }

  #directory(): string {
    const directory = mkdtempSync(join(tmpdir(), 'cleat-bench-overlay-'));
    this.#endings.push(() => rmSync(directory, { recursive: true, force: true }));
    return directory;
  }

  /** Two namespaces, each with the kernel's VXLAN and nothing else. */
  async #bare(): Promise<Across> {
    const directory = this.#directory();
    const paths = [join(directory, 'a'), join(directory, 'b')] as const;
    for (const path of paths) {
      const session = await createNamespace(path);
      this.#endings.push(() => removeNamespace(path));
      await session.configure([]);
    }
    await joined(paths);
    for (const [index, path] of paths.entries()) {
      const [local, remote] = index === 0 ? hosts : hosts.toReversed();
      await inNamespace(path, [
        `link add tunnel type vxlan id 7 local ${local} remote ${remote} dstport 4789 dev ${uplink}`,
        `address add 198.18.2.${index + 1}/24 dev tunnel`,
        'link set dev tunnel up',
      ]);
    }
    const [sender, receiver] = paths.map((path) => ['nsenter', `--net=${path}`]);
    return await this.#between(sender, receiver, '198.18.2.2');
  }

  /** Two hosts with an engine each, one etcd, and a container on either. */
  async #overlay(): Promise<Across> {
    const directory = this.#directory();
    const engines = [await this.#engine('here'), await this.#engine('there')] as const;
    const [here] = engines;
    await joined([engines[0].namespace, engines[1].namespace]);
    const client = ['--listen-client-urls', etcd, '--advertise-client-urls', etcd];
    const own = ['--data-dir', join(directory, 'etcd'), '--listen-peer-urls', 'http://127.0.0.1:2380'];
    this.#start([...here.entering, 'etcd', ...own, ...client, '--log-level=error']);
    const ends: Awaited<ReturnType<typeof whereabouts>>[] = [];
    for (const [index, engine] of engines.entries()) {
      const words = [
        ...['--socket', join(engine.pluginDirectory, 'overlay.sock'), '--root', join(directory, engine.name)],
        ...['--address', hosts[index] ?? '', '--etcd', etcd, '--prefix', `ov${index}`],
      ];
      this.#start([...engine.entering, process.execPath, main, ...words]);
      await networkMade(engine);
      const id = await create(engine, { Cmd: ['sleep', '100000'], HostConfig: { NetworkMode: network } });
      await post(engine, `/containers/${id}/start`);
      ends.push(await whereabouts(engine, id, network));
    }
    const [sender, receiver] = ends;
    return await this.#between(sender?.entering, receiver?.entering, receiver?.address ?? '');
  }

  async #engine(name: string): Promise<Cleat> {
    const engine = new Cleat(name, this.#base);
    this.#endings.push(async () => void this.failures.push(...(await engine.stop())));
    mkdirSync(engine.pluginDirectory, { recursive: true });
    await engine.start(await busyboxTar());
    return engine;
  }

  async #between(entering: readonly string[] = [], receiver: readonly string[] = [], address: string): Promise<Across> {
    const listeners = await Listeners.start(receiver);
    this.#endings.push(() => listeners.end());
    return { entering, address };
  }

  #start(command: readonly string[]): void {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { stdio: 'ignore' });
    const started = once(child, 'spawn');
    this.#endings.push(async () => {
      await started;
      await endProcess(child);
    });
  }
}

/** The two hosts by a cable. */
const joined = (namespaces: readonly [string, string]): Promise<void> =>
  cable(
    { namespace: namespaces[0], address: `${hosts[0]}/30` },
    { namespace: namespaces[1], address: `${hosts[1]}/30` },
  );

/** As soon as the plugin answers. */
async function networkMade(engine: BenchEngine): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      const body = { Name: network, Driver: 'overlay', IPAM: { Driver: 'overlay' } };
      return void (await ask(engine, 'POST', '/networks/create', body));
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}
