import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unmount } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { Program } from './program.js';

export const stockDockerdInstalled = existsSync('/usr/sbin/dockerd');

/** Where a stock dockerd looks for sockets, and nowhere else. */
export const stockPlugins = '/run/docker/plugins';

/**
 * Debian's dockerd on roots of its own, and in a network namespace of its own: with `--bridge=none` it would take away
 * the bridge of a dockerd that runs on this host.
 */
export class StockDockerd implements AsyncDisposable {
  readonly host: string;
  readonly dataRoot: string;
  readonly #directory: string;
  readonly #flags: readonly string[];
  /** Holds the namespaces, so that they outlive a dockerd that is killed. */
  readonly #holder: Program;
  readonly #enter: readonly string[];
  #program: Program | undefined;

  private constructor(directory: string, flags: readonly string[], plugins: string | undefined) {
    this.#directory = directory;
    this.#flags = flags;
    this.host = `unix://${directory}/d.sock`;
    this.dataRoot = join(directory, 'data');
    const mounted = plugins === undefined ? '' : `mount --bind ${plugins} ${stockPlugins} && `;
    this.#holder = new Program('unshare', [
      '--net',
      ...(plugins === undefined ? [] : ['--mount']),
      'sh',
      '-c',
      `${mounted}touch ${directory}/held && exec sleep infinity`,
    ]);
    const namespaces = `/proc/${this.#holder.pid}/ns`;
    this.#enter = [`--net=${namespaces}/net`, ...(plugins === undefined ? [] : [`--mount=${namespaces}/mnt`])];
  }

  /** @param plugins a directory that it sees in the place of `/run/docker/plugins`, where it has plugins of its own */
  static async start(flags: readonly string[] = [], plugins?: string): Promise<StockDockerd> {
    const directory = await mkdtemp('/tmp/cleat-stock-');
    // Never the host's own.
    await writeFile(join(directory, 'daemon.json'), '{}');
    const dockerd = new StockDockerd(directory, flags, plugins);
    try {
      await dockerd.#holder.made(join(directory, 'held'));
      await dockerd.#run();
    } catch (error) {
      await dockerd[Symbol.asyncDispose]();
      throw error;
    }
    return dockerd;
  }

  /** Whose network namespace is the one that its containers are connected to. */
  get pid(): number {
    return this.#holder.pid;
  }

  /** Ends it, and starts it again on the same roots. */
  async again(signal: NodeJS.Signals): Promise<void> {
    await this.#program?.end(signal);
    // Its containerd ended with it. Where nobody reaps it, the next dockerd would take it for one that runs.
    for (const left of ['d.sock', 'run/containerd/containerd.pid'])
      await rm(join(this.#directory, left), { force: true });
    await this.#run();
  }

  async #run(): Promise<void> {
    const directory = this.#directory;
    this.#program = new Program('nsenter', [
      ...this.#enter,
      'dockerd',
      `--host=${this.host}`,
      `--data-root=${this.dataRoot}`,
      `--exec-root=${directory}/run`,
      `--pidfile=${directory}/pid`,
      `--config-file=${directory}/daemon.json`,
      '--bridge=none',
      '--iptables=false',
      '--ip-forward=false',
      '--shutdown-timeout=1',
      '--log-level=error',
      ...this.#flags,
    ]);
    await this.#program.made(join(directory, 'd.sock'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
    await this.#holder[Symbol.asyncDispose]();
    for (const { target } of listMounts(`${this.#directory}/`).reverse()) unmount(target);
    await rm(this.#directory, { recursive: true, force: true });
  }
}
