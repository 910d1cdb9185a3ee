import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchEngine } from './engines.js';

/** `cleat proxy` in front of an engine that takes part itself: all that it has is that engine's. */
export class Proxied extends BenchEngine {
  readonly #upstream: BenchEngine;

  constructor(name: string, base: string, upstream: BenchEngine) {
    super(name, base);
    this.#upstream = upstream;
  }

  protected command(): string[] {
    return [
      fileURLToPath(new URL('../../bin/cleat', import.meta.url)),
      'proxy',
      `--upstream=unix://${this.#upstream.socket}`,
      `--host=unix://${this.socket}`,
      `--data-root=${join(this.directory, 'data')}`,
      `--exec-root=${this.execRoot}`,
      `--pidfile=${join(this.directory, 'pid')}`,
      `--config-file=${this.config}`,
      `--plugin-dir=${join(this.directory, 'plugins')}`,
    ];
  }

  protected async clean(): Promise<string[]> {
    return [];
  }
}
