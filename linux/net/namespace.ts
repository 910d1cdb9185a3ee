import { closeSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { deadlineExceeded, systemError, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { makeDirectories } from '../files/make-directories.js';
import { commandPath } from '../host.js';
import { bind } from '../mount/mount.js';
import { exitCode, run } from '../process/run.js';
import { type UserNamespace, withOwnedNetwork } from '../process/user-namespace.js';
import { errnoOf } from '../syscall/errno.js';
import { unmount2, unmountFlag } from '../syscall/mount.js';
import { posixSpawn, type Spawned } from '../syscall/spawn.js';
import { ipError, isNeedless } from './links.js';

const deadlineMs = 15_000;

/**
 * An `ip` process inside a network namespace that waits for its commands: making a namespace, moving interfaces to it
 * and configuring it costs one process in all.
 */
export interface NamespaceSession {
  readonly path: string;
  /**
   * The process, for `link set X netns PID`. Not by path: `ip -batch` never closes the file, and so a warm process
   * would keep the namespace for ever.
   */
  readonly pid: number;
  /** Runs `ip` commands inside, then ends that process. Call it once. @throws System with what `ip` said */
  configure(commands: readonly string[]): Promise<void>;
  /** Ends the process without configuring anything. */
  abandon(): void;
}

/** Where the user namespace is that a network namespace at `path` belongs to, if it is one of its own. */
export const userNamespaceOf = (path: string): string => `${path}.user`;

/**
 * Makes a namespace at `path` (a file that does not exist yet); it lives until {@link removeNamespace}, whatever
 * becomes of this process. Its loopback is up. Never under /run/netns, which belongs to the host's administrator.
 * @param owner the user namespace that it belongs to, which is then at {@link userNamespaceOf}; default: the host's
 */
export async function createNamespace(path: string, owner?: UserNamespace): Promise<NamespaceSession> {
  makeFile(path);
  try {
    if (!owner) return await openSession('unshare', path);
    makeFile(userNamespaceOf(path));
    await withOwnedNetwork(owner, (pid) => {
      bind(`/proc/${pid}/ns/net`, path);
      bind(`/proc/${pid}/ns/user`, userNamespaceOf(path));
    });
    return await openSession('nsenter', path);
  } catch (error) {
    removeNamespace(path);
    throw error;
  }
}

/** Keeps the network namespace of a process at `path`, a file that does not exist yet. */
export function keepNamespace(path: string, pid: number): void {
  makeFile(path);
  try {
    bind(`/proc/${pid}/ns/net`, path);
  } catch (error) {
    removeNamespace(path);
    throw error;
  }
}

/** An empty file, with its directory when that is not there yet. @throws EEXIST */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o400));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    makeDirectories(dirname(path), 0o711);
    closeSync(openSync(path, 'wx', 0o400));
  }
}

/** A session in a namespace that exists. */
export const enterNamespace = (path: string): Promise<NamespaceSession> => openSession('nsenter', path);

async function openSession(command: 'unshare' | 'nsenter', path: string): Promise<NamespaceSession> {
  const session = new Session(command, path);
  try {
    await session.ready();
    return session;
  } catch (error) {
    session.abandon();
    throw error;
  }
}

class Session implements NamespaceSession {
  readonly path: string;
  readonly pid: number;
  readonly #child: Spawned;
  #errors = '';
  #ended: { code: number } | undefined;
  #onChange: () => void = () => {};
  #acknowledged = false;

  constructor(command: 'unshare' | 'nsenter', path: string) {
    const program = commandPath(command);
    if (program === undefined) throw unavailable(`${command} is not installed (package util-linux)`);
    const args = [`--net=${path}`, commandPath('ip') ?? 'ip', '-force', '-batch', '-'];
    const child = posixSpawn(program, args, { env: process.env, stdio: ['reads', 'writes', 'writes'] });
    const [, stdout, stderr] = child.pipes;
    this.path = path;
    this.pid = child.pid;
    this.#child = child;
    stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    stdout?.on('data', () => {
      this.#acknowledged = true;
      this.#onChange();
    });
    void child.finished().then((status) => {
      this.#ended = { code: exitCode(status) };
      this.#onChange();
    });
  }

  async ready(): Promise<void> {
    // `ip` flushes the output of `link show`, which tells that the namespace is there and its file is mounted.
    this.#child.pipes[0]?.write('link set lo up\nlink show lo\n');
    await this.#until(() => this.#acknowledged || this.#ended !== undefined);
    if (!this.#acknowledged) {
      throw systemError(
        `network namespace ${this.path} could not be entered: ${this.#errors.trim() || 'unknown reason'}`,
      );
    }
  }

  async configure(commands: readonly string[]): Promise<void> {
    this.#child.pipes[0]?.end(commands.map((command) => `${command}\n`).join(''));
    await this.#until(() => this.#ended !== undefined);
    if (this.#ended?.code !== 0) checkBatch(this.#errors, ['link set lo up', 'link show lo', ...commands]);
  }

  abandon(): void {
    this.#child.pipes[0]?.destroy();
    this.#child.kill('SIGKILL');
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.abandon();
        reject(deadlineExceeded(`network namespace ${this.path} was not ready within ${deadlineMs} ms`));
      }, deadlineMs);
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onChange = check;
      check();
    });
  }
}

/** Runs `ip` commands inside the namespace, one process in all. @throws System with what `ip` said */
export async function inNamespace(path: string, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  const input = commands.map((command) => `${command}\n`).join('');
  const result = await run('nsenter', [`--net=${path}`, commandPath('ip') ?? 'ip', '-force', '-batch', '-'], {
    input,
    deadlineMs,
  });
  if (result.code !== 0) checkBatch(result.stderr, commands);
}

/** Messages of a batch that failed, a paragraph for each command; it goes on after one that fails. @throws System */
function checkBatch(errors: string, commands: readonly string[]): void {
  const failures = errors.split(/^Command failed -:(\d+)\n?/m);
  for (let at = 0; at + 1 < failures.length; at += 2) {
    const line = Number(failures[at + 1]) - 1;
    const [said = '', command = ''] = [failures[at], commands[line]];
    if (!isNeedless(command, said)) throw ipError(said, command, line);
  }
  if (failures.length < 2) throw ipError(errors, commands[0] ?? '', 0);
}

/**
 * Takes the namespace's file away. The kernel removes the namespace with all virtual interfaces in it in the
 * background, once the last process in it has ended. One that is gone already is fine.
 */
export function removeNamespace(path: string): void {
  removeFile(path);
  removeFile(userNamespaceOf(path));
}

function removeFile(path: string): void {
  try {
    unmount2(path, unmountFlag.detach);
  } catch (error) {
    // EINVAL: no mount point, for example because unshare failed half-way. The file is removed all the same.
    const errno = errnoOf(error);
    if (errno !== 'EINVAL' && errno !== 'ENOENT') throw error;
  }
  rmSync(path, { force: true });
}
