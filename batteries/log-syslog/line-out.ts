import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { UnixDatagrams } from '@cleat/linux/syscall/datagram';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { Backoff } from '@cleat/protocol/async/backoff';
import { unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { SyslogOptions } from './log-options.js';

/** A connection to a syslog server. */
export interface LineOut {
  /**
   * Sends messages in order; settles when the system has them.
   * @returns how many bytes of them can never be sent (longer than a datagram may be)
   * @throws Error when the connection broke
   */
  send(messages: readonly Buffer[]): Promise<number>;
  /** Ends it; what was sent is on its way. */
  close(): Promise<void>;
}

const connectMs = 5000;
const closeMs = 2000;
/** Where the local syslog listens (RackSec/srslog). */
const localPaths = ['/dev/log', '/var/run/syslog', '/var/run/log'];

/** @throws Unavailable when nobody listens there */
export async function openLineOut(options: SyslogOptions): Promise<LineOut> {
  const { transport, path, host, port, tls } = options;
  switch (transport) {
    case 'local':
      return openLocal();
    case 'unixgram':
      return new UnixDatagramsOut(path);
    case 'unix':
      return StreamOut.open(connectTcp({ path }), 'connect', path);
    case 'tcp':
      return StreamOut.open(connectTcp({ host, port }), 'connect', `${host}:${port}`);
    case 'tcp+tls': {
      const servername = isIP(host) === 0 ? host : undefined;
      const { ca, cert, key, skipVerify } = tls;
      const socket = connectTls({ host, port, servername, ca, cert, key, rejectUnauthorized: !skipVerify });
      return StreamOut.open(socket, 'secureConnect', `${host}:${port}`);
    }
    case 'udp':
      return UdpOut.open(host, port);
  }
}

async function openLocal(): Promise<LineOut> {
  for (const path of localPaths) {
    try {
      return new UnixDatagramsOut(path);
    } catch {
      // Not there, or it is a stream: the next one.
    }
  }
  for (const path of localPaths) {
    try {
      return await StreamOut.open(connectTcp({ path }), 'connect', path);
    } catch {
      // Nor there.
    }
  }
  throw unavailable(`Unix syslog delivery error: nobody listens on ${localPaths.join(', ')}`);
}

class StreamOut implements LineOut {
  readonly #socket: Socket;
  #error: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error = error;
    });
    // Servers of syslog say nothing; without this, their end would not be seen.
    socket.resume();
    socket.on('end', () => socket.destroy(new Error('the server closed the connection')));
  }

  static async open(socket: Socket, event: 'connect' | 'secureConnect', where: string): Promise<StreamOut> {
    const late = setTimeout(() => socket.destroy(new Error('no answer')), connectMs);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once(event, resolve);
        socket.once('error', reject);
      });
      return new StreamOut(socket);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw unavailable(`the syslog server at ${where} cannot be reached: ${why}`, { cause });
    } finally {
      clearTimeout(late);
    }
  }

  send(messages: readonly Buffer[]): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(this.#error ?? new Error('the connection is closed'));
        return;
      }
      // One whose connection breaks before the system took it all fails here, too.
      this.#socket.write(Buffer.concat(messages), (error) => (error ? reject(error) : resolve(0)));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      const late = setTimeout(() => this.#socket.destroy(), closeMs);
      this.#socket.once('close', () => {
        clearTimeout(late);
        resolve();
      });
      if (this.#socket.destroyed) this.#socket.emit('close');
      this.#socket.end(() => this.#socket.destroy());
    });
  }
}

class UdpOut implements LineOut {
  readonly #socket: UdpSocket;

  private constructor(socket: UdpSocket) {
    this.#socket = socket;
    // Nobody listening there answers with an error; syslog over UDP promises nothing.
    socket.on('error', () => {});
  }

  static async open(host: string, port: number): Promise<UdpOut> {
    const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.connect(port, host, () => resolve());
      });
    } catch (cause) {
      socket.close();
      throw unavailable(`the syslog server at ${host}:${port} cannot be found`, { cause });
    }
    return new UdpOut(socket);
  }

  async send(messages: readonly Buffer[]): Promise<number> {
    let impossible = 0;
    for (const message of messages) {
      const failure = await new Promise<Error | null>((resolve) => this.#socket.send(message, resolve));
      if (failure && errnoOf(failure) === 'EMSGSIZE') impossible += message.length;
    }
    return impossible;
  }

  async close(): Promise<void> {
    this.#socket.close();
  }
}

/** Datagrams on a UNIX socket are neither lost nor put in another order: who cannot take one now gets it later. */
class UnixDatagramsOut implements LineOut {
  readonly #socket: UnixDatagrams;

  /** @throws CleatError when nobody receives there */
  constructor(path: string) {
    this.#socket = new UnixDatagrams(path);
  }

  async send(messages: readonly Buffer[]): Promise<number> {
    let impossible = 0;
    const full = new Backoff({ firstMs: 1, longestMs: 100 });
    for (const message of messages) {
      try {
        while (!this.#socket.send(message)) await full.wait();
        full.reset();
      } catch (error) {
        if (errnoOf(error) !== 'EMSGSIZE') throw error;
        impossible += message.length;
      }
    }
    return impossible;
  }

  async close(): Promise<void> {
    this.#socket.close();
  }
}
