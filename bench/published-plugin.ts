import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '@cleat/linux/process/run';
import { systemError } from '@cleat/protocol/errors';
import type { BenchEngine } from './engines.js';
import { freePort } from './free-port.js';
import { configure, endProcess, startRegistry } from './registry.js';

const cleat = fileURLToPath(new URL('../../bin/cleat', import.meta.url));
const example = fileURLToPath(new URL('../../examples/no-remove', import.meta.url));

interface Published {
  directory: string;
  /** `127.0.0.1:PORT` */
  host: string;
  reference: string;
}

/**
 * The example no-remove as a managed plugin, packaged once, in Debian's docker-registry on loopback. Loopback is another one
 * in each engine's network namespace: there a further registry serves the same data at the same address.
 */
class Publisher {
  #published: Promise<Published> | undefined;
  readonly #registries = new Map<BenchEngine, ChildProcess>();

  /** @returns the reference by which this engine can install it, until {@link withdraw} */
  async serve(engine: BenchEngine): Promise<string> {
    this.#published ??= this.#publish();
    const { directory, host, reference } = await this.#published;
    if (!this.#registries.has(engine)) {
      this.#registries.set(engine, await startRegistry(directory, host, engine.entering));
    }
    return reference;
  }

  async withdraw(engine: BenchEngine): Promise<void> {
    await endProcess(this.#registries.get(engine));
    this.#registries.delete(engine);
  }

  async end(): Promise<void> {
    for (const engine of [...this.#registries.keys()]) await this.withdraw(engine);
    const published = await this.#published?.catch(() => undefined);
    if (published) rmSync(published.directory, { recursive: true, force: true });
    this.#published = undefined;
  }

  async #publish(): Promise<Published> {
    const directory = mkdtempSync(join(tmpdir(), 'cleat-bench-registry-'));
    const host = `127.0.0.1:${await freePort()}`;
    configure(directory, host);
    const reference = `${host}/cleat/no-remove:bench`;
    const registry = await startRegistry(directory, host, []);
    try {
      const { code, stderr } = await run(cleat, ['package', example, '--push', reference, '--quiet'], {
        env: process.env,
      });
      if (code !== 0) throw systemError(`the plugin was not packaged: ${stderr.trim()}`);
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    } finally {
      await endProcess(registry);
    }
    return { directory, host, reference };
  }
}

/** One for the whole run. */
export const publisher = new Publisher();
