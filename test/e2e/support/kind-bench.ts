import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { KindLabel } from '@cleat/protocol/kinds/index';
import { busyboxTar } from './busybox.js';
import { type CommandResult, docker } from './docker.js';
import type { Side } from './drawing.js';
import { type Engine, startEngine } from './engine.js';
import { behaviourOf, type KindBehaviour } from './kind-behaviours.js';
import { RecordingPlugin } from './recording-plugin.js';
import { StockDockerd } from './stock-dockerd.js';

interface Daemon extends AsyncDisposable {
  readonly host: string;
  /** In whose network namespace its containers' interfaces are made. */
  readonly pid: number;
  /** Ends it, and starts it again on the same roots. */
  again(signal: NodeJS.Signals): Promise<void>;
}

/** One engine and one recording plugin: what a page about a kind of plugins is acted on. */
export class KindBench implements AsyncDisposable {
  readonly plugin: RecordingPlugin;
  readonly #scratch: string;
  readonly #behaviour: KindBehaviour;
  #daemon: Daemon | undefined;

  private constructor(scratch: string, kind: KindLabel, name: string) {
    this.#scratch = scratch;
    for (const directory of ['plugins', 'client', 'volumes', 'site']) mkdirSync(join(scratch, directory));
    writeFileSync(join(scratch, 'site/Dockerfile'), 'FROM busybox\nRUN make\n');
    this.#behaviour = behaviourOf(kind, scratch);
    this.plugin = new RecordingPlugin(join(this.#plugins, `${name}.sock`), this.#behaviour.behaviour);
  }

  /**
   * @param name what the plugin is called in its page
   * @param flags of the engine's daemon
   */
  static async start(side: Side, kind: KindLabel, name: string, flags: readonly string[]): Promise<KindBench> {
    const bench = new KindBench(await mkdtemp('/tmp/cleat-kind-'), kind, name);
    try {
      // Some are asked as soon as the engine is there.
      const daemon =
        side === 'Cleat' ? await startCleat(bench.#plugins, flags) : await startDockerd(bench.#plugins, flags);
      bench.#daemon = daemon;
      bench.#behaviour.serves(daemon.pid);
      const { code, stderr } = await docker(daemon.host, bench.#client, [
        'import',
        '-',
        'busybox',
        { input: await busyboxTar() },
      ]);
      if (code !== 0) throw new Error(stderr);
      bench.plugin.taken();
      return bench;
    } catch (error) {
      await bench[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** In a version of the API that both engines speak, beside the directory `site`, which can be built. */
  docker(...args: string[]): Promise<CommandResult> {
    return docker(this.#daemon?.host ?? '', this.#client, [
      ...args,
      { cwd: this.#scratch, env: { DOCKER_API_VERSION: '1.41', DOCKER_BUILDKIT: '0' } },
    ]);
  }

  /** Makes the event of a drawing's line `* …` happen. @throws Error for an event that it cannot make */
  async happen(event: string): Promise<void> {
    const breaking = /^the next (\S+) breaks off$/.exec(event)?.[1];
    if (breaking !== undefined) return void this.plugin.breaking.add(breaking);
    switch (event) {
      case 'the engine is killed, and starts again':
        return await this.#daemon?.again('SIGKILL');
      case 'the engine stops, and starts again':
        return await this.#daemon?.again('SIGTERM');
      case 'the plugin goes away':
        return await this.plugin.stop();
      case 'the plugin is back':
        return this.plugin.start();
      case 'the plugin goes away, and is back':
        await this.plugin.stop();
        return this.plugin.start();
      default:
        throw new Error(`nobody knows how to make this happen: ${event}`);
    }
  }

  /** Takes away what commands have left, and what was said meanwhile. */
  async clear(): Promise<void> {
    this.plugin.answers.clear();
    for (const [list, remove] of [
      [
        ['ps', '-aq'],
        ['rm', '-fv'],
      ],
      [
        ['volume', 'ls', '-q'],
        ['volume', 'rm', '-f'],
      ],
      [
        ['network', 'ls', '-q', '--filter=type=custom'],
        ['network', 'rm'],
      ],
    ] as const) {
      const found = (await this.docker(...list)).stdout.split('\n').filter(Boolean);
      // Without an ID, the client prints its usage.
      if (found.length > 0) await this.docker(...remove, ...found);
    }
    this.plugin.taken();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#daemon !== undefined) await this.clear();
    } finally {
      await this.#daemon?.[Symbol.asyncDispose]();
      await this.plugin[Symbol.asyncDispose]();
      await this.#behaviour[Symbol.asyncDispose]();
      rmSync(this.#scratch, { recursive: true, force: true });
    }
  }

  get #plugins(): string {
    return join(this.#scratch, 'plugins');
  }

  get #client(): string {
    return join(this.#scratch, 'client');
  }
}

async function startCleat(plugins: string, flags: readonly string[]): Promise<Daemon> {
  const engine: Engine = await startEngine({
    flags: ['--live-restore', `--plugin-dir=${plugins}`, ...flags],
    busybox: false,
  });
  return {
    host: `unix://${engine.socket}`,
    // Its containers' interfaces are made on the host.
    pid: process.pid,
    async again(signal) {
      await engine.kill(signal);
      await engine.restart();
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

async function startDockerd(plugins: string, flags: readonly string[]): Promise<Daemon> {
  return await StockDockerd.start(['--live-restore', ...flags], plugins);
}
