import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { type ProcessIdentity, processIdentity } from '@cleat/linux/process/identity';
import { run } from '@cleat/linux/process/run';
import { invalidParameter, unavailable } from '@cleat/sdk';
import type { VolumeFiles } from './volume-files.js';

const answerMs = 15_000;
/** rclone's exit code for a directory that is not there: the back end did answer, and makes it with the first file. */
const noDirectory = 3;
/** A back end that says nothing costs its callers an error, in a container, too. */
const limits = ['--contimeout=5s', '--timeout=10s', '--retries=1', '--low-level-retries=1'];

/** The program rclone: <https://rclone.org/commands/rclone_mount/>. */
export class Rclone {
  readonly #config: readonly string[];

  /** @param config its file of remotes; default: where rclone looks by itself */
  constructor(config: string | undefined) {
    this.#config = config === undefined ? [] : [`--config=${config}`];
  }

  /**
   * Whether users may have `remote`: a remote that the operator configured, and a path in it. rclone itself takes more,
   * such as directories of this host and commands to run. No back end is asked.
   * @throws InvalidParameter
   */
  async check(remote: string): Promise<void> {
    const [, name] = /^(\w[\w.-]*):[^\0\r\n]*$/.exec(remote) ?? [];
    if (name === undefined) throw invalidParameter(`remote must be of the form NAME:PATH, not '${remote}'`);
    const { code, stdout, stderr } = await run('rclone', ['listremotes', ...this.#config], { deadlineMs: answerMs });
    if (code !== 0) throw unavailable(`rclone cannot read its configuration: ${reasonIn(stderr)}`);
    const names = stdout.split('\n').filter(Boolean);
    if (names.includes(`${name}:`)) return;
    const others = names.length > 0 ? `, or use ${names.join(' ')}` : '';
    throw invalidParameter(`rclone knows no remote ${name}: add it to its configuration${others}`);
  }

  /** @throws Unavailable when the back end does not answer, within 15 s */
  async reach(remote: string, signal: AbortSignal): Promise<void> {
    const args = ['lsf', '--max-depth=1', ...limits, ...this.#config, '--', remote];
    const { code, stderr } = await run('rclone', args, { deadlineMs: answerMs, signal });
    if (code !== 0 && code !== noDirectory) throw unavailable(reasonIn(stderr));
  }

  /**
   * Starts the process that is the file system of a volume. It lives on when we end, and ends when its mount does.
   * @throws Unavailable when it cannot be started
   */
  async serve({ remote, target, cache, log }: VolumeFiles): Promise<ProcessIdentity | undefined> {
    const cached = ['--vfs-cache-mode=writes', '--vfs-write-back=1s', `--cache-dir=${cache}`, '--dir-cache-time=5s'];
    // Open to all users of a container, whose files have no owner at a back end.
    const args = ['mount', '--allow-other', '--umask=0', ...cached, ...limits, ...this.#config, '--', remote, target];
    const output = openSync(log, 'w', 0o600);
    try {
      const child = spawn('rclone', args, { detached: true, stdio: ['ignore', output, output] });
      child.unref();
      await once(child, 'spawn');
      return child.pid === undefined ? undefined : processIdentity(child.pid);
    } catch (cause) {
      throw unavailable('rclone cannot be started: is it installed?', { cause });
    } finally {
      closeSync(output);
    }
  }
}

/** The last thing that rclone said, without its time and what it was about to do. */
export function reasonIn(text: string): string {
  const last = text.trim().split('\n').at(-1) ?? '';
  return last.replace(/^[\d/]+ [\d:]+ /, '').replace(/^Failed to .*error in ListJSON: /, '') || 'it does not say why';
}
