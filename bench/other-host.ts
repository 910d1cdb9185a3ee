import { join } from 'node:path';
import { createNamespace, inNamespace, removeNamespace } from '@cleat/linux/net/namespace';
import { cable, uplink } from './cable.js';
import type { BenchEngine } from './engines.js';

/** The engine's own address on the cable; of a block for benchmarks (RFC 2544). */
const engineAddress = '198.18.0.1';

/** A network namespace that stands for another host, with a cable to that of an engine. */
export class OtherHost {
  /** The beginning of a command that is to run there. */
  readonly entering: readonly string[];
  /** The engine's own address on the cable. */
  readonly engineAddress = engineAddress;
  readonly #engine: BenchEngine;
  readonly #path: string;

  private constructor(engine: BenchEngine, path: string) {
    this.#engine = engine;
    this.#path = path;
    this.entering = ['nsenter', `--net=${path}`];
  }

  static async beside(engine: BenchEngine): Promise<OtherHost> {
    const path = join(engine.directory, 'other-host');
    const session = await createNamespace(path);
    await session.configure([]);
    const ends = [
      { namespace: engine.namespace, address: `${engineAddress}/30` },
      { namespace: path, address: '198.18.0.2/30' },
    ] as const;
    try {
      await cable(...ends);
    } catch (error) {
      removeNamespace(path);
      throw error;
    }
    return new OtherHost(engine, path);
  }

  async end(): Promise<void> {
    await inNamespace(this.#engine.namespace, [`link delete ${uplink}`]);
    removeNamespace(this.#path);
  }
}
