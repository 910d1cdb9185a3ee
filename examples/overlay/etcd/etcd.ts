import { Gateway, Refusal, type Tls } from './gateway.js';

/** A key with its value. Whatever counts for etcd (revisions, leases) is more than a number of JavaScript holds: text. */
export interface Entry {
  key: string;
  value: string;
  /** By which etcd knows the change that it is of. */
  revision: string;
}

/** A condition of a commit: how a key must be. */
export type Guard = { key: string } & ({ absent: true } | { value: string } | { revision: string });

/** A change that a commit makes to a key. With a lease, the key ends when the lease does. */
export type Change = { put: string; value: string; lease?: string } | { remove: string } | { removeBelow: string };

/** A key that has a value now, or none. */
export interface News {
  key: string;
  value: string | undefined;
}

/** The lease is gone: its time ran out, or etcd was made anew. */
export class LeaseGone extends Error {}

/** Changes so old are forgotten: the watcher lists again. */
export class Compacted extends Error {}

/** gRPC's code of `etcdserver: requested lease not found`. */
const notFoundCode = 5;

const encoded = (text: string): string => Buffer.from(text).toString('base64');
const decoded = (text = ''): string => Buffer.from(text, 'base64').toString();

/** All keys with a prefix: up to its last byte, one more. Ours are ASCII. */
function rangeOf(prefix: string): { key: string; range_end: string } {
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  end.writeUInt8(end.readUInt8(last) + 1, last);
  return { key: encoded(prefix), range_end: end.toString('base64') };
}

interface Pair {
  key?: string;
  value?: string;
  mod_revision?: string;
}
interface RangeAnswer {
  header?: { revision?: string };
  kvs?: Pair[];
}
interface CommitAnswer {
  succeeded?: boolean;
  header?: { revision?: string };
  responses?: { response_range?: RangeAnswer }[];
}
interface LeaseAnswer {
  ID?: string;
  TTL?: string;
}
interface WatchAnswer {
  compact_revision?: string;
  canceled?: boolean;
  cancel_reason?: string;
  events?: { type?: string; kv?: Pair }[];
}

const entryOf = ({ key, value, mod_revision: revision = '0' }: Pair): Entry => ({
  key: decoded(key),
  value: decoded(value),
  revision,
});

/**
 * The few calls of etcd that are needed here (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway). All of them throw
 * Unavailable when no member with a majority behind it answers.
 */
export class Etcd {
  readonly #gateway: Gateway;

  constructor(members: readonly string[], tls: Tls = {}, deadlineMs = 2_000) {
    this.#gateway = new Gateway(members, tls, deadlineMs);
  }

  /** Entries below each prefix, all of one moment, and the revision of that moment. */
  async list(...prefixes: readonly string[]): Promise<{ revision: string; entries: Entry[] }> {
    const success = prefixes.map((prefix) => ({ request_range: rangeOf(prefix) }));
    const answer = (await this.#gateway.post('/v3/kv/txn', { success })) as CommitAnswer;
    const pairs = (answer.responses ?? []).flatMap(({ response_range: range }) => range?.kvs ?? []);
    return { revision: answer.header?.revision ?? '0', entries: pairs.map(entryOf) };
  }

  async get(key: string): Promise<Entry | undefined> {
    const { kvs = [] } = (await this.#gateway.post('/v3/kv/range', { key: encoded(key) })) as RangeAnswer;
    const [pair] = kvs;
    return pair && entryOf(pair);
  }

  /**
   * Does all of the changes if all of the guards hold, or else nothing. One whose answer got lost may have been done.
   * @returns whether it did
   * @throws LeaseGone
   */
  async commit(guards: readonly Guard[], changes: readonly Change[]): Promise<boolean> {
    const compare = guards.map((guard) => {
      const common = { key: encoded(guard.key), result: 'EQUAL' };
      if ('value' in guard) return { ...common, target: 'VALUE', value: encoded(guard.value) };
      return { ...common, target: 'MOD', mod_revision: 'revision' in guard ? guard.revision : '0' };
    });
    const success = changes.map((change) => {
      if ('remove' in change) return { request_delete_range: { key: encoded(change.remove) } };
      if ('removeBelow' in change) return { request_delete_range: rangeOf(change.removeBelow) };
      return { request_put: { key: encoded(change.put), value: encoded(change.value), lease: change.lease ?? '0' } };
    });
    const answer = (await orLeaseGone(this.#gateway.post('/v3/kv/txn', { compare, success }))) as CommitAnswer;
    return answer.succeeded ?? false;
  }

  /** @returns the lease's ID */
  async grant(seconds: number): Promise<string> {
    const { ID = '' } = (await this.#gateway.post('/v3/lease/grant', { TTL: String(seconds) })) as LeaseAnswer;
    return ID;
  }

  /** Starts its time again. @throws LeaseGone */
  async keepAlive(lease: string): Promise<void> {
    const answer = (await orLeaseGone(this.#gateway.post('/v3/lease/keepalive', { ID: lease }))) as LeaseAnswer;
    if (!(Number(answer.TTL) > 0)) throw new LeaseGone(`lease ${lease} is gone`);
  }

  /** Ends a lease, and what is attached to it. */
  async revoke(lease: string): Promise<void> {
    await orLeaseGone(this.#gateway.post('/v3/lease/revoke', { ID: lease }));
  }

  /**
   * Tells each change below a prefix since the given revision, in order, until the signal aborts or it throws.
   * @throws Compacted when that was too long ago
   */
  async *watch(prefix: string, since: string, signal: AbortSignal): AsyncGenerator<News[]> {
    const start = String(BigInt(since) + 1n);
    const create = { ...rangeOf(prefix), start_revision: start };
    for await (const line of this.#gateway.stream('/v3/watch', { create_request: create }, signal)) {
      const { events = [], canceled, compact_revision: compacted, cancel_reason: reason } = line as WatchAnswer;
      if (compacted) throw new Compacted(`etcd has forgotten what was before ${compacted}`);
      if (canceled) throw new Error(`etcd ended the watch: ${reason}`);
      yield events.map(({ type, kv = {} }) => {
        const { key, value } = entryOf(kv);
        return { key, value: type === 'DELETE' ? undefined : value };
      });
    }
    throw new Error('etcd ended the watch');
  }

  close(): void {
    this.#gateway.close();
  }
}

async function orLeaseGone(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refusal && error.code === notFoundCode) throw new LeaseGone(error.message);
    throw error;
  }
}
