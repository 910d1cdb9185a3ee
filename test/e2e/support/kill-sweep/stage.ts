import type { Engine } from '../engine.js';
import type { ScriptedNetworkPlugin } from '../scripted-network.js';
import type { ScriptedVolumePlugin } from '../scripted-volume.js';
import { type Answer, ask } from './asking.js';

/** The things that operations work with: an engine, a registry, two plugins, an image of many files. */
export interface Stage {
  readonly engine: Engine;
  /** In a registry, of many files in two layers; it is not on the engine between rounds. */
  readonly remote: string;
  /** An archive of `docker save` of the image `loaded:1`, and a tree to import. */
  readonly archive: Buffer;
  readonly tree: Buffer;
  /** A file that is in each of those images, and its content. */
  readonly witness: { readonly path: string; readonly content: string };
  readonly volumes: ScriptedVolumePlugin;
  readonly networks: ScriptedNetworkPlugin;
  /** The name of each plugin's driver. */
  readonly drivers: { readonly volume: string; readonly network: string };
}

/** One operation's place on the stage: names of its own. */
export class Corner {
  constructor(
    readonly stage: Stage,
    readonly name: string,
  ) {}

  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    return ask(this.stage.engine.socket, method, path, body);
  }

  /** Sends a request that must succeed. @returns its answer */
  async must(method: string, path: string, body?: unknown): Promise<string> {
    const { status, text } = await this.ask(method, path, body);
    if (status === 0 || status >= 400) throw new Error(`${this.name}: ${method} ${path}: ${status} ${text}`);
    return text;
  }

  async read<T>(path: string): Promise<T> {
    return JSON.parse(await this.must('GET', path)) as T;
  }

  async exists(path: string): Promise<boolean> {
    const { status, text } = await this.ask('GET', path);
    if (status !== 200 && status !== 404) throw new Error(`${this.name}: GET ${path}: ${status} ${text}`);
    return status === 200;
  }

  /** A container that is there, and runs unless told otherwise. */
  async container(options: { run?: boolean; host?: object; cmd?: readonly string[] } = {}): Promise<void> {
    await this.must('POST', `/containers/create?name=${this.name}`, this.#body(options));
    if (options.run !== false) await this.must('POST', `/containers/${this.name}/start`);
  }

  create(options: { host?: object } = {}): Promise<Answer> {
    return this.ask('POST', `/containers/create?name=${this.name}`, this.#body(options));
  }

  #body({ host, cmd = ['sleep', '1000'] }: { host?: object; cmd?: readonly string[] }): object {
    return { Image: 'busybox', Cmd: cmd, StopSignal: 'KILL', HostConfig: { NetworkMode: 'none', ...host } };
  }

  state(): Promise<{ Name: string; State: { Status: string }; HostConfig: { Memory: number } }> {
    return this.read(`/containers/${this.name}/json`);
  }

  /** Runs a command in a container. @returns what it prints */
  async exec(container: string, ...cmd: string[]): Promise<string> {
    const created = await this.must('POST', `/containers/${container}/exec`, { AttachStdout: true, Cmd: cmd });
    const { Id } = JSON.parse(created) as { Id: string };
    return (await this.must('POST', `/exec/${Id}/start`, {})).slice(8).trim();
  }
}

/** An operation of a client, and what must hold afterwards, with the engine killed on the way. */
export interface Operation {
  readonly name: string;
  /** It is about everything that there is, so nothing else goes on beside it. */
  readonly alone?: true;
  /** Before; nobody is killed here. */
  prepare?(corner: Corner): Promise<unknown>;
  act(corner: Corner): Promise<Answer>;
  /** After the next start: @throws what is not so. `done`: it was answered with success. */
  holds(corner: Corner, done: boolean): Promise<void>;
}
