import { connect } from 'node:net';
import { join } from 'node:path';
import { unavailable } from '@cleat/protocol/errors';
import type { Model } from '../../model/model.js';
import type { Dialect, DialectSettings, Rendered, Statistics } from '../proxy.js';
import { renderHaproxy, serverName } from './render.js';

/** Answers of HAProxy's runtime interface are a line per server and more. */
const longestAnswer = 64 * 1024 * 1024;

/**
 * HAProxy. At a reload another process takes the listening sockets of the one that runs, which finishes what it began. A container that goes is taken out of service before, through the runtime interface.
 */
export class Haproxy implements Dialect {
  readonly name = 'haproxy';
  readonly sockets = ['haproxy.sock', 'tls.sock'];
  readonly reload = {
    by: 'successor' as const,
    // Not a master with workers: it would signal those that are leaving once more, which ends them at once.
    command: (file: string, pid: number) => [...this.command(file), '-x', this.#socket, '-sf', String(pid)],
  };
  readonly stopSignal = 'SIGUSR1';
  readonly #settings: DialectSettings;

  constructor(settings: DialectSettings) {
    this.#settings = settings;
  }

  refusal(): undefined {
    return undefined;
  }

  render(model: Model): Rendered {
    return renderHaproxy(model, this.#settings.listening, this.#settings.places.directory);
  }

  check(file: string): string[] {
    return [this.#program, '-c', '-f', file];
  }

  command(file: string): string[] {
    return [this.#program, '-db', '-q', '-f', file];
  }

  async current(): Promise<string | undefined> {
    const text = await this.#ask('show info').catch(() => ''); // Nobody answers.
    return /^Description: (\w+)$/im.exec(text)?.[1];
  }

  async beforeReload(): Promise<void> {}

  afterReload(): void {}

  async drain(ids: readonly string[]): Promise<void> {
    const names = new Set(ids.map(serverName));
    const servers = (await this.#table()).filter((row) => names.has(row.svname ?? ''));
    for (const { pxname, svname } of servers) await this.#ask(`set server ${pxname}/${svname} state drain`);
  }

  async statistics(): Promise<Statistics> {
    const frontends = (await this.#table()).filter((row) => row.svname === 'FRONTEND');
    const sum = (column: string) => frontends.reduce((total, row) => total + Number(row[column] ?? 0), 0);
    return { requests: sum('req_tot'), connections: sum('scur') };
  }

  get #socket(): string {
    return join(this.#settings.places.directory, 'haproxy.sock');
  }

  get #program(): string {
    return this.#settings.program ?? '/usr/sbin/haproxy';
  }

  /** Its statistics, a row per frontend, backend and server. */
  async #table(): Promise<Record<string, string>[]> {
    const [head = '', ...lines] = (await this.#ask('show stat')).split('\n');
    const columns = head.replace(/^# /, '').split(',');
    return lines
      .filter((line) => line.includes(','))
      .map((line) => {
        const values = line.split(',');
        return Object.fromEntries(columns.map((column, at) => [column, values[at] ?? '']));
      });
  }

  async #ask(command: string): Promise<string> {
    return await new Promise((resolve, reject) => {
      const fail = (cause: Error) => reject(unavailable(`HAProxy does not answer: ${cause.message}`, { cause }));
      const socket = connect(this.#socket);
      socket.setTimeout(2_000, () => socket.destroy(new Error('it takes too long')));
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.length > longestAnswer) socket.destroy(new Error('its answer has no end'));
      });
      socket.on('error', fail);
      socket.on('end', () => resolve(text));
      socket.write(`${command}\n`);
    });
  }
}
