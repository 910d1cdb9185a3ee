import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { processesOf } from '../../cli/sweep/processes.js';
import type { EngineRoots } from '../../cli/sweep/roots.js';
import { ask } from './client.js';
import type { Problem } from './plugin/account.js';
import type { Misbehaviour } from './plugin/misbehaviour.js';
import type { Kind, Suffering } from './schedule.js';

/** The account that a plugin of ours gives of itself. */
export interface Statement {
  readonly open: readonly string[];
  readonly problems: readonly Problem[];
}

/** An extension that things happen to. */
export interface Victim {
  readonly kind: Kind;
  /** The driver's name, as users and errors say it. */
  readonly name: string;
  suffer(what: Suffering): Promise<void>;
  /** Ends all its faults; resolves when it serves again, as far as we can see that. */
  relieve(): Promise<void>;
  /** Closes keys of its account. */
  forget(keys: readonly string[]): Promise<void>;
  /** Only of a plugin that keeps an account. */
  statement(): Promise<Statement | undefined>;
}

const main = fileURLToPath(new URL('plugin/dist/main.js', import.meta.url));

/** A plugin on a socket: test/chaos/plugin. */
export class ScriptedPlugin implements Victim, AsyncDisposable {
  readonly name: string;
  readonly directory: string;
  readonly #socket: string;
  readonly #option: string;
  #child: ChildProcess | undefined;
  #stopped = false;

  private constructor(
    readonly kind: Kind,
    root: string,
    option: string,
  ) {
    this.name = `chaos-${kind}`;
    this.directory = join(root, this.name);
    this.#socket = join(root, `${this.name}.sock`);
    this.#option = option;
  }

  /** @param option see the kind in test/chaos/plugin */
  static async start(kind: Kind, root: string, option = ''): Promise<ScriptedPlugin> {
    const plugin = new ScriptedPlugin(kind, root, option);
    await plugin.#start();
    return plugin;
  }

  async suffer(what: Suffering): Promise<void> {
    if (what.type === 'kill') await this.#kill();
    else if (what.type === 'stop') {
      this.#stopped = true;
      this.#child?.kill('SIGSTOP');
    } else await this.#behave([what]);
  }

  async relieve(): Promise<void> {
    if (this.#stopped) this.#child?.kill('SIGCONT');
    this.#stopped = false;
    if (this.#child?.exitCode !== null || this.#child.signalCode !== null) await this.#start();
    await this.#behave([]);
  }

  async forget(keys: readonly string[]): Promise<void> {
    await this.#command('PUT', '/forgotten', keys);
  }

  async statement(): Promise<Statement> {
    return await this.#command('GET', '/account');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kill();
  }

  async #behave(misbehaviours: readonly Misbehaviour[]): Promise<void> {
    await this.#command('PUT', '/misbehaviour', misbehaviours);
  }

  /** A command that was not obeyed is an error: the schedule would play without its fault. */
  async #command(method: string, path: string, body?: unknown): Promise<Statement> {
    const { status, text } = await ask(join(this.directory, 'control'), method, path, { body });
    if (status !== 200) throw new Error(`${this.name}: ${method} ${path}: ${status} ${text}`);
    return JSON.parse(text) as Statement;
  }

  async #start(): Promise<void> {
    const words = ['--kind', this.kind, '--socket', this.#socket, '--directory', this.directory];
    const said = openSync(`${this.directory}.said`, 'a');
    this.#child = spawn(process.execPath, [main, ...words, '--option', this.#option], {
      stdio: ['ignore', said, said],
    });
    for (let attempt = 0; !(await listens(this.#socket)); attempt++) {
      if (attempt === 2400 || this.#child.exitCode !== null) {
        throw new Error(`${this.name} does not serve: ${readFileSync(`${this.directory}.said`, 'utf8')}`);
      }
      await sleep(25);
    }
  }

  async #kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

/** A battery that the engine runs as a process of its own. It cannot misbehave on command, only die and hang. */
export class Battery implements Victim {
  #stopped: number | undefined;

  /** @param entry in the manifest */
  constructor(
    readonly kind: Kind,
    readonly name: string,
    readonly entry: string,
    readonly roots: EngineRoots,
  ) {}

  async suffer(what: Suffering): Promise<void> {
    // Nobody, if it has just been killed: then it suffers already.
    const found = processesOf(this.roots).find(({ command }) => command.includes(`/${this.entry}.sock`));
    if (!found) return;
    if (what.type === 'stop') this.#stopped = found.pid;
    signal(found.pid, what.type === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  }

  async relieve(): Promise<void> {
    if (this.#stopped !== undefined) signal(this.#stopped, 'SIGCONT');
    this.#stopped = undefined;
  }

  async forget(): Promise<void> {}

  async statement(): Promise<undefined> {}
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // ESRCH: the engine has stopped or replaced it meanwhile.
  }
}

async function listens(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    // Not yet.
    return false;
  } finally {
    socket.destroy();
  }
}
