import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand } from '@cleat/linux/host';
import { unmountAll } from '@cleat/linux/mount/mount';

export const rcloneInstalled = findCommand('rclone') !== undefined && existsSync('/dev/fuse');

/**
 * A WebDAV server for tests, which can go away and come back at the same address; and rclone's configuration for it.
 */
export class BackEnd implements AsyncDisposable {
  /** The directory that it serves. */
  readonly files: string;
  /** Knows it as the remote `box`. */
  readonly config: string;
  #child: ChildProcess | undefined;
  #address = '127.0.0.1:0';

  /** @param directory an existing one */
  constructor(directory: string) {
    this.files = join(directory, 'files');
    this.config = join(directory, 'rclone.conf');
    mkdirSync(this.files);
  }

  async start(): Promise<void> {
    const args = ['serve', 'webdav', `--addr=${this.#address}`, this.files];
    const child = spawn('rclone', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    let said = '';
    for await (const chunk of child.stderr.setEncoding('utf8')) {
      said += chunk;
      const [, address] = /http:\/\/([\d.]+:\d+)/.exec(said) ?? [];
      if (address === undefined) continue;
      this.#address = address;
      writeFileSync(this.config, `[box]\ntype = webdav\nurl = http://${address}\nvendor = other\n`);
      return;
    }
    throw new Error(`rclone serve webdav ended: ${said}`);
  }

  /** It still takes connections, and says nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The processes of rclone that serve mounts below a directory. */
export function serversBelow(directory: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && commandOf(pid).some((word) => word.startsWith(`${directory}/`)))
    .map(Number)
    .filter((pid) => commandOf(`${pid}`)[1] === 'mount');
}

/** Ends everything that a test left. */
export function endServersBelow(directory: string): void {
  for (const pid of serversBelow(directory)) process.kill(pid, 'SIGKILL');
  unmountAll(directory);
  rmSync(directory, { recursive: true });
}

function commandOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It ended meanwhile.
    return [];
  }
}
