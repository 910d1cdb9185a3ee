import { createSocket, type Socket, type SocketOptions } from 'node:dgram';
import { type AddressInfo, createServer } from 'node:net';
import { within } from '@cleat/protocol/async/deadline';
import { Allowance } from './allowance.js';
import { type Resolver, resolve } from './answer.js';
import { drainOf, type Sender } from './drain.js';
import type { FairShare } from './fair-share.js';
import { code, failure, readQuery } from './message.js';
import { serveStream } from './stream.js';

/** Questions of one container in a second that are worked on; the others are not answered. */
const questionsPerSecond = 200_000;
/** Answers on their way to a container that does not read them. */
const maxUnsent = 256;
/** Bytes; as far as the host allows. What comes while it is full is lost, as on any network. */
const receiveBuffer = 1024 * 1024;

/** How long questions on their way hold up the end. */
const finishMs = 8_000;

export interface NameServer {
  readonly ports: { udp: number; tcp: number };
  close(): void;
  /** Answers the questions that are on their way, and closes. */
  finish(): Promise<void>;
}

/** Limits that all servers share, so that one container's cannot take it from the others'. */
export interface ServerLimits {
  /** Number of TCP connections. */
  readonly connections: FairShare;
}

/**
 * Serves DNS to one container, on sockets that are bound already; they are closed with the server.
 * @param owner for its share of what is limited
 * @throws Error with what the system says of the sockets
 */
export async function serveNames(
  owner: string,
  sockets: { udp: number; tcp: number },
  resolver: Resolver,
  limits: ServerLimits,
): Promise<NameServer> {
  // Answers go to addresses: nothing is to be looked up.
  const lookup: SocketOptions['lookup'] = (address, _options, callback) => callback(null, address, 4);
  const udp = createSocket({ type: 'udp4', lookup });
  const tcp = createServer({ allowHalfOpen: true });
  const allowance = new Allowance(questionsPerSecond);
  const connections = new Set<() => void>();
  let isClosed = false;
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    udp.close();
    tcp.close();
    for (const end of [...connections]) end();
  };
  const open = new OpenQuestions();
  const later = (message: Buffer, from: Sender) => void open.count(answerDatagram(udp, message, from, resolver));
  const drain = drainOf(sockets.udp, { later, resolver, allowance });
  udp.on('message', (message, from) => {
    if (allowance.spend()) later(message, from);
    drain();
  });
  tcp.on('connection', (socket) => {
    const end = () => socket.destroy();
    const release = limits.connections.take(owner, end);
    socket.on('error', () => socket.destroy());
    if (!release) {
      socket.destroy();
      return;
    }
    connections.add(end);
    socket.once('close', () => {
      connections.delete(end);
      release();
    });
    serveStream(socket, (message) => (allowance.spend() ? open.count(answer(message, resolver, 'stream')) : undefined));
  });
  try {
    await Promise.all([
      new Promise<void>((done, failed) => udp.once('error', failed).bind({ fd: sockets.udp }, done)),
      new Promise<void>((done, failed) => tcp.once('error', failed).listen({ fd: sockets.tcp }, done)),
    ]);
  } catch (error) {
    close();
    throw error;
  }
  // A client may break a socket, for example by going away; the process goes on.
  udp.on('error', () => {});
  tcp.on('error', () => {});
  enlarge(udp);
  const { port } = tcp.address() as AddressInfo;
  const finish = async () => {
    await within(finishMs, open.none(), undefined);
    close();
  };
  return { ports: { udp: udp.address().port, tcp: port }, close, finish };
}

/** Those whose answer is not there yet. */
class OpenQuestions {
  #count = 0;
  #onNone: () => void = () => {};

  async count<T>(work: Promise<T>): Promise<T> {
    this.#count++;
    try {
      return await work;
    } finally {
      if (--this.#count === 0) this.#onNone();
    }
  }

  async none(): Promise<void> {
    if (this.#count === 0) return;
    await new Promise<void>((resolve) => {
      this.#onNone = resolve;
    });
  }
}

function enlarge(udp: Socket): void {
  try {
    udp.setRecvBufferSize(receiveBuffer);
  } catch {
    // A smaller one does, too.
  }
}

async function answerDatagram(udp: Socket, message: Buffer, from: Sender, resolver: Resolver): Promise<void> {
  const said = await answer(message, resolver, 'datagram');
  if (!said) return;
  try {
    if (udp.getSendQueueCount() < maxUnsent) udp.send(said, from.port, from.address, () => {});
  } catch {
    // The server was closed meanwhile: its container is gone.
  }
}

/** Never fails. @returns undefined for what is not answered at all */
async function answer(
  message: Buffer,
  resolver: Resolver,
  transport: 'datagram' | 'stream',
): Promise<Buffer | undefined> {
  const query = readQuery(message);
  if ('refused' in query) return query.refused;
  try {
    return await resolve(query, resolver, transport);
  } catch {
    // This client learns that it has no answer, for any reason.
    return failure(message, code.serverFailure);
  }
}
