import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unmount } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { Program } from './program.js';

export const stockDockerdInstalled = existsSync('/usr/sbin/dockerd');

/**
 * Debian's dockerd on roots of its own, and in a network namespace of its own: with `--bridge=none` it would take away
 * the bridge of a dockerd that runs on this host.
 */
export class StockDockerd implements AsyncDisposable {
  readonly host: string;
  readonly dataRoot: string;
  readonly #directory: string;
  readonly #flags: readonly string[];
  #program: Program;

  private constructor(directory: string, flags: readonly string[]) {
    this.#directory = directory;
    this.#flags = flags;
    this.host = `unix://${directory}/d.sock`;
    this.dataRoot = join(directory, 'data');
    this.#program = this.#run();
  }

  #run(): Program {
    return new Program('unshare', [
      '--net',
      'dockerd',
      `--host=${this.host}`,
      `--data-root=${this.dataRoot}`,
      `--exec-root=${this.#directory}/run`,
      `--pidfile=${this.#directory}/pid`,
      `--config-file=${this.#directory}/daemon.json`,
      '--bridge=none',
      '--iptables=false',
      '--ip-forward=false',
      '--shutdown-timeout=1',
      '--log-level=error',
      ...this.#flags,
    ]);
  }

  static async start(flags: readonly string[] = []): Promise<StockDockerd> {
    const directory = await mkdtemp('/tmp/cleat-stock-');
    // Never the host's own.
    await writeFile(join(directory, 'daemon.json'), '{}');
    const dockerd = new StockDockerd(directory, flags);
    try {
      await dockerd.#program.made(dockerd.socket);
    } catch (error) {
      await dockerd[Symbol.asyncDispose]();
      throw error;
    }
    return dockerd;
  }

  /** Whose network namespace is the one that its containers are connected to. */
  get pid(): number {
    return this.#program.pid;
  }

  get socket(): string {
    return join(this.#directory, 'd.sock');
  }

  /** Kills it, as a crash would: its containers are left to the next one. */
  async kill(): Promise<void> {
    await this.#program.end('SIGKILL');
    // Its containerd dies with it. Where nobody reaps orphans, their numbers seem to live on.
    for (const name of ['pid', 'd.sock', 'run/containerd/containerd.pid']) {
      await rm(join(this.#directory, name), { force: true });
    }
  }

  /** Starts it again on the same roots, after `kill`. */
  async restart(): Promise<void> {
    this.#program = this.#run();
    await this.#program.made(this.socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    endOrphans(`${this.#directory}/`);
    for (const { target } of listMounts(`${this.#directory}/`).reverse()) unmount(target);
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
