import { statfsSync } from 'node:fs';
import {
  createNamespace,
  enterNamespace,
  inNamespace,
  type NamespaceSession,
  removeNamespace,
} from '@cleat/linux/net/namespace';
import { parseInterfaceNames } from '@cleat/protocol/net-dev';
import { turns, unavailable } from '@cleat/sdk';
import { type RunOptions, type RunResult, runCommand } from '@cleat/sdk/linux';

/** The type of file system that statfs(2) tells for a namespace's file (`NSFS_MAGIC`). */
const nsfs = 0x6e73_6673;

/** Where the kernel's `br_netfilter` is loaded, it looks at all that passes a bridge, also in a namespace without rules. */
const passBy = 'for file in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -w "$file" ] || echo 0 >"$file"; done';

/**
 * The network namespace for the bridges: there the host's firewall does not look at what passes from one of their ports
 * to another, and the host itself is on none of the networks. It outlives the plugin.
 */
export class LinkNamespace {
  readonly #inTurn = turns();

  /** @param path absolute: where the file of the namespace is */
  constructor(readonly path: string) {}

  /** A host that was started anew has the file, and no namespace. */
  get isThere(): boolean {
    try {
      return statfsSync(this.path).type === nsfs;
    } catch {
      return false; // There is not even the file.
    }
  }

  /** A process inside, for `netns PID`. The namespace is made if there is none. @throws System */
  enter(): Promise<NamespaceSession> {
    return this.#inTurn('enter', async () => {
      const session = await this.#open();
      try {
        const { code, stderr } = await this.command('sh', ['-c', passBy]);
        if (code !== 0) throw unavailable(`the sysctls of bridges in ${this.path}: ${stderr.trim()}`);
        return session;
      } catch (error) {
        session.abandon();
        throw error;
      }
    });
  }

  async #open(): Promise<NamespaceSession> {
    if (this.isThere) return await enterNamespace(this.path);
    removeNamespace(this.path);
    return await createNamespace(this.path);
  }

  /** Names of the links inside. */
  async names(): Promise<Set<string>> {
    if (!this.isThere) return new Set();
    const table = '/proc/self/net/dev';
    const { code, stdout, stderr } = await this.command('cat', [table]);
    if (code !== 0) throw unavailable(`${table} in ${this.path}: ${stderr.trim()}`);
    return parseInterfaceNames(stdout);
  }

  /** @param commands as after `ip` @throws System with what it said of the first that failed; the others are done */
  async run(commands: readonly string[]): Promise<void> {
    await inNamespace(this.path, commands);
  }

  /** Runs a program inside to its end. */
  async command(name: string, args: readonly string[], options?: RunOptions): Promise<RunResult> {
    return await runCommand('nsenter', [`--net=${this.path}`, name, ...args], options);
  }

  /** Deletes those of these links that are there. @throws System with what `ip` said */
  async removeLinks(...names: string[]): Promise<void> {
    const there = await this.names();
    const meant = names.filter((name) => there.has(name));
    try {
      await this.run(meant.map((name) => `link delete dev ${name}`));
    } catch (error) {
      // A pair goes with the namespace of its other end, perhaps in this moment.
      const left = await this.names();
      if (meant.some((name) => left.has(name))) throw error;
    }
  }

  /** With all links in it. */
  remove(): void {
    removeNamespace(this.path);
  }
}
