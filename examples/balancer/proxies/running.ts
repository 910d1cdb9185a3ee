import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/sdk';
import type { Wish } from '../labels/wish.js';
import type { Model } from '../model/model.js';
import { complaintOf, Program } from './program.js';
import type { Balancer, Dialect, Rendered, Statistics } from './proxy.js';

/** How often a program that has died is started again. */
const watchMs = 250;

export interface RunningSettings {
  readonly dialect: Dialect;
  readonly directory: string;
  /** How long the program may take to end. */
  readonly endMs: number;
  readonly log: Logger;
  /** How long a configuration may take to come into service; default 5,000. */
  readonly serviceMs?: number;
}

/** nginx or HAProxy as a process, with its configuration in a file, and the one before beside it. */
export class RunningProxy implements Balancer {
  readonly #settings: RunningSettings;
  readonly #program: Program;
  #serving: string | undefined;
  #watch: NodeJS.Timeout | undefined;
  #busy: Promise<unknown> = Promise.resolve();
  #isBusy = false;

  private constructor(settings: RunningSettings) {
    this.#settings = settings;
    this.#program = new Program(join(settings.directory, 'program.json'));
  }

  /** A program that an earlier balancer left running is taken over as it is. */
  static async open(settings: RunningSettings): Promise<RunningProxy> {
    const proxy = new RunningProxy(settings);
    if (proxy.#program.isRunning) {
      proxy.#serving = await settings.dialect.current();
      settings.log.info(`${settings.dialect.name} was running, and goes on`);
    }
    proxy.#watch = setInterval(() => void proxy.#revive(), watchMs);
    return proxy;
  }

  get name(): Dialect['name'] {
    return this.#settings.dialect.name;
  }

  get isRunning(): boolean {
    return this.#program.isRunning;
  }

  get serving(): string | undefined {
    return this.#serving;
  }

  refusal(wish: Wish): string | undefined {
    return this.#settings.dialect.refusal(wish);
  }

  render(model: Model): Rendered {
    return this.#settings.dialect.render(model);
  }

  async validate(rendered: Rendered): Promise<string | undefined> {
    const draft = this.#path('draft');
    this.#write(draft, rendered);
    return await complaintOf(this.#settings.dialect.check(draft));
  }

  async reload(rendered: Rendered): Promise<void> {
    await this.#alone(async () => {
      const { dialect } = this.#settings;
      const file = this.#path('current');
      const former = this.#path('former');
      if (exists(file)) renameSync(file, former);
      this.#write(file, rendered);
      try {
        await this.#serve(rendered.tag);
        this.#serving = rendered.tag;
        this.#clean(rendered);
        this.#program.endOldest();
      } catch (error) {
        await this.#restore().catch((again: unknown) => this.#lost(again));
        throw unavailable(`${dialect.name} did not take a configuration that it had found good: ${messageOf(error)}`, {
          cause: error,
        });
      }
    });
  }

  async drain(ids: readonly string[]): Promise<void> {
    if (this.isRunning) await this.#settings.dialect.drain(ids);
  }

  async statistics(): Promise<Statistics> {
    return await this.#settings.dialect.statistics();
  }

  leave(): void {
    clearInterval(this.#watch);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.leave();
    const { dialect, endMs } = this.#settings;
    await this.#alone(() => this.#program.end(dialect.stopSignal, endMs));
  }

  /** Serves the configuration before again. */
  async #restore(): Promise<void> {
    const tag = this.#serving;
    if (tag === undefined) return;
    renameSync(this.#path('former'), this.#path('current'));
    const { dialect } = this.#settings;
    if (dialect.reload.by === 'successor') this.#program.stay();
    if ((await dialect.current()) !== tag) await this.#serve(tag);
  }

  /** Starts the program or tells it to read its file again, until it says that it serves this configuration. */
  async #serve(tag: string): Promise<void> {
    const { dialect } = this.#settings;
    const { pid } = this.#program;
    const file = this.#path('current');
    if (pid === undefined) {
      await this.#program.endOrphans();
      // A killed program left them, and nginx takes none that is there.
      for (const name of dialect.sockets) rmSync(join(this.#settings.directory, name), { force: true });
      await this.#program.start(dialect.command(file));
      return await this.#comes(tag);
    }
    const before = this.#serving;
    if (before !== undefined) await dialect.beforeReload(before);
    try {
      if (dialect.reload.by === 'signal') this.#program.signal(dialect.reload.signal);
      else await this.#program.start(dialect.reload.command(file, pid));
      await this.#comes(tag);
    } finally {
      if (before !== undefined) dialect.afterReload(before);
    }
  }

  async #comes(tag: string): Promise<void> {
    const { dialect, serviceMs = 5_000 } = this.#settings;
    const late = Date.now() + serviceMs;
    for (;;) {
      if ((await dialect.current()) === tag) return;
      if (!this.#program.isRunning) throw unavailable('it ended');
      if (Date.now() > late) throw unavailable(`it did not serve it within ${serviceMs} ms`);
      await sleep(5);
    }
  }

  async #revive(): Promise<void> {
    const tag = this.#serving;
    if (tag === undefined || this.#isBusy || this.#program.isRunning) return;
    this.#settings.log.error(`${this.name} has ended, and is started again`);
    await this.#alone(() => this.#serve(tag)).catch((error: unknown) => this.#lost(error));
  }

  #lost(error: unknown): void {
    this.#settings.log.error(`${this.name} does not serve`, { error: messageOf(error) });
  }

  /** One thing at a time is done to the program. */
  async #alone(work: () => Promise<void>): Promise<void> {
    const turn = this.#busy.then(async () => {
      this.#isBusy = true;
      try {
        await work();
      } finally {
        this.#isBusy = false;
      }
    });
    this.#busy = turn.catch(() => {}); // Told to who asked for it.
    await turn;
  }

  #path(which: 'draft' | 'current' | 'former'): string {
    return join(this.#settings.directory, `${which}.conf`);
  }

  #write(path: string, { text, files }: Rendered): void {
    for (const [name, content] of Object.entries(files)) replace(join(this.#settings.directory, name), content);
    replace(path, text);
  }

  /** Removes files that neither this configuration nor the one before names, or a file that one of them names. */
  #clean({ text, files }: Rendered): void {
    const { directory } = this.#settings;
    const read = (name: string) => (exists(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : '');
    const direct = `${text}${read('former.conf')}${Object.keys(files).join()}`;
    const lists = readdirSync(directory).filter((name) => name.endsWith('.list') && direct.includes(name));
    const all = `${direct}${lists.map(read).join('')}`;
    for (const name of readdirSync(directory)) {
      const isOurs = /^(certificate|certificates)-/.test(name);
      if (isOurs && !all.includes(name)) rmSync(join(directory, name), { force: true });
    }
  }
}

/** The directory of a balancer. */
export function makeDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o711 });
}

function replace(path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;
