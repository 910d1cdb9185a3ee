import type { FileSystemEntry, TreeSource } from '@cleat/engine/build/sync/service';
import { packet, packetType } from '@cleat/protocol/buildkit/session';
import { deadlineExceeded, invalidParameter } from '@cleat/protocol/errors';
import type { Stream } from '@cleat/protocol/grpc/client';
import type { MessageOf } from '@cleat/protocol/grpc/message';
import { setTimeout } from '@cleat/protocol/guard';
import type { Session } from './sessions.js';

type Packet = MessageOf<typeof packet>;

const method = '/moby.filesync.v1.FileSync/DiffCopy';

/** How long a client may send or take nothing: a helper process waits for it, and there are few. */
const patienceMs = 60_000;

export interface TreeRequest {
  /** `context`, `dockerfile`, or another directory that the client offers. */
  readonly name: string;
  /** Patterns as of a `.dockerignore`. */
  readonly exclude?: readonly string[];
  /** Only these, and what they link to. */
  readonly follow?: readonly string[];
}

/**
 * A directory of the client, by fsutil's protocol (tonistiigi/fsutil `receive.go`): it tells of everything that is there,
 * in order; we ask for the contents that we lack, by number; in the end we say so, and it says so, too.
 */
export class ClientTree implements TreeSource {
  readonly #stream: Stream<Packet, Packet> & { fail(error: Error): void };
  readonly #packets: AsyncIterator<Packet>;
  /** Told of the contents that come. */
  onBytes: (length: number) => Promise<void> | void = () => {};

  constructor(session: Session, request: TreeRequest, signal: AbortSignal) {
    if (!session.supports(method)) throw invalidParameter('no local sources enabled: the client offers no directory');
    this.#stream = session.client.stream(method, [packet, packet], {
      signal,
      headers: {
        ...header('dir-name', [request.name]),
        ...header('exclude-patterns', request.exclude ?? []),
        ...header('followpaths', request.follow ?? []),
      },
    });
    this.#packets = this.#stream.messages[Symbol.asyncIterator]();
  }

  async *entries(): AsyncGenerator<FileSystemEntry> {
    for (;;) {
      const { type, stat } = await this.#next();
      if (type !== packetType.stat) throw invalidParameter('the client sent contents before it had told of all files');
      if (!stat) return;
      yield { ...emptyEntry, ...stat };
    }
  }

  async request(numbers: readonly number[]): Promise<void> {
    await this.#inTime(this.#stream.send(...numbers.map((ID) => ({ type: packetType.request, ID }))));
  }

  async nextContent(): Promise<{ number: number; data: Uint8Array }> {
    const { type, ID, data } = await this.#next();
    if (type !== packetType.data) throw invalidParameter('the client sent something else than contents');
    await this.onBytes(data.length);
    return { number: ID, data };
  }

  async finish(): Promise<void> {
    await this.#inTime(this.#finish());
  }

  async #finish(): Promise<void> {
    await this.#stream.send({ type: packetType.finish });
    this.#stream.end();
    // The sender ends after it was told, with a packet of its own.
    for (let next = await this.#packets.next(); !next.done; next = await this.#packets.next());
  }

  cancel(): void {
    this.#stream.cancel();
  }

  /** Ends the call where the client is what `work` waits for in vain. */
  async #inTime<T>(work: Promise<T>): Promise<T> {
    const late = (): void => this.#stream.fail(deadlineExceeded('the client stopped sending its files'));
    const timer = setTimeout(late, patienceMs);
    return await work.finally(() => clearTimeout(timer));
  }

  async #next(): Promise<Packet> {
    const next = await this.#inTime(this.#packets.next());
    if (next.done) throw invalidParameter('the client ended before it had sent its files');
    if (next.value.type === packetType.error) {
      throw invalidParameter(`error from sender: ${Buffer.from(next.value.data).toString('utf8')}`);
    }
    return next.value;
  }
}

const emptyEntry: FileSystemEntry = {
  path: '',
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  modTime: 0n,
  linkname: '',
  xattrs: new Map(),
};

/** Metadata as BuildKit encodes it: what is not ASCII goes percent-encoded, with a mark beside it. */
export function header(name: string, values: readonly string[]): Record<string, string[]> {
  if (values.length === 0) return {};
  if (values.every((value) => /^[\x20-\x7e]*$/.test(value))) return { [name]: [...values] };
  // As Go's url.QueryEscape.
  const encoded = values.map((value) =>
    encodeURIComponent(value)
      .replace(/[!'()*]/g, hex)
      .replace(/%20/g, '+'),
  );
  return { [name]: encoded, [`${name}-encoded`]: ['1'] };
}

const hex = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
