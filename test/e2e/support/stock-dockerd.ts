import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bind, makeShared } from '@cleat/linux/mount/mount';
import { Program } from './program.js';

export const stockDockerdInstalled = existsSync('/usr/sbin/dockerd');

/** Engines that start later see mounts made below `directory` from now on. The caller must unmount it. */
export function shareMounts(directory: string): void {
  bind(directory, directory);
  makeShared(directory);
}

/**
 * Debian's dockerd on roots of its own, in namespaces of its own. In the host's network, with `--bridge=none`, it would
 * take away the bridge of a dockerd that runs there. In `/run/docker/plugins` it would see the plugins of all tests that
 * run meanwhile: it asks each of them for each volume, and waits long for one that has just ended.
 */
export class StockDockerd implements AsyncDisposable {
  readonly host: string;
  readonly dataRoot: string;
  /** Where it looks for plugins, and nowhere else. */
  readonly plugins: string;
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
    this.plugins = plugins ?? join(directory, 'plugins');
    mkdirSync(this.plugins, { recursive: true });
    const steps = [
      // Its specifications are looked for beside its configuration, which is nobody else's.
      'mkdir -p /run/docker/plugins /etc/docker',
      'mount -t tmpfs tmpfs /etc/docker',
      'mkdir /etc/docker/plugins',
      `mount --bind ${this.plugins} /run/docker/plugins`,
      `mount --bind ${this.plugins} /etc/docker/plugins`,
    ];
    this.#holder = new Program('unshare', [
      ...['--net', '--mount', '--propagation=slave', 'sh', '-c'],
      [...steps, `touch ${directory}/held`, 'exec sleep infinity'].join(' && '),
    ]);
    const namespaces = `/proc/${this.#holder.pid}/ns`;
    this.#enter = [`--net=${namespaces}/net`, `--mount=${namespaces}/mnt`];
  }

  /** @param plugins where it looks for plugins, and nowhere else; else a directory of its own */
  static async start(flags: readonly string[] = [], plugins?: string): Promise<StockDockerd> {
    const directory = await mkdtemp('/tmp/cleat-stock-');
    // Never the host's own.
    await writeFile(join(directory, 'daemon.json'), '{}');
    const dockerd = new StockDockerd(directory, flags, plugins);
    try {
      await dockerd.#holder.made(join(directory, 'held'));
      await dockerd.restart();
    } catch (error) {
      await dockerd[Symbol.asyncDispose]();
      throw error;
    }
    return dockerd;
  }

  /** PID of the process in whose network namespace its containers are connected. */
  get pid(): number {
    return this.#holder.pid;
  }

  get socket(): string {
    return join(this.#directory, 'd.sock');
  }

  /** Ends it: as a crash would unless told otherwise, and then its containers are left to the next one. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#program?.end(signal);
    // Its containerd ended with it. Where nobody reaps it, the next dockerd would take it for one that runs.
    for (const left of ['pid', 'd.sock', 'run/containerd/containerd.pid']) {
      await rm(join(this.#directory, left), { force: true });
    }
  }

  /** Ends it, and starts it again on the same roots. */
  async again(signal: NodeJS.Signals): Promise<void> {
    await this.kill(signal);
    await this.restart();
  }

  /** Starts it, on the same roots as before. */
  async restart(): Promise<void> {
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
    await this.#program.made(this.socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
    await this.#holder[Symbol.asyncDispose]();
    endOrphans(`${this.#directory}/`);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** A dockerd that was killed leaves its containers, each with the shim that looks after it. */
function endOrphans(directory: string): void {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const shims = new Set(numbers.filter((pid) => read(`/proc/${pid}/cmdline`).includes(directory)));
  const children = numbers.filter((pid) => shims.has(/^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? ''));
  for (const pid of [...children, ...shims]) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended with the other one.
    }
  }
}

/** Empty for a process that is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
