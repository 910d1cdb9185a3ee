import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { busyboxTar } from '@cleat/cli/tour/busybox';
import { unmount } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { inNamespace } from '@cleat/linux/net/namespace';
import { messageOf } from '@cleat/protocol/errors';
import { cable, uplink } from './cable.js';
import { type BenchEngine, Cleat } from './engines.js';
import { endProcess } from './registry.js';
import { Listeners } from './traffic.js';
import { ask, create, post, whereabouts } from './work.js';

/** Ways between two hosts, with the titles of the table's columns. */
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
  #hosts: Promise<readonly [Cleat, Cleat]> | undefined;
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
    this.#endings.push(() => {
      // A plugin that ends leaves its bridges to containers, in a namespace that is kept here.
      for (const { target } of listMounts(directory)) unmount(target, { detach: true });
      rmSync(directory, { recursive: true, force: true });
    });
    return directory;
  }

  /** Beside it on the same hosts: the kernel's VXLAN, and nothing else. */
  async #bare(): Promise<Across> {
    const engines = await this.#engines();
    for (const [index, { namespace }] of engines.entries()) {
      const [local, remote] = index === 0 ? hosts : hosts.toReversed();
      await inNamespace(namespace, [
        `link add tunnel type vxlan id 7 local ${local} remote ${remote} dstport 4790 dev ${uplink}`,
        `address add 198.18.2.${index + 1}/24 dev tunnel`,
        'link set dev tunnel up',
      ]);
    }
    const [here, there] = engines;
    return await this.#between(here.entering, there.entering, '198.18.2.2');
  }

  /** One etcd, the plugin on either host, and a container on either. */
  async #overlay(): Promise<Across> {
    const directory = this.#directory();
    const engines = await this.#engines();
    const client = ['--listen-client-urls', etcd, '--advertise-client-urls', etcd];
    const own = ['--data-dir', join(directory, 'etcd'), '--listen-peer-urls', 'http://127.0.0.1:2380'];
    this.#start([...engines[0].entering, 'etcd', ...own, ...client, '--log-level=error']);
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

  /** Two hosts with an engine each, and a cable between them. */
  #engines(): Promise<readonly [Cleat, Cleat]> {
    this.#hosts ??= (async () => {
      const [here, there] = [await this.#engine('here'), await this.#engine('there')];
      await cable(
        { namespace: here.namespace, address: `${hosts[0]}/30` },
        { namespace: there.namespace, address: `${hosts[1]}/30` },
      );
      return [here, there] as const;
    })();
    return this.#hosts;
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
