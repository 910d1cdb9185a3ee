import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { join } from 'node:path';
import { checkout } from './documents.js';
import type { Engine } from './engine.js';
import { freePort } from './ports.js';
import { Program } from './program.js';

const main = join(checkout, 'examples/balancer/dist/main.js');
const programs = { nginx: '/usr/sbin/nginx', haproxy: '/usr/sbin/haproxy' } as const;
export type Kind = keyof typeof programs;

/** Those that are installed here. */
export const balancerKinds = (Object.keys(programs) as Kind[]).filter((kind) => existsSync(programs[kind]));

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Asked {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** `examples/balancer` with one of both programs, as people run it. */
export class RunningBalancer implements AsyncDisposable {
  readonly kind: Kind;
  readonly port: number;
  readonly tlsPort: number;
  readonly directory: string;
  /** Where engines find it, by its kind as its name. */
  readonly socket: string;
  readonly #args: readonly string[];
  #program: Program;

  private constructor(
    kind: Kind,
    directory: string,
    [port, tlsPort]: readonly [number, number],
    socket: string,
    args: readonly string[],
  ) {
    this.kind = kind;
    this.directory = directory;
    this.port = port;
    this.tlsPort = tlsPort;
    this.#args = args;
    this.socket = socket;
    this.#program = this.#begin();
  }

  /** @param certificates a directory of PEM files */
  static async start(kind: Kind, engine: Engine, base: string, certificates: string): Promise<RunningBalancer> {
    const socket = join(engine.pluginDirectory, `${kind}.sock`);
    const directory = join(base, kind);
    await mkdir(directory);
    // Workers must get through.
    for (const path of [base, directory]) await chmod(path, 0o711);
    const ports = [await freePort(), await freePort()] as const;
    const args = [
      ...['--balancer', kind, '--engine', `unix://${engine.socket}`, '--directory', join(directory, 'run')],
      ...['--socket', socket, '--address', '127.0.0.1', '--drain-timeout', '3000'],
      ...['--port', String(ports[0]), '--tls-port', String(ports[1]), '--certificates', certificates],
    ];
    return new RunningBalancer(kind, directory, ports, socket, args);
  }

  get said(): string {
    return this.#program.said;
  }

  /** A request over plain HTTP. */
  async ask(host: string, path = '/', { headers, ...asked }: Asked = {}): Promise<Answer> {
    const sent = request({ port: this.port, path, agent: false, ...asked, headers: { host, ...headers } });
    return await answerOf(sent, asked.body);
  }

  /** Over TLS; any certificate will do, whose name is told. */
  async askTls(host: string, path = '/'): Promise<Answer & { readonly name: string }> {
    const where = { port: this.tlsPort, path, agent: false, rejectUnauthorized: false, servername: host } as const;
    const sent = secureRequest({ ...where, headers: { host } });
    let name = '';
    sent.once('socket', (socket) => {
      socket.once('secureConnect', () => {
        name =
          'getPeerCertificate' in socket
            ? String((socket as import('node:tls').TLSSocket).getPeerCertificate().subject?.CN)
            : '';
      });
    });
    return { ...(await answerOf(sent)), name };
  }

  /** One of its own pages. */
  async page(path: string): Promise<Answer> {
    return await answerOf(request({ socketPath: this.socket, path, agent: false }));
  }

  async figure(name: string): Promise<number> {
    return Number(new RegExp(`^${name} (.*)$`, 'm').exec((await this.page('/metrics')).body)?.[1]);
  }

  /** The process of nginx or HAProxy that serves now. */
  get proxyPid(): number {
    const file = join(this.directory, 'run/program.json');
    return Number(/"current":\{"pid":(\d+)/.exec(execFileSync('cat', [file]).toString())?.[1]);
  }

  /** The balancer's own process, without the proxy. */
  async kill(): Promise<void> {
    await this.#program.end('SIGKILL');
  }

  again(): void {
    this.#program = this.#begin();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#program.ended) this.again();
    await this.#program[Symbol.asyncDispose]();
  }

  #begin(): Program {
    return new Program(process.execPath, [main, ...this.#args]);
  }
}

function answerOf(sent: ReturnType<typeof request>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    sent.setTimeout(60_000, () => sent.destroy(new Error('no answer')));
    sent.on('error', reject).on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    });
    sent.end(body);
  });
}
