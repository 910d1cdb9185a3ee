import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createNamespace, inNamespace, type NamespaceSession, removeNamespace } from '@cleat/linux/net/namespace';
import { run } from '@cleat/linux/process/run';
import { clientOf } from './client.js';
import { checkout } from './documents.js';
import { type Engine, startEngine } from './engine.js';
import { ExampleProgram } from './example-program.js';
import { Program } from './program.js';

/** Network namespaces that stand for hosts, on one switch. Nothing else on this machine sees or reaches them. */
export class Hosts implements AsyncDisposable {
  readonly #directory: string;
  readonly #switch: string;
  readonly #prefix: string;
  readonly #hosts: Host[] = [];
  readonly #programs: AsyncDisposable[] = [];

  /** @param prefix the first three numbers of their addresses; the switch itself has `.254` */
  private constructor(directory: string, prefix: string) {
    this.#directory = directory;
    this.#switch = join(directory, 'switch');
    this.#prefix = prefix;
  }

  static async start(prefix = '192.168.77'): Promise<Hosts> {
    const hosts = new Hosts(await mkdtemp('/tmp/cleat-hosts-'), prefix);
    const session = await createNamespace(hosts.#switch);
    await session.configure([
      'link add name switch type bridge',
      `address add ${prefix}.254/24 dev switch`,
      'link set dev switch up',
    ]);
    return hosts;
  }

  get directory(): string {
    return this.#directory;
  }

  /** The address of the switch's own namespace, in which {@link serve} runs programs. */
  get address(): string {
    return `${this.#prefix}.254`;
  }

  /** Runs a program beside the switch: what hosts share. */
  serve(command: string, args: readonly string[]): Program {
    const program = new Program('nsenter', [`--net=${this.#switch}`, command, ...args]);
    this.#programs.push(program);
    return program;
  }

  /** A host with an engine of its own. */
  async add(name: string): Promise<Host> {
    const path = join(this.#directory, name);
    const address = `${this.#prefix}.${this.#hosts.length + 1}`;
    const host = new Host({ name, path, address, switch: this.#switch });
    this.#hosts.push(host);
    await host.connect(await createNamespace(path));
    await host.boot();
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    const attempt = (work: () => PromiseLike<void> | void) =>
      Promise.resolve()
        .then(work)
        .catch((error: unknown) => failures.push(error));
    await Promise.all(this.#hosts.map((host) => attempt(() => host[Symbol.asyncDispose]())));
    for (const program of this.#programs.reverse()) await attempt(() => program[Symbol.asyncDispose]());
    await attempt(() => removeNamespace(this.#switch));
    await attempt(() => rm(this.#directory, { recursive: true, force: true }));
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
  }
}

interface HostSettings {
  name: string;
  /** Where its namespace is. */
  path: string;
  address: string;
  /** Where the switch's is. */
  switch: string;
}

/** A network namespace with an engine in it. */
export class Host implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly ok: ReturnType<typeof clientOf>['ok'];
  readonly refused: ReturnType<typeof clientOf>['refused'];
  readonly #settings: HostSettings;
  readonly #plugins: ExampleProgram[] = [];
  #engine: Engine | undefined;

  constructor(settings: HostSettings) {
    this.#settings = settings;
    this.name = settings.name;
    this.address = settings.address;
    const { ok, refused } = clientOf(() => this.engine);
    this.ok = ok;
    this.refused = refused;
  }

  get engine(): Engine {
    if (!this.#engine) throw new Error(`host ${this.name} has no engine yet`);
    return this.#engine;
  }

  /** The command before a command that is to run on this host. */
  get enter(): readonly string[] {
    return ['nsenter', `--net=${this.#settings.path}`];
  }

  get #port(): string {
    return `to-${this.name}`;
  }

  async connect(session: NamespaceSession): Promise<void> {
    await inNamespace(this.#settings.switch, [
      `link add name ${this.#port} type veth peer name uplink netns ${session.pid}`,
      `link set dev ${this.#port} master switch up`,
    ]);
    await session.configure([`address add ${this.address}/24 dev uplink`, 'link set dev uplink up']);
  }

  async boot(): Promise<void> {
    this.#engine = await startEngine({ enter: this.enter });
  }

  /** Takes its cable out, or puts it in again. */
  async plug(connected: boolean): Promise<void> {
    await inNamespace(this.#settings.switch, [`link set dev ${this.#port} ${connected ? 'up' : 'down'}`]);
  }

  /** Starts `examples/NAME` on it. */
  async startExample(example: string, args: readonly string[]): Promise<ExampleProgram> {
    const plugin = new ExampleProgram({
      main: join(checkout, 'examples', example, 'dist/main.js'),
      driver: example,
      directory: this.engine.pluginDirectory,
      own: this.engine.directory,
      command: [...this.enter, process.execPath],
      args,
    });
    this.#plugins.push(plugin);
    await plugin.start();
    return plugin;
  }

  /** Runs a command on it. @returns its output; empty where it fails */
  async run(command: string, ...args: string[]): Promise<string> {
    const [nsenter = '', ...into] = this.enter;
    const { code, stdout } = await run(nsenter, [...into, command, ...args]);
    return code === 0 ? stdout : '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#engine?.[Symbol.asyncDispose]();
    } finally {
      for (const plugin of this.#plugins) await plugin[Symbol.asyncDispose]();
      endProcessesIn(this.#settings.path);
      removeNamespace(this.#settings.path);
    }
  }
}

/** A tunnel's program, for example, outlives the plugin that started it, and would keep the namespace. */
function endProcessesIn(namespace: string): void {
  const { ino } = statSync(namespace);
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    try {
      if (statSync(`/proc/${name}/ns/net`).ino === ino) process.kill(Number(name), 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
  }
}
