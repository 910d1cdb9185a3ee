import { createServer, type RequestListener, type Server } from 'node:http';
import { shared } from '@cleat/protocol/async/shared-signal';
import { Dispatcher } from '@cleat/protocol/dispatch';
import { invalidParameter } from '@cleat/protocol/errors';
import { type ExtensionModule, startExtension } from '@cleat/protocol/extension';
import type { Logger } from '@cleat/protocol/log';
import { CallLog } from './call-log.js';
import { CallStatistics } from './calls.js';
import { answering } from './http.js';
import { textLogger } from './log.js';
import { Pages } from './pages.js';
import { listenOnPort } from './port.js';
import { drain } from './shutdown.js';
import { listenOnDescriptor, listenOnSocket } from './socket.js';
import { SpecFile, type SpecTls } from './spec-file.js';

/** One of `socket`, `fd` and `tcp` says where. */
export interface ServeOptions {
  /** The driver's name, as users say it in `--driver`. */
  name: string;
  /** Path of a UNIX socket, for example `/run/docker/plugins/NAME.sock`. */
  socket?: string;
  /** Permission bits of the socket; default 0600. */
  mode?: number;
  /** Descriptor of a socket that listens already and belongs to the process that made it: see `activatedSocket`. */
  fd?: number;
  tcp?: TcpOptions;
  /** Handed to the module's `start`. */
  options?: Readonly<Record<string, unknown>>;
  /** Default: lines of text on stderr. */
  log?: Logger;
  /** Whether calls are logged, those that fail as warnings; default true. */
  logCalls?: boolean;
  /** How long calls under way may take to finish when the extension is closed, in ms; default 10,000. */
  graceMs?: number;
}

export interface TcpOptions {
  /** Default 127.0.0.1: everybody who can connect can drive the extension, unless `tls` asks for a client certificate. */
  host?: string;
  /** 0 or absent: any free port. */
  port?: number;
  /** PEM texts; with `ca`, clients must show a certificate that it signed. */
  tls?: { cert: string; key: string; ca?: string };
  /** A file such as `/etc/docker/plugins/NAME.spec`, written once the extension listens and removed at the end. */
  specFile?: string;
  /** For a `specFile` that ends in `.json`: what engines verify with. */
  specTls?: SpecTls;
}

/** An extension that is being served. */
export interface Served extends AsyncDisposable {
  /** `unix:///path`, `tcp://host:port` or `https://host:port` */
  readonly address: string;
  /** Takes no more calls, lets those under way finish, then closes the module. */
  close(): Promise<void>;
}

/**
 * Serves an extension on a socket, in Docker's plugin protocol: the same module that Cleat loads in process. A stale
 * socket of a crashed predecessor is replaced; a living one is an error. `GET /health` and `GET /metrics` are answered
 * beside the protocol.
 * @example await using served = await serve(extension, { name: 'mine', socket: '/run/docker/plugins/mine.sock' });
 * @throws InvalidParameter; Conflict when somebody listens there already; whatever the module's `start` throws
 */
export async function serve(module: ExtensionModule, options: ServeOptions): Promise<Served> {
  const { name, tcp, graceMs = 10_000, logCalls = true, log = textLogger(process.stderr) } = options;
  checkPlace(options);
  const stop = new AbortController();
  const running = await startExtension(module, { name, options: options.options ?? {}, log, signal: stop.signal });
  const dispatcher = new Dispatcher(running.implementations);
  const statistics = new CallStatistics(dispatcher.paths);
  const underWay = new Set<Promise<void>>();
  const abandon = new AbortController();
  const endStreams = new AbortController();
  // By all calls under way.
  for (const { signal } of [abandon, endStreams]) shared(signal);
  let closing: Promise<void> | undefined;
  const isStopping = () => closing !== undefined;
  const server = newServer(
    tcp?.tls,
    answering(dispatcher, {
      underWay,
      statistics,
      pages: new Pages({ name, running, kinds: dispatcher.capabilities, statistics, isStopping, log }),
      callLog: new CallLog(logCalls ? log : undefined),
      signal: abandon.signal,
      streamSignal: endStreams.signal,
      isStopping,
      log,
    }),
  );
  const release = async () => {
    stop.abort();
    await running.close?.();
  };
  let address: string;
  let spec: SpecFile | undefined;
  try {
    address = await listen(server, options);
    if (tcp?.specFile) spec = new SpecFile(tcp.specFile, address, tcp.specTls);
  } catch (error) {
    server.close();
    await release();
    throw error;
  }
  log.debug(`${name} listens at ${address}`);

  const close = async () => {
    spec?.remove();
    await drain(server, { underWay, graceMs, abandon, endStreams });
    await release();
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

/** @throws InvalidParameter */
function checkPlace({ name, socket, fd, tcp }: ServeOptions): void {
  const places = [socket, fd, tcp].filter((place) => place !== undefined);
  if (places.length !== 1) {
    throw invalidParameter(`extension ${name}: give one of socket, fd and tcp to serve it on`);
  }
  if (tcp?.specFile?.endsWith('.json') && !(tcp.tls && tcp.specTls)) {
    throw invalidParameter(
      `extension ${name}: a spec file that ends in .json needs tls and specTls; say .spec without`,
    );
  }
  if (tcp?.specTls && !tcp.specFile?.endsWith('.json')) {
    throw invalidParameter(`extension ${name}: only a spec file that ends in .json can say specTls`);
  }
}

async function listen(server: Server, { socket, mode = 0o600, fd, tcp = {} }: ServeOptions): Promise<string> {
  if (fd !== undefined) return await listenOnDescriptor(server, fd);
  if (socket !== undefined) return await listenOnSocket(server, socket, mode);
  return await listenOnPort(server, { host: tcp.host, port: tcp.port, tls: tcp.tls !== undefined });
}

function newServer(tls: TcpOptions['tls'], listener: RequestListener): Server {
  const common = {
    // Engines of all ages connect; some send no Host for a UNIX socket.
    requireHostHeader: false,
    // Docker keeps connections and does not repeat a POST that meets one which we are just closing.
    keepAliveTimeout: 0,
  };
  if (!tls) return createServer(common, listener);
  // Loaded by who speaks TLS: it is a tenth of a plugin's start.
  return process
    .getBuiltinModule('node:https')
    .createServer({ ...common, ...tls, requestCert: tls.ca !== undefined }, listener);
}
