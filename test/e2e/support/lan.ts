import { run } from '@cleat/linux/process/run';
import { Program } from './program.js';

let lans = 0;

/** A network outside: a cable's end on this host (`parent`), and the other one in a namespace, with a router's addresses. */
export class Lan implements AsyncDisposable {
  /** The link on this host. */
  readonly parent = `lan${process.pid % 100_000}${String.fromCharCode(97 + (lans++ % 26))}`;
  /** Without the last number, for example `10.77.200`. */
  readonly prefix: string;
  readonly subnet: string;
  readonly router: string;
  /** A block of fd00::/8, with the same numbers. */
  readonly subnet6: string;
  readonly router6: string;
  readonly #holder = new Program('unshare', ['--net', 'sh', '-c', 'ip link set lo up; echo here; exec sleep infinity']);

  private constructor(prefix: string) {
    this.prefix = prefix;
    this.subnet = `${prefix}.0/24`;
    this.router = `${prefix}.1`;
    const six = `fd00:${prefix.replaceAll('.', ':')}:`;
    this.subnet6 = `${six}:/64`;
    this.router6 = `${six}:1`;
  }

  /** @param prefix of its addresses: they must be nobody else's on this host */
  static async start(prefix: string): Promise<Lan> {
    const lan = new Lan(prefix);
    try {
      await lan.#ready();
      await lan.plug();
    } catch (error) {
      await lan[Symbol.asyncDispose]();
      throw error;
    }
    return lan;
  }

  async #ready(): Promise<void> {
    for (let attempt = 0; !this.#holder.said.includes('here'); attempt++) {
      if (attempt > 200 || this.#holder.ended) throw new Error(`no namespace: ${this.#holder.said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The cable, after a start and after {@link unplug}. */
  async plug(): Promise<void> {
    const { parent } = this;
    await done('ip', 'link', 'add', parent, 'type', 'veth', 'peer', 'name', 'lan0', 'netns', `${this.#holder.pid}`);
    await done('ip', 'link', 'set', 'dev', parent, 'addrgenmode', 'none', 'up');
    await this.run('ip', 'link', 'set', 'dev', 'lan0', 'up');
    await this.run('ip', 'address', 'add', `${this.router}/24`, 'dev', 'lan0');
    await this.run('ip', 'address', 'add', `${this.router6}/64`, 'dev', 'lan0', 'nodad');
  }

  /** Removes the cable, and with it all links on its end. */
  async unplug(): Promise<void> {
    await run('ip', ['link', 'delete', this.parent]);
  }

  /** Runs a command on the other side. @returns what it printed */
  run(command: string, ...args: string[]): Promise<string> {
    return done('nsenter', ...this.#enter, command, ...args);
  }

  /** A program on the other side, which is to be disposed of. */
  program(command: string, ...args: string[]): Program {
    return new Program('nsenter', [...this.#enter, command, ...args]);
  }

  get #enter(): string[] {
    return [`--net=/proc/${this.#holder.pid}/ns/net`];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unplug();
    await this.#holder.end('SIGKILL');
  }
}

async function done(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}
