import { type BindOptions, createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, type ListenOptions, type Socket as TcpSocket } from 'node:net';
import { formatAddress, tryParseAddress } from '@cleat/protocol/cidr';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import dns from 'dns-packet';
import { forwardDatagram, forwardStream } from './forward.js';

const port = 53;
/** Short, as Docker's: a container that restarts gets another address. */
const ttlSeconds = 600;

/** How to answer one client's questions. */
export interface Question {
  addressesOf(name: string): string[];
  nameOf(address: string): string | undefined;
  upstream: readonly string[];
  forward: boolean;
}

export interface NameServer {
  readonly ports: { udp: number; tcp: number };
  close(): void;
}

/** Serves DNS on UDP and TCP port 53 of an address of this host. @throws EADDRINUSE, EADDRNOTAVAIL, EACCES */
export function listen(address: string, ask: (source: string) => Question, log: Logger): Promise<NameServer> {
  return serve(address, { udp: { port, address }, tcp: { port, host: address } }, ask, log);
}

/**
 * Serves DNS on sockets that are bound already, which are closed with the server.
 * @param where for the log
 */
export function listenOn(
  where: string,
  sockets: { udp: number; tcp: number },
  ask: () => Question,
  log: Logger,
): Promise<NameServer> {
  return serve(where, { udp: { fd: sockets.udp }, tcp: { fd: sockets.tcp } }, ask, log);
}

async function serve(
  where: string,
  on: { udp: BindOptions; tcp: ListenOptions | { fd: number } },
  ask: (source: string) => Question,
  log: Logger,
): Promise<NameServer> {
  const udp = createSocket(where.includes(':') ? 'udp6' : 'udp4');
  const tcp = createServer({ allowHalfOpen: true });
  const close = () => {
    udp.close();
    tcp.close();
  };
  udp.on('message', (message, from) => {
    answerDatagram(udp, message, from, ask(from.address)).catch((error: unknown) =>
      log.debug('a name query failed', { from: from.address, error: messageOf(error) }),
    );
  });
  tcp.on('connection', (socket) => serveStream(socket, ask(socket.remoteAddress ?? '')));
  try {
    await Promise.all([
      new Promise<void>((resolve, reject) => udp.once('error', reject).bind(on.udp, resolve)),
      new Promise<void>((resolve, reject) => tcp.once('error', reject).listen(on.tcp, resolve)),
    ]);
  } catch (error) {
    close();
    throw error;
  }
  // An error of a listening socket (for example an unreachable client) must not end the engine.
  udp.on('error', (error) => log.debug('name service', { where, error: error.message }));
  tcp.on('error', (error) => log.debug('name service', { where, error: error.message }));
  const tcpAddress = tcp.address();
  const ports = { udp: udp.address().port, tcp: typeof tcpAddress === 'object' && tcpAddress ? tcpAddress.port : 0 };
  return { ports, close };
}

async function answerDatagram(udp: Socket, message: Buffer, from: RemoteInfo, question: Question): Promise<void> {
  const own = answerOwn(message, question);
  const answer = own ?? (await forwarded(message, question, forwardDatagram));
  udp.send(answer, from.port, from.address, () => {
    // The client went away: nobody to tell.
  });
}

/** Each message on TCP is preceded by its length in two bytes. */
function serveStream(socket: TcpSocket, question: Question): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.setTimeout(30_000, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', async (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const message = pending.subarray(2, 2 + pending.readUInt16BE(0));
      pending = pending.subarray(2 + message.length);
      const answer = answerOwn(message, question) ?? (await forwarded(message, question, forwardStream));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([length, answer]));
    }
  });
  socket.on('end', () => socket.end());
}

async function forwarded(
  message: Buffer,
  question: Question,
  forward: (message: Buffer, servers: readonly string[]) => Promise<Buffer>,
): Promise<Buffer> {
  if (!question.forward) return failure(message);
  try {
    return await forward(message, question.upstream);
  } catch {
    // No upstream server answered; the client learns it by SERVFAIL, as from any resolver.
    return failure(message);
  }
}

/** The answer to a question about our own containers, or undefined when it is not about them. */
export function answerOwn(message: Buffer, question: Question): Buffer | undefined {
  let query: dns.DecodedPacket;
  try {
    query = dns.decode(message);
  } catch {
    return failure(message);
  }
  const asked = query.questions?.[0];
  if (!asked || query.type !== 'query') return undefined;
  const name = asked.name.replace(/\.$/, '');
  if (asked.type === 'PTR') {
    const host = nameOfReverse(name, question);
    return host === undefined
      ? undefined
      : encode(query, [{ name: asked.name, type: 'PTR', ttl: ttlSeconds, data: host }]);
  }
  const addresses = question.addressesOf(name);
  if (addresses.length === 0) return undefined;
  // A name of ours without an address of the asked type exists all the same: an empty answer, never a forwarded one.
  const wanted = addresses.filter((address) => address.includes(':') === (asked.type === 'AAAA'));
  if (asked.type !== 'A' && asked.type !== 'AAAA') return encode(query, []);
  const type = asked.type;
  return encode(
    query,
    shuffled(wanted).map((data) => ({ name: asked.name, type, ttl: ttlSeconds, data })),
  );
}

function encode(query: dns.DecodedPacket, answers: dns.Answer[]): Buffer {
  return dns.encode({
    type: 'response',
    id: query.id ?? 0,
    flags: (query.flag_rd ? dns.RECURSION_DESIRED : 0) | dns.RECURSION_AVAILABLE,
    questions: query.questions ?? [],
    answers,
  });
}

/** Several containers behind one alias take turns. */
function shuffled<T>(list: readonly T[]): T[] {
  if (list.length < 2) return [...list];
  const start = Math.floor(Math.random() * list.length);
  return [...list.slice(start), ...list.slice(0, start)];
}

/** `4.3.2.1.in-addr.arpa` → the name of 1.2.3.4. */
function nameOfReverse(name: string, question: Question): string | undefined {
  const four = /^([\d.]+)\.in-addr\.arpa$/i.exec(name);
  const six = /^([0-9a-f.]+)\.ip6\.arpa$/i.exec(name);
  const text = four?.[1]
    ? four[1].split('.').reverse().join('.')
    : six?.[1]
      ? (six[1].split('.').reverse().join('').match(/.{4}/g)?.join(':') ?? '')
      : '';
  const address = tryParseAddress(text);
  return address && question.nameOf(formatAddress(address));
}

/** SERVFAIL to whatever it was: the header's first bytes are enough. */
function failure(message: Buffer): Buffer {
  const answer = Buffer.alloc(12);
  message.copy(answer, 0, 0, Math.min(2, message.length));
  answer.writeUInt16BE(0x8182, 2);
  return answer;
}
