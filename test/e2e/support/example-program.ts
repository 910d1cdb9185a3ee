import { rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Program } from './program.js';

interface ExampleSettings {
  /** The program that serves it. */
  main: string;
  /** As users say it in `--driver`. */
  driver: string;
  /** Where its socket lies. */
  directory: string;
  /** Where what it keeps is to be. */
  own: string;
  /** The command that runs its `main.js`. */
  command: readonly string[];
  args: readonly string[];
}

/** A plugin as people run it, by `node …/main.js`, which may be killed and started again. */
export class ExampleProgram implements AsyncDisposable {
  readonly driver: string;
  readonly #settings: ExampleSettings;
  readonly #socket: string;
  #program: Program | undefined;

  constructor(settings: ExampleSettings) {
    this.driver = settings.driver;
    this.#settings = settings;
    this.#socket = join(settings.directory, `${settings.driver}.sock`);
  }

  get own(): string {
    return this.#settings.own;
  }

  /** Its output since its last start. */
  get said(): string {
    return this.#program?.said ?? '';
  }

  async start(): Promise<void> {
    const { main, command, args } = this.#settings;
    const [program = '', ...before] = command;
    const started = new Program(program, [...before, main, '--socket', this.#socket, ...args]);
    this.#program = started;
    await started.made(this.#socket);
  }

  async kill(): Promise<void> {
    await this.#program?.end('SIGKILL');
  }

  /** For an engine that looks elsewhere. */
  async tell(directory: string): Promise<void> {
    await writeFile(join(directory, `${this.driver}.spec`), `unix://${this.#socket}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
    await rm(this.#socket, { force: true });
  }
}

/** Whether somebody listens on a UNIX socket. */
export async function isListening(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}
