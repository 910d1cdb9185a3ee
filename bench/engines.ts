import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sweep } from '@cleat/cli/sweep/sweep';
import { call } from '@cleat/cli/tour/client';
import { unmount } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { EngineGroup } from './cgroup.js';

/**
 * An engine under measurement: in a network namespace and a control group of its own, so that neither sees the other.
 */
export abstract class BenchEngine {
  readonly directory: string;
  /** In memory, below /run, where either engine keeps what is true while it runs unless it is told otherwise. */
  protected readonly execRoot: string;
  readonly socket: string;
  readonly group: EngineGroup;
  protected readonly config: string;
  #process: ChildProcess | undefined;

  constructor(
    readonly name: string,
    base: string,
  ) {
    mkdirSync(base, { recursive: true });
    this.directory = mkdtempSync(join(base, `${name}-`));
    this.execRoot = mkdtempSync(`/run/cleat-bench-${name}-`);
    this.socket = join(this.directory, 'd.sock');
    // The configuration of this host's engines does not matter here.
    this.config = join(this.directory, 'daemon.json');
    writeFileSync(this.config, '{}');
    this.group = new EngineGroup(`cleat-bench-${process.pid}-${name}`);
  }

  protected abstract command(): string[];
  protected abstract clean(): Promise<string[]>;

  protected get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** The processes whose memory counts: daemon, monitors, extensions; not those of containers. */
  processes(): number[] {
    return this.group.processes();
  }

  async start(busybox: Buffer): Promise<void> {
    const child = this.launch();
    const deadline = Date.now() + 30_000;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(
          `${this.name} does not start:\n${readFileSync(join(this.directory, 'log'), 'utf8').slice(-3000)}`,
        );
      }
      await sleep(50);
    }
    const changes = encodeURIComponent('CMD ["sh"]');
    await call(this.socket, 'POST', `/images/create?fromSrc=-&repo=busybox&tag=latest&changes=${changes}`, busybox);
  }

  /** Has its daemon started, in a network namespace of its own; it answers later. */
  launch(): ChildProcess {
    const log = openSync(join(this.directory, 'log'), 'a');
    const enter = 'ip link set lo up && echo $$ >"$0" && exec "$@"';
    const args = ['--net', 'sh', '-c', enter, this.group.procs, ...this.command()];
    const child = spawn('unshare', args, { stdio: ['ignore', log, log], env: this.environment() });
    closeSync(log);
    this.#process = child;
    return child;
  }

  /** Ends its daemon as an operator does; {@link launch} starts it again. */
  async halt(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const forced = setTimeout(() => child.kill('SIGKILL'), 60_000);
    child.kill('SIGTERM');
    await once(child, 'exit');
    clearTimeout(forced);
  }

  /** Replaces its `daemon.json`, and has it read it again. */
  reload(config: object): void {
    writeFileSync(this.config, JSON.stringify(config));
    if (this.#process?.pid) process.kill(this.#process.pid, 'SIGHUP');
  }

  /** The beginning of a command that is to run in its network namespace. */
  get entering(): string[] {
    return ['nsenter', `--target=${this.pid}`, '--net'];
  }

  /** The path of its network namespace. */
  get namespace(): string {
    return `/proc/${this.pid}/ns/net`;
  }

  protected environment(): NodeJS.ProcessEnv {
    // Each Node would read all of them at its start: 30 ms.
    const { NODE_EXTRA_CA_CERTS: _certificates, ...env } = process.env;
    return env;
  }

  async docker(...args: string[]): Promise<string> {
    return await this.dockerWith({}, ...args);
  }

  /** @param variables beside those of this process, for the client */
  async dockerWith(variables: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
    const { DOCKER_CONTEXT: _context, ...env } = process.env;
    const options = { env: { ...env, ...variables } };
    const { stdout } = await promisify(execFile)('docker', ['-H', `unix://${this.socket}`, ...args], options);
    return stdout;
  }

  /** Removes everything. @returns what could not be removed. */
  async stop(): Promise<string[]> {
    await this.halt();
    const failures = await this.clean();
    for (let round = 0; round < 50 && this.group.processes().length > 0; round++) {
      for (const pid of this.group.processes()) kill(pid);
      await sleep(100);
    }
    this.group.remove();
    // A line that was interrupted has not taken away what it had here.
    for (const { target } of listMounts(`${this.directory}/`)) unmount(target, { detach: true });
    for (const directory of [this.execRoot, this.directory]) rmSync(directory, { recursive: true, force: true });
    return failures;
  }

  async #answers(): Promise<boolean> {
    try {
      return (await call(this.socket, 'GET', '/_ping')).status === 200;
    } catch {
      // Not yet.
      return false;
    }
  }
}

