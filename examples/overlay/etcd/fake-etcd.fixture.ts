import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions as SecureServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

interface Stored {
  value: string;
  revision: number;
  lease: string;
}
interface Watcher {
  answer: ServerResponse;
  from: string;
  to: string;
}
interface Compare {
  key: string;
  target: string;
  value?: string;
  mod_revision?: string;
}
interface Operation {
  request_range?: { key: string; range_end?: string };
  request_put?: { key: string; value: string; lease?: string };
  request_delete_range?: { key: string; range_end?: string };
}

const text = (encoded = ''): string => Buffer.from(encoded, 'base64').toString();
const encoded = (plain: string): string => Buffer.from(plain).toString('base64');

/** The part of etcd's JSON gateway that the overlay uses, in memory. Leases end when a test says so. */
export class FakeEtcd implements AsyncDisposable {
  readonly #server: Server;
  readonly #values = new Map<string, Stored>();
  readonly #leases = new Set<string>();
  readonly #watchers = new Set<Watcher>();
  /** For watches that begin in the past. */
  #history: { revision: number; key: string; event: object }[] = [];
  #revision = 1;
  #compacted = 0;
  #lastLease = 0;
  /** While true, nothing is answered. */
  isSilent = false;
  /** While true, it hangs up. */
  isAway = false;
  /** The answer to everything, as of a member that cannot decide. */
  refusal: { error: string; code: number } | undefined;
  /** Called before each commit: somebody else may be quicker. */
  beforeCommit: () => void = () => {};

  readonly #scheme: string;

  private constructor(tls: SecureServerOptions | undefined) {
    const serve = (request: IncomingMessage, answer: ServerResponse) => void this.#serve(request, answer);
    this.#server = tls ? createSecureServer(tls, serve) : createServer(serve);
    this.#scheme = tls ? 'https' : 'http';
  }

  /** @param tls it speaks TLS, in that way */
  static async start(tls?: SecureServerOptions): Promise<FakeEtcd> {
    const fake = new FakeEtcd(tls);
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get keys(): string[] {
    return [...this.#values.keys()].sort();
  }

  get leases(): string[] {
    return [...this.#leases];
  }

  get(key: string): string | undefined {
    return this.#values.get(key)?.value;
  }

  put(key: string, value: string, lease = '0'): void {
    this.#values.set(key, { value, revision: ++this.#revision, lease });
    this.#tell(key, { kv: { key: encoded(key), value: encoded(value) } });
  }

  remove(key: string): void {
    if (!this.#values.delete(key)) return;
    this.#revision++;
    this.#tell(key, { type: 'DELETE', kv: { key: encoded(key) } });
  }

  /** The lease's time ran out. */
  expire(lease: string): void {
    this.#leases.delete(lease);
    for (const [key, stored] of this.#values) if (stored.lease === lease) this.remove(key);
  }

  /** Ends all watches, and forgets what was before. */
  compact(): void {
    this.#compacted = this.#revision + 1;
    this.#history = [];
    for (const { answer } of this.#watchers) answer.end();
    this.#watchers.clear();
  }

  #tell(key: string, event: object): void {
    this.#history.push({ revision: this.#revision, key, event });
    for (const watcher of this.#watchers) tell(watcher, key, event);
  }

  async #serve(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += String(part);
    if (this.isSilent) return;
    if (this.isAway) return void request.socket.destroy();
    const message: unknown = JSON.parse(body);
    const path = request.url ?? '';
    if (path === '/v3/watch') return this.#watch(message as { create_request: WatchRequest }, answer);
    const calls: Record<string, () => object> = {
      '/v3/kv/range': () => this.#range(message as { key: string; range_end?: string }),
      '/v3/kv/txn': () => this.#commit(message as { compare?: Compare[]; success: Operation[] }),
      '/v3/lease/grant': () => this.#grant(message as { TTL: string }),
      '/v3/lease/keepalive': () => {
        const { ID } = message as { ID: string };
        return { result: { ID, ...(this.#leases.has(ID) ? { TTL: '5' } : {}) } };
      },
      '/v3/lease/revoke': () => {
        this.expire((message as { ID: string }).ID);
        return {};
      },
    };
    const result = this.refusal ?? calls[path]?.() ?? { error: 'Not Found', code: 5 };
    answer.statusCode = 'error' in result ? 500 : 200;
    answer.end(JSON.stringify(result));
  }

  #range({ key, range_end: end }: { key: string; range_end?: string }): object {
    const from = text(key);
    const isMeant = (one: string) => (end === undefined ? one === from : one >= from && one < text(end));
    const kvs = [...this.#values].flatMap(([one, { value, revision }]) =>
      isMeant(one) ? [{ key: encoded(one), value: encoded(value), mod_revision: String(revision) }] : [],
    );
    return { header: { revision: String(this.#revision) }, kvs };
  }

  #commit({ compare = [], success }: { compare?: Compare[]; success: Operation[] }): object {
    if (compare.length > 0) this.beforeCommit();
    const puts = success.flatMap(({ request_put: put }) => (put ? [put] : []));
    const isGone = (lease = '0') => lease !== '0' && !this.#leases.has(lease);
    if (puts.some(({ lease }) => isGone(lease))) return { error: 'etcdserver: requested lease not found', code: 5 };
    const holds = ({ key, target, value, mod_revision: revision }: Compare) => {
      const stored = this.#values.get(text(key));
      return target === 'VALUE' ? stored?.value === text(value) : String(stored?.revision ?? 0) === revision;
    };
    const header = () => ({ revision: String(this.#revision) });
    if (!compare.every(holds)) return { header: header() };
    const responses = success.map((operation) => this.#operate(operation));
    return { header: header(), succeeded: true, responses };
  }

  #operate({ request_range: range, request_put: put, request_delete_range: removal }: Operation): object {
    if (range) return { response_range: this.#range(range) };
    if (put) this.put(text(put.key), text(put.value), put.lease);
    const from = text(removal?.key);
    const isMeant = (one: string) => (removal?.range_end ? one >= from && one < text(removal.range_end) : one === from);
    if (removal) for (const key of this.keys.filter(isMeant)) this.remove(key);
    return {};
  }

  #grant(_: { TTL: string }): object {
    const ID = String(++this.#lastLease);
    this.#leases.add(ID);
    return { ID, TTL: '5' };
  }

  #watch({ create_request: create }: { create_request: WatchRequest }, answer: ServerResponse): void {
    answer.writeHead(200).flushHeaders();
    const line = (result: object) => answer.write(`${JSON.stringify({ result })}\n`);
    if (Number(create.start_revision) < this.#compacted) {
      line({ compact_revision: String(this.#compacted), canceled: true });
      answer.end();
      return;
    }
    line({ created: true });
    const watcher = { answer, from: text(create.key), to: text(create.range_end) };
    this.#watchers.add(watcher);
    for (const { revision, key, event } of this.#history) {
      if (revision >= Number(create.start_revision)) tell(watcher, key, event);
    }
    answer.on('close', () => this.#watchers.delete(watcher));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function tell({ answer, from, to }: Watcher, key: string, event: object): void {
  if (key >= from && key < to) answer.write(`${JSON.stringify({ result: { events: [event] } })}\n`);
}

interface WatchRequest {
  key: string;
  range_end: string;
  start_revision: string;
}
