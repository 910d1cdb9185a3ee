import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { conflict, invalidParameter, messageOf, unavailable } from '@cleat/protocol/errors';
import type { Transport } from '../http/messages.js';
import { type Address, parseAddress } from './address.js';

export interface TlsOptions {
  /** PEM. */
  cert: string | Buffer;
  key: string | Buffer;
  /** The CA of clients' certificates; with it, a client without a valid one is refused. */
  ca?: string | Buffer;
}

export interface ListenOptions {
  /** Group that may use the UNIX socket, by name or number; `root` when undefined or unknown by name `docker`. */
  group?: string;
  tls?: TlsOptions;
}

export interface Listener {
  /** As one would pass it to `DOCKER_HOST`; with the real port. */
  readonly address: string;
  close(): Promise<void>;
}

type Accept = (socket: Socket, transport: Transport) => void;

/** Clients that may wait to be taken: as many as the kernel allows (`net.core.somaxconn`), as Go has it. Node's own is 511. */
const backlog = 65_535;

/** The kernel asks after a client on TCP that is silent, so that one whose host has gone is missed. As Go has it. */
const keepAlive = { keepAlive: true, keepAliveInitialDelay: 15_000 };

/**
 * Opens one address. A UNIX socket is 0660 from its first moment; a stale one is replaced, one that somebody answers on
 * is not.
 * @throws InvalidParameter, Conflict, Unavailable
 */
export async function listen(text: string, options: ListenOptions, accept: Accept): Promise<Listener[]> {
  const address = parseAddress(text, options.tls !== undefined);
  switch (address.kind) {
    case 'unix':
      return [await listenUnix(address.path, options, accept)];
    case 'tcp':
      return [await listenTcp(address, options, accept)];
    case 'fd':
      return Promise.all(activatedSockets(address.name).map((fd) => listenFd(fd, accept)));
  }
}

async function listenUnix(path: string, options: ListenOptions, accept: Accept): Promise<Listener> {
  await removeStale(path);
  mkdirSync(dirname(path), { recursive: true });
  const gid = groupId(options.group);
  const server = createServer({ allowHalfOpen: true }, (socket) => accept(socket, 'unix'));
  // bind(2) happens inside this call, so that the socket is never open to others, not even for a moment.
  const mask = process.umask(0o117);
  try {
    await opened(server, () => server.listen({ path, backlog }));
  } finally {
    process.umask(mask);
  }
  chmodSync(path, 0o660);
  if (gid !== undefined) chownSync(path, 0, gid);
  return { address: `unix://${path}`, close: () => closed(server) };
}

/** Removes a socket that nobody listens on. @throws Conflict when somebody does, or it is no socket. */
async function removeStale(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) throw conflict(`cannot listen on ${path}: it exists and is not a socket`);
  const answers = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (answers) throw conflict(`cannot listen on ${path}: another daemon answers there`);
  rmSync(path, { force: true });
}

/** @throws InvalidParameter for a group that does not exist; a missing `docker` means root, as dockerd does. */
export function groupId(group: string | undefined): number | undefined {
  if (group === undefined || group === '') return undefined;
  if (/^\d+$/.test(group)) return Number(group);
  const entry = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === group);
  if (entry) return Number(entry[2]);
  if (group === 'docker') return undefined;
  throw invalidParameter(`group ${group} not found: create it, or choose another with --group`);
}

async function listenTcp(
  address: Extract<Address, { kind: 'tcp' }>,
  { tls }: ListenOptions,
  accept: Accept,
): Promise<Listener> {
  const server = tls
    ? process.getBuiltinModule('node:tls').createServer({
        allowHalfOpen: true,
        ...keepAlive,
        // A client that goes before it is over may hold a descriptor until then. Node's own is 120 s.
        handshakeTimeout: 20_000,
        cert: tls.cert,
        key: tls.key,
        ca: tls.ca,
        requestCert: tls.ca !== undefined,
        rejectUnauthorized: tls.ca !== undefined,
        minVersion: 'TLSv1.2',
        ALPNProtocols: ['http/1.1'],
      })
    : createServer({ allowHalfOpen: true, ...keepAlive });
  if (tls) {
    server.on('secureConnection', (socket: Socket) => accept(socket, 'tls'));
    server.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());
  } else {
    server.on('connection', (socket: Socket) => accept(socket, 'tcp'));
  }
  await opened(server, () => server.listen({ host: address.host, port: address.port, backlog }));
  const bound = server.address();
  const port = typeof bound === 'object' && bound ? bound.port : address.port;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return { address: `tcp://${host}:${port}`, close: () => closed(server) };
}

async function listenFd(fd: number, accept: Accept): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true, ...keepAlive }, (socket) =>
    accept(socket, socket.remoteAddress === undefined ? 'unix' : 'tcp'),
  );
  await opened(server, () => server.listen({ fd, backlog }));
  return { address: `fd://${fd}`, close: () => closed(server) };
}

/** Descriptors passed by systemd (sd_listen_fds(3)). @throws Unavailable */
function activatedSockets(name: string): number[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env;
  const count = Number(LISTEN_FDS ?? 0);
  if (Number(LISTEN_PID) !== process.pid || count === 0) {
    throw unavailable('fd:// needs sockets passed by systemd (LISTEN_FDS): enable the socket unit, or use unix://');
  }
  const names = (LISTEN_FDNAMES ?? '').split(':');
  const all = Array.from({ length: count }, (_none, index) => ({ fd: 3 + index, name: names[index] }));
  const chosen = name === '' || name === '*' ? all : all.filter((one) => one.name === name || String(one.fd) === name);
  if (chosen.length === 0) throw unavailable(`systemd passed no socket called ${name}`);
  return chosen.map((one) => one.fd);
}

function opened(server: Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void => reject(unavailable(`cannot listen: ${messageOf(cause)}`, { cause }));
    server.once('error', failed);
    server.once('listening', () => {
      server.removeListener('error', failed);
      resolve();
    });
    start();
  });
}

/** Stops accepting; connections are the API server's to end. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    resolve();
  });
}
