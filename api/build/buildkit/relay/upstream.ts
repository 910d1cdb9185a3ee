import { connect } from 'node:net';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { GrpcClient } from '@cleat/protocol/grpc/client';
import { owned } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';

/** How long a BuildKit may take to answer its connection, and later a ping. */
const defaultPatienceMs = 10_000;
const pingEveryMs = 30_000;

/** A connection to a BuildKit, made for its first call, and made again when it was lost. */
export class Upstream {
  readonly #path: string;
  readonly #log: Logger;
  readonly #patienceMs: number;
  #connected: Promise<GrpcClient> | undefined;
  #isClosed = false;

  constructor(path: string, log: Logger, patienceMs = defaultPatienceMs) {
    this.#patienceMs = patienceMs;
    this.#path = path;
    this.#log = log;
  }

  /** @throws Unavailable in words that say which BuildKit it is */
  async client(): Promise<GrpcClient> {
    if (this.#isClosed) throw unavailable('the connection is closed');
    const before = await this.#connected?.catch(() => undefined);
    if (before && !before.isClosed) return before;
    const connected = this.#connect();
    this.#connected = connected;
    return await connected;
  }

  close(): void {
    this.#isClosed = true;
    this.#connected?.then(
      (client) => client.close(),
      () => {}, // There is nothing to close.
    );
  }

  async #connect(): Promise<GrpcClient> {
    const name = `the BuildKit at ${this.#path}`;
    const socket = owned(connect(this.#path));
    const client = new GrpcClient(socket, this.#log, name);
    try {
      await client.ping(this.#patienceMs);
    } catch (error) {
      client.close();
      const reason = socket.errored ? `${name} cannot be reached: ${messageOf(socket.errored)}` : messageOf(error);
      throw unavailable(`${reason}. Start it, or choose another builder`, { cause: error });
    }
    if (this.#isClosed) client.close();
    client.keepAlive(pingEveryMs, this.#patienceMs);
    return client;
  }
}
