import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Dispatcher } from '@cleat/protocol/dispatch';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { ExtensionModule } from '@cleat/protocol/extension';
import type { Logger } from '@cleat/protocol/log';
import { answering } from './http.js';
import { textLogger } from './log.js';
import { listenOnSocket } from './socket.js';

export interface ServeOptions {
  /** The driver's name, as users say it in `--driver`. */
  name: string;
  /** Path of a UNIX socket, for example `/run/docker/plugins/NAME.sock`. */
  socket?: string;
  /** Permission bits of the socket; default 0600. */
  mode?: number;
  /** Instead of a UNIX socket. */
  tcp?: TcpOptions;
  /** Handed to the module's `start`. */
  options?: Readonly<Record<string, unknown>>;
  /** Default: lines of text on stderr. */
  log?: Logger;
  /** How long calls under way may take to finish when the extension is closed, in ms; default 10,000. */
  graceMs?: number;
}

export interface TcpOptions {
  /** Default 127.0.0.1: whoever can connect can drive the extension, unless `tls` asks for a client certificate. */
  host?: string;
  /** 0 or absent: any free port. */
  port?: number;
  /** PEM texts; with `ca`, clients must show a certificate that it signed. */
  tls?: { cert: string; key: string; ca?: string };
  /** A file such as `/etc/docker/plugins/NAME.spec`, written once the extension listens and removed at the end. */
  specFile?: string;
}

/** An extension that is being served. */
export interface Served extends AsyncDisposable {
  /** `unix:///path` or `tcp://host:port` */
  readonly address: string;
  /** Takes no more calls, lets those under way finish, then closes the module. */
  close(): Promise<void>;
}

/**
 * Serves an extension on a socket, in Docker's plugin protocol: the same module that Cleat loads in process. A stale
 * socket of a crashed predecessor is replaced; a living one is an error.
 * @throws InvalidParameter; Conflict when somebody listens there already; whatever the module's `start` throws
 */
export async function serve(module: ExtensionModule, options: ServeOptions): Promise<Served> {
  const { name, tcp, graceMs = 10_000, log = textLogger(process.stderr) } = options;
  if ((options.socket === undefined) === (tcp === undefined)) {
    throw invalidParameter(`extension ${name}: give either a socket or tcp to serve it on`);
  }
  const stop = new AbortController();
  const running = await module.start({ name, options: options.options ?? {}, log, signal: stop.signal });
  const calls = new Set<Promise<void>>();
  const abandon = new AbortController();
  const server = newServer(
    tcp,
    answering(new Dispatcher(running.implementations), { calls, signal: abandon.signal, log }),
  );
  let address: string;
  try {
    address =
      options.socket === undefined
        ? await listenOnPort(server, tcp ?? {})
        : await listenOnSocket(server, options.socket, options.mode ?? 0o600);
  } catch (error) {
    stop.abort();
    await running.close?.();
    throw error;
  }
  if (tcp?.specFile) writeFileSync(tcp.specFile, `${address}\n`);
  log.debug(`${name} listens at ${address}`);

  let closing: Promise<void> | undefined;
  const close = async () => {
    if (tcp?.specFile) rmSync(tcp.specFile, { force: true });
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    const timer = setTimeout(() => abandon.abort(), graceMs);
    await Promise.allSettled(calls);
    clearTimeout(timer);
    server.closeAllConnections();
    await closed;
    stop.abort();
    await running.close?.();
  };
  const served: Served = {
    address,
    close() {
      closing ??= close();
      return closing;
    },
    async [Symbol.asyncDispose]() {
      await served.close();
    },
  };
  return served;
}

function newServer(tcp: TcpOptions | undefined, listener: RequestListener): Server {
  const common = {
    // Engines of all ages connect; some send no Host for a UNIX socket.
    requireHostHeader: false,
    // Docker keeps connections and does not repeat a POST that meets one which we are just closing.
    keepAliveTimeout: 0,
  };
  if (!tcp?.tls) return createServer(common, listener);
  const { tls } = tcp;
  return createSecureServer({ ...common, ...tls, requestCert: tls.ca !== undefined }, listener);
}

function listenOnPort(server: Server, tcp: TcpOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(invalidParameter(`cannot listen on ${tcp.host ?? '127.0.0.1'}:${tcp.port ?? 0}: ${messageOf(error)}`)),
    );
    server.listen(tcp.port ?? 0, tcp.host ?? '127.0.0.1', () => {
      const { address, family, port } = server.address() as AddressInfo;
      const host = family === 'IPv6' ? `[${address}]` : address;
      resolve(`${tcp.tls ? 'https' : 'tcp'}://${host}:${port}`);
    });
  });
}
