import { mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { unmountAll } from '@cleat/linux/mount/mount';
import { busyboxTar } from './busybox.js';
import { clientOf } from './client.js';
import type { CommandResult } from './docker.js';
import { checkout } from './documents.js';
import { type Engine, startEngine } from './engine.js';
import { ExampleProgram } from './example-program.js';
import { StockDockerd, shareMounts, stockDockerdInstalled } from './stock-dockerd.js';

/** One of two engines that are told the same story. */
export interface Side {
  readonly name: 'Cleat' | 'a stock dockerd';
  /** The command before a command that is to run where this engine's containers are connected to. */
  readonly enter: readonly string[];
  docker(...args: string[]): Promise<CommandResult>;
  /** Must succeed; gives its trimmed output. */
  ok(...args: string[]): Promise<string>;
  /** Must fail; gives what it said. */
  refused(...args: string[]): Promise<string>;
}

/**
 * Cleat and, where it is installed, a stock dockerd, both with the image `busybox`; and the examples that serve them.
 * Its disposal removes everything that the test left.
 *
 *     await using both = await BothEngines.start();
 *     const { driver } = await both.startExample('no-remove', (own) => ['--root', join(own, 'data')]);
 *     for (const { ok } of both.sides) await ok('volume', 'create', '-d', driver, 'data');
 */
export class BothEngines implements AsyncDisposable {
  /** The test's own; what is mounted below it is unmounted at the end. */
  readonly directory: string;
  readonly sides: readonly Side[];
  readonly cleat: Engine;
  readonly #stock: StockDockerd | undefined;
  readonly #plugins: ExampleProgram[] = [];

  private constructor(directory: string, cleat: Engine, stock: StockDockerd | undefined) {
    this.directory = directory;
    this.cleat = cleat;
    this.#stock = stock;
    const side = (name: Side['name'], enter: readonly string[], docker: Side['docker']): Side => ({
      name,
      enter,
      docker,
      ...clientOf(() => ({ docker })),
    });
    this.sides = [side('Cleat', [], (...args) => cleat.docker(...args))];
    if (stock === undefined) return;
    const enter = ['nsenter', `--net=/proc/${stock.pid}/ns/net`];
    const docker: Side['docker'] = (...args) => cleat.dockerAt(stock.host, ...args);
    this.sides = [...this.sides, side('a stock dockerd', enter, docker)];
  }

  static async start(): Promise<BothEngines> {
    const cleat = await startEngine();
    const directory = await mkdtemp('/tmp/cleat-both-');
    let both = new BothEngines(directory, cleat, undefined);
    try {
      if (!stockDockerdInstalled) return both;
      shareMounts(directory);
      const stock = await StockDockerd.start();
      both = new BothEngines(directory, cleat, stock);
      const { code, stderr } = await cleat.dockerAt(stock.host, 'import', '-', 'busybox', {
        input: await busyboxTar(),
      });
      if (code !== 0) throw new Error(`importing busybox failed: ${stderr}`);
      return both;
    } catch (error) {
      await both[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts `examples/NAME` as {@link startPlugin} does. */
  async startExample(name: string, args: (own: string) => string[], side?: Side): Promise<ExampleProgram> {
    return await this.startPlugin(join(checkout, 'examples', name, 'dist/main.js'), args, side);
  }

  /**
   * Starts a plugin under a name that nothing else on this host has. Both engines find it where each looks.
   * @param args of its command line besides the socket, given a directory of its own
   * @param side it runs where this one's containers are connected to
   */
  async startPlugin(main: string, args: (own: string) => string[], side?: Side): Promise<ExampleProgram> {
    const own = await mkdtemp(join(this.directory, 'plugin-'));
    const driver = `${basename(this.directory)}-${basename(own)}`;
    const directory = this.#stock?.plugins ?? this.cleat.pluginDirectory;
    const command = [...(side?.enter ?? []), process.execPath];
    const plugin = new ExampleProgram({ main, driver, directory, own, command, args: args(own) });
    this.#plugins.push(plugin);
    await plugin.start();
    if (this.#stock !== undefined) await plugin.tell(this.cleat.pluginDirectory);
    return plugin;
  }

  /** Engines first: what they still hold, they give back. */
  async [Symbol.asyncDispose](): Promise<void> {
    const steps = [
      () => this.#stock?.[Symbol.asyncDispose](),
      () => this.cleat[Symbol.asyncDispose](),
      ...this.#plugins.map((plugin) => () => plugin[Symbol.asyncDispose]()),
      () => unmountAll(this.directory),
      () => rm(this.directory, { recursive: true, force: true }),
    ];
    const failures: unknown[] = [];
    for (const step of steps)
      await Promise.resolve()
        .then(step)
        .catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, 'the engines left something behind');
  }
}
