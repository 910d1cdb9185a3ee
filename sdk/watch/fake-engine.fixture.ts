import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { stringify } from '@cleat/protocol/json';

type Handler = (query: URLSearchParams, response: ServerResponse) => void;

/** 2025-11-28T12:00:00Z, in nanoseconds: more digits than a double holds. */
export const start = 1_764_331_200_000_000_000n;

/** As much of an engine as a watcher sees, whose events are what a test says. */
export class FakeEngine implements AsyncDisposable {
  readonly #directory = mkdtempSync('/tmp/cleat-fake-engine-');
  readonly #handlers = new Map<string, Handler>();
  /** Requests so far, without version: `/events?since=…`. */
  readonly asked: string[] = [];
  /** Events that it remembers; `forget` takes the oldest away. */
  history: object[] = [];
  /** Open answers of `/events`. */
  readonly streams = new Set<ServerResponse>();
  containers = new Map<string, Record<string, unknown>>();
  /** A request that begins so is never answered. */
  hangs: string | undefined;
  /** As Cleat: events have cursors, of a journal of this name. */
  journal: string | undefined;
  #server = createServer(this.#answer.bind(this));
  #clock = start;

  constructor() {
    this.on('/_ping', (_query, response) => {
      response.setHeader('Date', new Date(Number(start / 1_000_000n)).toUTCString());
      response.end('OK');
    });
    this.on('/events', (query, response) => this.#events(query, response));
    this.on('/containers/json', (query, response) => {
      const { id } = JSON.parse(query.get('filters') ?? '{}') as { id?: string[] };
      const rows = [...this.containers.values()].filter(({ Id }) => id?.includes(String(Id)) ?? true);
      response.end(JSON.stringify(rows));
    });
  }

  get address(): string {
    return `unix://${this.socket}`;
  }

  get socket(): string {
    return join(this.#directory, 'd.sock');
  }

  /** Paths that were asked for, without their queries. */
  get paths(): string[] {
    return this.asked.map((target) => target.replace(/\?.*/, ''));
  }

  on(path: string, handler: Handler): void {
    this.#handlers.set(path, handler);
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.socket, resolve));
    return this;
  }

  /** As `kill -9` does: every connection is gone, and with `forget` all that it remembered. */
  async die({ forget = false } = {}): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    this.streams.clear();
    this.#server = createServer(this.#answer.bind(this));
    if (forget) this.history = [];
  }

  /** Remembers an event and tells it to all listeners. @returns it */
  tell(Action: string, ID: string, more: { Type?: string; at?: bigint; attributes?: object } = {}): object {
    this.#clock += 1_001n;
    const timeNano = more.at ?? this.#clock;
    const event = {
      Type: more.Type ?? 'container',
      Action,
      Actor: { ID, Attributes: more.attributes ?? {} },
      scope: 'local',
      time: Number(timeNano / 1_000_000_000n),
      timeNano,
      ...(this.journal !== undefined && { Cursor: `${this.journal}.${this.#clock}` }),
    };
    this.history.push(event);
    this.say(`${stringify(event)}\n`);
    return event;
  }

  /** Writes to all listeners, be it an event or not. */
  say(text: string): void {
    for (const stream of this.streams) stream.write(text);
  }

  /** A container in a state; without one it is gone. Tells of it, unless `silently`. */
  set(id: string, State: string | undefined, { silently = false } = {}): void {
    const known = this.containers.has(id);
    if (State === undefined) this.containers.delete(id);
    else this.containers.set(id, { Id: id, Names: [`/${id}`], State, Status: State });
    if (!silently) this.tell(State === undefined ? 'destroy' : known ? 'start' : 'create', id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.die();
    rmSync(this.#directory, { recursive: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const target = request.url ?? '';
    this.asked.push(target);
    if (this.hangs !== undefined && target.startsWith(this.hangs)) return;
    const { pathname, searchParams } = new URL(target, 'http://engine');
    const handler = this.#handlers.get(pathname);
    if (handler) {
      handler(searchParams, response);
      return;
    }
    response.writeHead(404, { 'Content-Type': 'application/json' });
    response.end('{"message":"page not found"}');
  }

  #events(query: URLSearchParams, response: ServerResponse): void {
    const cursor = query.get('cursor');
    const place = (this.history as { Cursor?: string }[]).findIndex(({ Cursor }) => Cursor === cursor);
    if (cursor !== null && place < 0) {
      response.writeHead(410, { 'Content-Type': 'application/json' }).end('{"message":"list again"}');
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.flushHeaders();
    const [since, until] = [nanos(query.get('since')), nanos(query.get('until'))];
    for (const event of this.history.slice(cursor === null ? 0 : place + 1) as { timeNano: bigint }[]) {
      if (event.timeNano >= (since ?? 0n) && event.timeNano <= (until ?? event.timeNano)) {
        response.write(`${stringify(event)}\n`);
      }
    }
    if (until !== undefined) {
      response.end();
      return;
    }
    this.streams.add(response);
    response.on('close', () => this.streams.delete(response));
  }
}

function nanos(text: string | null): bigint | undefined {
  const [, seconds, fraction = ''] = /^(\d+)\.(\d{9})$/.exec(text ?? '') ?? [];
  return seconds === undefined ? undefined : BigInt(seconds) * 1_000_000_000n + BigInt(fraction);
}
