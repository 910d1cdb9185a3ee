import { connect, Socket } from 'node:net';
import { connectInside } from '@cleat/linux/net/dial-inside';
import { setTimeout } from '@cleat/protocol/guard';
import { type AnswerCache, cacheKey } from './cache.js';
import { Channel } from './channel.js';
import type { FairShare } from './fair-share.js';
import { answersTo, code, type Query, responseCode, type Transport } from './message.js';

/** How long one server may take before the next one is asked. */
const patienceMs = 2_500;
/** As many as a C library asks. */
const maxServers = 3;
/** Sockets to one of the host's servers, which all containers share. */
const width = 4;

/** A name server to ask further. */
export interface Upstream {
  readonly address: string;
  /** File of the network namespace that it is asked from; empty: the host's. */
  readonly from: string;
}

/** Asks other name servers for containers: a bounded number of questions at a time, by few sockets. */
export class Forwarder {
  readonly #share: FairShare;
  readonly #cache: AnswerCache;
  readonly #port: number;
  /** By namespace, then by server and number. */
  readonly #channels = new Map<string, Map<string, Channel>>();
  #turn = 0;
  #closed = false;

  /** @param share of questions that are on their way, by container */
  constructor(share: FairShare, cache: AnswerCache, port = 53) {
    this.#share = share;
    this.#cache = cache;
    this.#port = port;
  }

  /**
   * The answer that is known already, or asks one server after the other.
   * @param owner the container for which it is asked
   * @returns undefined when none has an answer, or the container has too many questions open
   */
  async ask(
    owner: string,
    query: Query,
    servers: readonly Upstream[],
    transport: Transport,
  ): Promise<Buffer | undefined> {
    const asked = servers.slice(0, maxServers);
    const key = sharedKey(query, asked);
    const known = key && this.#cache.get(key, query);
    if (known) return known;
    const unwanted = new AbortController();
    const release = this.#share.take(owner, () => unwanted.abort());
    if (!release) return undefined;
    try {
      for (const server of asked) {
        if (unwanted.signal.aborted || this.#closed) return undefined;
        const answer = await this.#askOne(query, server, transport, unwanted.signal).catch(() => {
          // The next one may know; if none does, the client learns it by SERVFAIL, as from any resolver.
          return undefined;
        });
        if (!answer || [code.serverFailure, code.refused].some((bad) => bad === responseCode(answer))) continue;
        if (key) this.#cache.put(key, answer);
        return answer;
      }
      return undefined;
    } finally {
      release();
    }
  }

  async #askOne(query: Query, server: Upstream, transport: Transport, unwanted: AbortSignal): Promise<Buffer> {
    const stop = new AbortController();
    const end = () => stop.abort();
    const timer = setTimeout(end, patienceMs);
    unwanted.addEventListener('abort', end, { once: true });
    try {
      if (transport === 'stream') return await askStream(query, server, this.#port, stop.signal);
      return await this.#channelTo(server).ask(query, stop.signal);
    } finally {
      clearTimeout(timer);
      unwanted.removeEventListener('abort', end);
    }
  }

  #channelTo({ address, from }: Upstream): Channel {
    const channels = this.#channels.get(from) ?? new Map<string, Channel>();
    this.#channels.set(from, channels);
    const key = from ? address : `${address} ${this.#turn++ % width}`;
    const known = channels.get(key);
    if (known) return known;
    const channel: Channel = new Channel(from, address, this.#port, () => {
      if (channels.get(key) === channel) channels.delete(key);
    });
    channels.set(key, channel);
    return channel;
  }

  /** Nobody asks from that namespace now; its sockets would keep it. */
  leave(from: string): void {
    for (const channel of this.#channels.get(from)?.values() ?? []) channel.close();
    this.#channels.delete(from);
  }

  close(): void {
    this.#closed = true;
    for (const from of [...this.#channels.keys()]) this.leave(from);
  }
}

/** Containers share an answer only if they ask the same servers from the same place. */
function sharedKey(query: Query, servers: readonly Upstream[]): string | undefined {
  const key = cacheKey(query);
  return key && `${servers.map(({ address, from }) => `${address}@${from}`).join(' ')}\0${key}`;
}

/** A connection for one question. */
function askStream(query: Query, { address, from }: Upstream, port: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = from ? new Socket({ fd: connectInside(from, address, port) }) : connect(port, address);
    let received: Buffer = Buffer.alloc(0);
    const end = (settle: () => void) => {
      signal.removeEventListener('abort', abort);
      settle();
      socket.destroy();
    };
    const abort = () => end(() => reject(new Error('no answer')));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('close', () => end(() => reject(new Error(`name server ${address} hung up`))));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const length = received.readUInt16BE(0);
      if (length > 0 && received.length < 2 + length) return;
      const answer = received.subarray(2, 2 + length);
      const isOurs = answer.length >= 12 && answer.readUInt16BE(0) === query.message.readUInt16BE(0);
      if (isOurs && answersTo(answer, query)) end(() => resolve(answer));
      else end(() => reject(new Error(`name server ${address} answered something else`)));
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.message.length);
    socket.write(Buffer.concat([length, query.message]));
  });
}