export class Cleat extends BenchEngine {
  readonly #flags: readonly string[];

  /** @param flags further ones of cleatd */
  constructor(name: string, base: string, flags: readonly string[] = []) {
    super(name, base);
    this.#flags = flags;
  }

  /** Where it discovers plugins, beside the place where every engine does. */
  get pluginDirectory(): string {
    return join(this.directory, 'plugins');
  }

  protected command(): string[] {
    return [
      fileURLToPath(new URL('../../bin/cleatd', import.meta.url)),
      `--host=unix://${this.socket}`,
      `--data-root=${this.#roots.dataRoot}`,
      `--exec-root=${this.#roots.execRoot}`,
      `--pidfile=${join(this.directory, 'pid')}`,
      `--cgroup-parent=${this.group.parent}`,
      `--config-file=${this.config}`,
      `--plugin-dir=${this.pluginDirectory}`,
      '--plugin-dir=/run/docker/plugins',
      '--shutdown-timeout=1',
      ...this.#flags,
    ];
  }

  protected clean(): Promise<string[]> {
    return sweep(this.#roots);
  }

  get #roots(): { dataRoot: string; execRoot: string } {
    return { dataRoot: join(this.directory, 'data'), execRoot: this.execRoot };
  }
}

export class Dockerd extends BenchEngine {
  readonly #programs: string | undefined;

  /** @param programs where its programs are looked for first; default: on the PATH */
  constructor(name: string, base: string, programs?: string) {
    super(name, base);
    this.#programs = programs;
  }

  protected override environment(): NodeJS.ProcessEnv {
    const env = super.environment();
    return this.#programs ? { ...env, PATH: `${this.#programs}:${env.PATH}` } : env;
  }

  protected command(): string[] {
    return [
      'dockerd',
      `--host=unix://${this.socket}`,
      `--data-root=${join(this.directory, 'data')}`,
      `--exec-root=${this.execRoot}`,
      `--pidfile=${join(this.directory, 'pid')}`,
      `--cgroup-parent=${this.group.parent}`,
      `--config-file=${this.config}`,
      '--shutdown-timeout=1',
      '--log-level=error',
    ];
  }

  /** Shims and containerd have one of the engine's directories on their command lines. */
  protected clean(): Promise<string[]> {
    return endAllBelow([this.directory, this.execRoot]);
  }
}

/**
 * Ends the programs of an engine that have one of its directories on their command lines, and unmounts what is left.
 */
export async function endAllBelow(roots: readonly string[]): Promise<string[]> {
  for (let round = 0; round < 30; round++) {
    const left = readdirSync('/proc').filter(
      (pid) => /^\d+$/.test(pid) && roots.some((root) => commandOf(pid).includes(`${root}/`)),
    );
    if (left.length === 0) break;
    for (const pid of left) kill(Number(pid));
    await sleep(100);
  }
  const mounts = () => roots.flatMap((root) => listMounts(`${root}/`));
  for (const { target } of mounts().reverse()) unmount(target, { detach: true });
  return mounts().map(({ target }) => `${target} is mounted still`);
}

function commandOf(pid: string): string {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    return /^[^\0]*(containerd|dockerd|runc|conmon|podman)/.test(command) ? command : '';
  } catch {
    // It ended meanwhile.
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
