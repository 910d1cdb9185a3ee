import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { processesOf } from '../../../cli/sweep/processes.js';
import { sweep } from '../../../cli/sweep/sweep.js';
import { batteryFlags, startDefaultPlugin } from './batteries.js';
import { busyboxTar } from './busybox.js';
import { removeAll } from './client.js';
import { type CommandResult, type DockerOptions, docker } from './docker.js';
import { checkMissed } from './missed.js';

export interface EngineOptions {
  /** Further flags of cleatd. */
  flags?: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** Its `daemon.json`. */
  config?: object;
  /** The path of its data; default: a directory of its own. Its contents stay. */
  dataRoot?: string;
  /** The command before its own, such as `nsenter`: it must become the engine's process. */
  enter?: readonly string[];
  /** Import `busybox:latest` from the host's static busybox. Default true. */
  busybox?: boolean;
}

export type { CommandResult, DockerOptions } from './docker.js';

/** A real cleatd on roots, bridge and subnet of its own, driven through the real docker CLI. */
export interface Engine extends AsyncDisposable {
  /** Path of its UNIX socket. */
  readonly socket: string;
  readonly directory: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Discovered plugins go here; nothing else looks into it. */
  readonly pluginDirectory: string;
  readonly bridge: string;
  /** `10.N`: the engine's networks are within it, the default bridge in `10.N.0.0/24`. */
  readonly prefix: string;
  readonly pid: number;
  /** Runs `docker ARGS` against it. `input` becomes its stdin. */
  docker(...args: (string | DockerOptions)[]): Promise<CommandResult>;
  /** The same through another address. */
  dockerAt(host: string, ...args: (string | DockerOptions)[]): Promise<CommandResult>;
  /** One request to the API; a buffer as its body is a tar. */
  api(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>;
  /** The engine's log so far. */
  log(): string;
  /** Sends a signal and waits for its end. */
  kill(signal: NodeJS.Signals): Promise<number>;
  /** Starts it again on the same roots (after `kill`); further flags replace the first ones when given. */
  restart(flags?: readonly string[]): Promise<void>;
}

const launcher = fileURLToPath(new URL('../../../bin/cleatd', import.meta.url));
const startTimeoutMs = 180_000;

export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const directory = await mkdtemp(join(tmpdir(), 'cle-'));
  // Users of containers must get through, as below /run.
  chmodSync(directory, 0o711);
  const net = claimSubnet();
  const engine = new RealEngine(directory, net, options);
  try {
    await engine.start();
    if (options.busybox !== false) await engine.importBusybox();
  } catch (error) {
    const log = engine.log().slice(-4000);
    await engine[Symbol.asyncDispose]().catch(() => {}); // The first error is the one to be seen.
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${log}`);
  }
  engines.add(engine);
  return engine;
}

const engines = new Set<RealEngine>();

/** Takes everything but images from the engines of this file, and starts those that were killed. */
export async function clearEngines(): Promise<void> {
  for (const engine of engines) await engine.clear();
}

class RealEngine implements Engine {
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pluginDirectory: string;
  readonly bridge: string;
  readonly prefix: string;
  #child: ChildProcess | undefined;
  #plugin: AsyncDisposable | undefined;
  #flags: readonly string[];

  constructor(
    readonly directory: string,
    readonly net: number,
    readonly options: EngineOptions,
  ) {
    this.socket = join(directory, 'd.sock');
    this.dataRoot = options.dataRoot ?? join(directory, 'data');
    this.execRoot = join(directory, 'run');
    this.pluginDirectory = join(directory, 'plugins');
    this.bridge = `cle${net}`;
    this.prefix = `10.${net}`;
    this.#flags = options.flags ?? [];
    mkdirSync(this.pluginDirectory);
    if (options.config) writeFileSync(join(directory, 'daemon.json'), JSON.stringify(options.config));
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get #ended(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async start(): Promise<void> {
    this.#plugin ??= await startDefaultPlugin(this.pluginDirectory, join(this.directory, 'plugin-data'));
    const log = openSync(join(this.directory, 'log'), 'a');
    const [command = launcher, ...args] = [...(this.options.enter ?? []), launcher];
    const child = spawn(
      command,
      [...args, ...this.#ownFlags(), ...batteryFlags, ...this.#runtimeFlags(), ...this.#flags],
      {
        stdio: ['ignore', log, log],
        env: { ...process.env, ...this.options.env },
      },
    );
    closeSync(log);
    this.#child = child;
    const deadline = Date.now() + startTimeoutMs;
    while (!(await this.#answers())) {
      if (child.exitCode !== null) throw new Error(`cleatd ended with ${child.exitCode} while it started`);
      if (Date.now() > deadline) throw new Error('cleatd does not answer');
      await sleep(30);
    }
  }

  async restart(flags?: readonly string[]): Promise<void> {
    if (flags !== undefined) this.#flags = flags;
    await this.start();
  }

  async clear(): Promise<void> {
    if (this.#ended) await this.restart();
    await removeAll(this);
    const { Volumes } = await this.#listed<{ Volumes: { Name: string }[] }>('/volumes');
    await Promise.all(Volumes.map(({ Name }) => this.api('DELETE', `/volumes/${Name}`)));
    const custom = encodeURIComponent('{"type":["custom"]}');
    const networks = await this.#listed<{ Id: string }[]>(`/networks?filters=${custom}`);
    await Promise.all(networks.map(({ Id }) => this.api('DELETE', `/networks/${Id}`)));
  }

  async #listed<T>(path: string): Promise<T> {
    return JSON.parse((await this.api('GET', path)).body) as T;
  }

  async importBusybox(): Promise<void> {
    const query = `fromSrc=-&repo=busybox&changes=${encodeURIComponent('CMD ["sh"]')}`;
    const { status, body } = await this.api('POST', `/images/create?${query}`, await busyboxTar());
    // An import that fails midway says so in the answer's stream.
    if (status !== 200 || body.includes('"error"')) throw new Error(`importing busybox failed: ${status} ${body}`);
  }

  docker(...args: (string | DockerOptions)[]): Promise<CommandResult> {
    return this.dockerAt(`unix://${this.socket}`, ...args);
  }

