import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sweep } from '../../../cli/sweep/sweep.js';
import { checkout } from './documents.js';
import type { Engine } from './engine.js';
import { Program } from './program.js';

/** Flags that the engine must have of its own; each is added to a command line that does not choose it. */
function ownFlags(directory: string, { prefix, pluginDirectory, bridge }: Engine): [names: string[], value: string][] {
  return [
    [['-H', '--host'], `unix://${directory}/d.sock`],
    [['--data-root'], `${directory}/data`],
    [['--exec-root'], `${directory}/run`],
    [['-p', '--pidfile'], `${directory}/pid`],
    [['--config-file'], '/dev/null'],
    [['--plugin-dir'], pluginDirectory],
    [['-b', '--bridge'], `${bridge}d`],
    [['--bip'], `${prefix}.1.1/24`],
    [['--default-address-pool'], `base=${prefix}.64.0/18,size=24`],
    [['--shutdown-timeout'], '2'],
  ];
}

/**
 * A cleatd that a document's command line starts, beside `neighbour`, whose plugins it sees and in whose addresses it
 * has networks that the neighbour does not use: one at a time.
 */
export class ShownDaemon implements AsyncDisposable {
  readonly #program: Program;

  private constructor(
    readonly directory: string,
    readonly flags: readonly string[],
  ) {
    this.#program = new Program(join(checkout, 'bin/cleatd'), flags);
  }

  /**
   * @param command `./bin/cleatd FLAG VALUE …`; `/run/` and `/var/lib/` in it become directories of the test's own
   * @throws Error with its log when it does not listen
   */
  static async start(command: string, neighbour: Engine): Promise<ShownDaemon> {
    const directory = await mkdtemp(join(neighbour.directory, 'shown-'));
    const [program = '', ...shown] = command
      .replaceAll('/var/lib/', `${directory}/lib-`)
      .replaceAll(/(?<=[ /])\/run\//g, `${directory}/run-`)
      .split(/\s+/);
    if (!/^(\.\/bin\/)?cleatd$/.test(program)) throw new Error(`not a daemon: ${command}`);
    const flags = [...shown];
    for (const [names, value] of ownFlags(directory, neighbour)) {
      const chosen = shown.some((word) => names.some((name) => word === name || word.startsWith(`${name}=`)));
      if (!chosen) flags.push(names.at(-1) ?? '', value);
    }
    const daemon = new ShownDaemon(directory, flags);
    try {
      for (let attempt = 0; !daemon.#program.said.includes('API listens on'); attempt++) {
        if (attempt === 300 || daemon.#program.ended) throw new Error(`${command}: ${daemon.#program.said}`);
        await sleep(50);
      }
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
    return daemon;
  }

  /** Its address, as DOCKER_HOST. */
  get host(): string {
    return this.#flag('-H') ?? this.#flag('--host') ?? '';
  }

  #flag(name: string): string | undefined {
    const at = this.flags.indexOf(name);
    return at < 0 ? undefined : this.flags[at + 1];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    const roots = { dataRoot: this.#flag('--data-root') ?? '', execRoot: this.#flag('--exec-root') ?? '' };
    const failures = await sweep(roots);
    await rm(this.directory, { recursive: true, force: true });
    if (failures.length > 0) throw new Error(`the engine left something behind: ${failures.join('; ')}`);
  }
}
