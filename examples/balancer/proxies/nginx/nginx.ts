import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { invalidParameter, unavailable } from '@cleat/protocol/errors';
import type { Wish } from '../../labels/wish.js';
import type { Model } from '../../model/model.js';
import type { Dialect, DialectSettings, Rendered, Statistics } from '../proxy.js';
import { renderNginx, spreads } from './render.js';

export interface NginxSettings extends DialectSettings {
  readonly workers: number;
  /** Debian's package libnginx-mod-stream has it. */
  readonly streamModule?: string;
}

/**
 * How long before a reload clients are told, with each answer, that their connection ends. At the reload nginx closes
 * the connections that wait for a request, and would lose one that is on its way. Nobody is told whose answer takes
 * longer; it is as long as an attempt to connect to a container that has gone.
 */
const closingMs = 200;

/** nginx. It is reloaded for each change, and workers of the configuration before finish what they began. */
export class Nginx implements Dialect {
  readonly name = 'nginx';
  readonly sockets = ['status.sock', 'tls.sock', 'passed.sock'];
  readonly reload = { by: 'signal', signal: 'SIGHUP' } as const;
  readonly stopSignal = 'SIGQUIT';
  readonly #settings: NginxSettings;

  /** @throws InvalidParameter for a directory into which workers cannot look */
  constructor(settings: NginxSettings) {
    this.#settings = settings;
    const { listening, places } = settings;
    if (listening.user !== undefined) checkPassable(places.directory, listening.user);
  }

  refusal({ spread, tls }: Wish): string | undefined {
    if (tls.mode === 'passed' && !existsSync(this.#streamModule)) {
      return 'nginx passes no TLS through without its stream module: apt-get install libnginx-mod-stream';
    }
    if (spread.options.includes('prefer-last-server')) return 'nginx has no backend_option prefer-last-server';
    if (spreads[spread.algorithm] === undefined) return `nginx has no balance_algorithm ${spread.algorithm}`;
    return undefined;
  }

  render(model: Model): Rendered {
    const { listening, workers, places } = this.#settings;
    const streamModule = this.#streamModule;
    const openFiles = Math.min(mostOpenFiles(), 4 * listening.maxConnections);
    return renderNginx(model, listening, { directory: places.directory, workers, streamModule, openFiles });
  }

  check(file: string): string[] {
    return [...this.command(file), '-t', '-q'];
  }

  command(file: string): string[] {
    // Its own log file would be opened before it has read where to write.
    return [this.#settings.program ?? '/usr/sbin/nginx', '-e', 'stderr', '-c', file];
  }

  /** For a moment workers of both configurations answer; then one that is to end has it in its title. */
  async current(): Promise<string | undefined> {
    const tag = await this.#ask('/tag').catch(() => undefined); // Nobody answers.
    return this.#workersThatStay() > this.#settings.workers ? undefined : tag;
  }

  async beforeReload(tag: string): Promise<void> {
    writeFileSync(this.#closing(tag), '');
    await sleep(closingMs);
  }

  /** The same configuration may be served again. */
  afterReload(tag: string): void {
    rmSync(this.#closing(tag), { force: true });
  }

  /** A reload follows at once, and does it. */
  async drain(): Promise<void> {}

  async statistics(): Promise<Statistics> {
    const text = await this.#ask('/statistics');
    const [, connections] = /Active connections: (\d+)/.exec(text) ?? [];
    const [, requests] = /^ \d+ \d+ (\d+)/m.exec(text) ?? [];
    // Ours, for this answer.
    return { requests: Number(requests ?? 0), connections: Math.max(0, Number(connections ?? 0) - 1) };
  }

  #workersThatStay(): number {
    try {
      const master = readFileSync(join(this.#settings.places.directory, 'nginx.pid'), 'utf8').trim();
      const children = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').split(' ').filter(Boolean);
      return children.filter((pid) => !readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('shutting down')).length;
    } catch {
      // One of them ended meanwhile: it is asked again.
      return Number.POSITIVE_INFINITY;
    }
  }

  #closing(tag: string): string {
    return join(this.#settings.places.directory, `closing-${tag}`);
  }

  get #streamModule(): string {
    return this.#settings.streamModule ?? '/usr/lib/nginx/modules/ngx_stream_module.so';
  }

  async #ask(path: string): Promise<string> {
    const socketPath = join(this.#settings.places.directory, 'status.sock');
    return await new Promise((resolve, reject) => {
      const fail = (cause: Error) => reject(unavailable(`nginx does not answer: ${cause.message}`, { cause }));
      const signal = AbortSignal.timeout(2_000);
      get({ socketPath, path, agent: false, signal, headers: { host: 'nginx' } }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', fail);
        response.on('end', () => resolve(text));
      }).on('error', fail);
    });
  }
}

/** Workers look there for the file that tells of a reload. */
function checkPassable(directory: string, user: string): void {
  for (let path = directory; path !== '/'; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) !== 0) continue;
    throw invalidParameter(
      `nginx's workers are ${user} and cannot pass through ${path}: chmod o+x, or another --directory`,
    );
  }
}

/** The hard limit of this process, which nginx has from it. */
function mostOpenFiles(): number {
  const [, limit] = /^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return Number(limit ?? 1_024);
}