  dockerAt(host: string, ...args: (string | DockerOptions)[]): Promise<CommandResult> {
    const result = docker(host, join(this.directory, 'docker'), args);
    // It may fail before the test awaits it, which is soon enough.
    result.catch(() => {});
    return result;
  }

  async api(method: string, path: string, body?: unknown): Promise<Awaited<ReturnType<Engine['api']>>> {
    const bytes = Buffer.isBuffer(body) ? body : body === undefined ? undefined : JSON.stringify(body);
    const type = Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json';
    const headers = bytes === undefined ? {} : { 'content-type': type };
    const sent = request({ socketPath: this.socket, method, path, headers, timeout: 120_000 });
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path} was not answered`)));
    sent.end(bytes);
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
    let answer = '';
    for await (const chunk of response.setEncoding('utf8')) answer += chunk;
    if ((response.statusCode ?? 0) >= 400) checkMissed(`${method} ${path}`, answer);
    return { status: response.statusCode ?? 0, headers: response.headers, body: answer };
  }

  log(): string {
    const path = join(this.directory, 'log');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  async kill(signal: NodeJS.Signals): Promise<number> {
    const child = this.#child;
    if (child === undefined || this.#ended) return child?.exitCode ?? 0;
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    child.kill(signal);
    const [code] = await ended;
    return code ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    engines.delete(this);
    const failures: string[] = [];
    try {
      if (this.#child?.exitCode === null && this.#child.signalCode === null) {
        const forced = setTimeout(() => this.#child?.kill('SIGKILL'), 60_000);
        await this.kill('SIGTERM');
        clearTimeout(forced);
        if (this.#child.signalCode === 'SIGKILL') failures.push('cleatd did not end within 20 s of SIGTERM');
        const stays = this.#flags.some((flag) => flag.startsWith('--live-restore'));
        const left = stays ? [] : processesOf(this).map(({ command }) => command);
        if (left.length > 0) failures.push(`processes outlived the engine: ${left.join('; ')}`);
      }
      failures.push(...(/^.*MaxListenersExceededWarning.*$/m.exec(this.log()) ?? []));
    } finally {
      await this.#plugin?.[Symbol.asyncDispose]();
      failures.push(...(await sweep(this)));
      await rm(this.directory, { recursive: true, force: true });
      releaseSubnet(this.net);
    }
    if (failures.length > 0) throw new Error(`the engine left something behind: ${failures.join('; ')}`);
  }

  #ownFlags(): string[] {
    return [
      `--host=unix://${this.socket}`,
      `--data-root=${this.dataRoot}`,
      `--exec-root=${this.execRoot}`,
      `--pidfile=${join(this.directory, 'pid')}`,
      `--config-file=${this.#configFile()}`,
      `--plugin-dir=${this.pluginDirectory}`,
      `--bridge=${this.bridge}`,
      `--bip=${this.prefix}.0.1/24`,
      `--default-address-pool=base=${this.prefix}.128.0/17,size=24`,
      '--shutdown-timeout=2',
      '--debug',
    ];
  }

  /** The default runtime that this run of the tests is about, unless the test is about runtimes. */
  #runtimeFlags(): string[] {
    const runtime = process.env.CLEAT_E2E_RUNTIME;
    if (!runtime || this.#flags.some((flag) => flag.startsWith('--default-runtime'))) return [];
    return [`--default-runtime=${runtime}`];
  }

  /** The `daemon.json` in the engine's directory, where there is one. */
  #configFile(): string {
    const path = join(this.directory, 'daemon.json');
    return existsSync(path) ? path : '/dev/null';
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.api('GET', '/_ping')).status === 200;
    } catch {
      // Not yet.
      return false;
    }
  }
}

/** Where the search for the next subnet begins: the kernel remembers flows between addresses for a while after an engine's end. */
let nextSubnet = process.pid % 120;

/** 10.N.0.0/16 that neither this host nor another test of this run uses, nor the engine before in this process. */
function claimSubnet(): number {
  const used = Object.values(networkInterfaces()).flatMap(
    (addresses) => addresses?.map(({ address }) => address) ?? [],
  );
  for (let index = 0; index < 120; index++) {
    const net = 100 + (nextSubnet++ % 120);
    if (used.some((address) => address.startsWith(`10.${net}.`))) continue;
    try {
      mkdirSync(claim(net));
      return net;
    } catch {
      // Another test holds it.
    }
  }
  throw new Error(`no subnet is free; ${claim(100)} and its like may be left over from a killed run`);
}

function releaseSubnet(net: number): void {
  rmdirSync(claim(net));
}

const claim = (net: number): string => join(tmpdir(), `cle-net-${net}`);
