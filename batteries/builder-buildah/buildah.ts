import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { unavailable } from '@cleat/protocol/errors';
import { owned, setTimeout } from '@cleat/protocol/guard';

/** How long buildah may clear up after it was told to stop, in ms. */
const graceMs = 10_000;
/** Length of a line; a longer one is told as several. */
const maxLine = 64 * 1024;

export interface BuildahSettings {
  readonly command: string;
  readonly stateDir: string;
  readonly runtime: string;
  readonly storageDriver: string;
  /** The engine's containers have user namespaces of their own. */
  readonly isRemapped?: boolean;
}

/** The program, on a storage of its own: nothing of this host's other users of it is touched. */
export class Buildah {
  readonly #settings: BuildahSettings;

  constructor(settings: BuildahSettings) {
    this.#settings = settings;
  }

  get storage(): string {
    return join(this.#settings.stateDir, 'storage');
  }

  get registries(): string {
    return join(this.#settings.stateDir, 'registries.conf');
  }

  /**
   * Runs a command to its end, or until the signal; then nothing of it goes on. It waits while `onLine` does.
   * @returns its exit code @throws Unavailable where it is not installed; the signal's reason
   */
  async run(
    args: readonly string[],
    { signal, onLine }: { signal: AbortSignal; onLine?: (stream: 1 | 2, line: string) => void | Promise<void> },
  ): Promise<number> {
    signal.throwIfAborted();
    const { command, stateDir, runtime, storageDriver } = this.#settings;
    const own = ['--root', this.storage, '--runroot', join(stateDir, 'run'), '--storage-driver', storageDriver];
    const withRuntime = args[0] === 'build' ? ['build', '--runtime', runtime, ...args.slice(1)] : args;
    const child = spawn(command, [...own, ...withRuntime], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that all of it can be ended.
      detached: true,
      env: { ...process.env, CONTAINERS_REGISTRIES_CONF: this.registries, BUILDAH_ISOLATION: 'oci' },
    });
    const ended = once(child, 'close') as Promise<[number | null]>;
    const heard = [child.stdout, child.stderr].map(
      (pipe, index) => eachLine(owned(pipe), (line) => onLine?.(index === 0 ? 1 : 2, line)).catch(() => {}), // The exit code tells.
    );
    const stop = () => endGroup(child);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const [code] = await ended;
      await Promise.all(heard);
      signal.throwIfAborted();
      return code ?? 1;
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
        throw unavailable(`${command} is not installed: install Debian's package buildah, or choose another builder`, {
          cause,
        });
      }
      throw cause;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}

/** Reads text line by line, and the next piece of it only when the last one was heard. */
export async function eachLine(source: Readable, onLine: (line: string) => void | Promise<void>): Promise<void> {
  let rest = '';
  for await (const chunk of source.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLine) {
      lines.push(rest);
      rest = '';
    }
    for (const line of lines) await onLine(line);
  }
  if (rest !== '') await onLine(rest);
}

function endGroup(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  const send = (name: NodeJS.Signals): void => {
    try {
      process.kill(-pid, name);
    } catch {
      // It has ended.
    }
  };
  send('SIGTERM');
  const timer = setTimeout(() => send('SIGKILL'), graceMs);
  child.once('close', () => clearTimeout(timer));
}
