import { createServer, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Audit } from '@cleat/engine/audit/service';
import type { Callers } from '@cleat/engine/callers/service';
import { callerText, nobody } from '@cleat/protocol/caller';
import { errorStatus, forbidden, invalidParameter, isClass, messageOf, notFound } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { loggedTarget } from '../audit/mask.js';
import { Recording } from '../audit/recorder.js';
import { type Peer, peerAt } from '../callers/peer.js';
import { maxHeadBytes } from '../hijack/connection.js';
import { createFront } from '../hijack/front.js';
import type { Upgrade } from '../hijack/front-options.js';
import type { Head } from '../hijack/head.js';
import { createHijacker, type Hijacker } from '../hijack/hijacker.js';
import { abandonBody } from '../hijack/linger.js';
import { reasonOf, refuse } from '../hijack/refuse.js';
import { withheldBodyOf } from '../hijack/withheld-body.js';
import { PlainResponse } from '../plain/response.js';
import type { Answer, AnswerCheck } from './answer.js';
import { errorAnswer, sendAnswer, sendError } from './errors.js';
import { Exchange } from './exchange.js';
import { FinalAnswer } from './final-answer.js';
import type { ApiRequest, ApiResponse, Streams, Transport } from './messages.js';
import { Presence } from './presence.js';
import { asRequest } from './request-context.js';
import type { Route, Router } from './router.js';
import { refuseSelectors } from './selectors.js';
import { type Match, parseTarget, type Target } from './target.js';
import { checkVersion, maxApiVersion } from './version.js';

/**
 * Looks at a request before its handler does; what it throws is the answer. What it returns looks at the answer before
 * the client does.
 */
export type RequestCheck = (exchange: Exchange) => Promise<AnswerCheck | undefined> | AnswerCheck | undefined;

export interface ApiServerOptions {
  router: Router;
  log: Logger;
  /** Version of the engine, for the Server header. */
  version: string;
  /** The oldest API version that is accepted. */
  minApiVersion?: string;
  /** Asked in order, before every handler: the one place where access is decided. */
  checks: readonly RequestCheck[];
  /** Whether checks may lead requests to other routes. */
  reroutes?: () => boolean;
  /** Knows who is at the other end of a UNIX socket; without it nobody is known there. */
  callers?: Callers;
  /** Records every request. */
  audit?: Audit;
  /** Headers of every answer that say which engine it is; absent: this one. */
  identity?: () => Readonly<Record<string, string>>;
  /** Awaited before the answer to whatever may have changed something. */
  settled?: () => Promise<void>;
}

export interface ApiServer {
  accept(socket: Socket, transport: Transport): void;
  /** Ends idle connections at once, the others after `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

/** A connection that has closed meanwhile. */
const elsewhere = { transport: 'tcp', peer: { caller: nobody, certificates: [] } } as const satisfies Connection;

interface Connection {
  readonly transport: Transport;
  readonly peer: Peer;
}

/** One request and the means to answer it. */
interface Call {
  readonly request: ApiRequest;
  readonly response: ApiResponse;
  readonly presence: Presence;
  /** The route that it asks for, where that is known already. */
  readonly asked?: { readonly target: Target; readonly match: Match<Route> };
  /** For a plain request. */
  readonly body?: Buffer;
  /** For any other. */
  readonly streams?: Streams;
  /** For a connection that can be taken over. */
  readonly hijacker?: Hijacker;
}

/** HTTP on connections that listeners hand over: versions, routing, errors, and hijacking by the front. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const { router, log } = options;
  const own = {
    'Api-Version': maxApiVersion,
    'Docker-Experimental': 'false',
    Ostype: 'linux',
    Server: `Cleat/${options.version} (linux)`,
  };
  const identity = options.identity ?? (() => own);
  const sockets = new Map<Socket, Connection>();
  const busy = new Map<Socket, number>();
  /** Here a hijacking request came in a way that leaves the parser attached: what follows may be its raw input. */
  const poisoned = new WeakSet<Socket>();
  const server: Server = createServer({
    maxHeaderSize: maxHeadBytes + 1024,
    // Clients of 2015 send an empty Host, or their socket's path.
    requireHostHeader: false,
    // Idle connections of clients' pools stay open, as Go's server leaves them.
    keepAliveTimeout: 0,
    requestTimeout: 0,
    headersTimeout: 0,
  });
  // A client that half-closes after its request still gets its answer.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('request', (request, response) => {
    const { socket } = request;
    const presence = new Presence();
    // A client that closes its side without being upgraded has lost interest, as in Go's server.
    socket.once('end', presence.end);
    response.once('close', () => {
      socket.removeListener('end', presence.end);
      presence.end();
    });
    beginStreaming({ request, response, withheld: withheldBodyOf(request) }, presence);
  });

  const accept = createFront({
    server,
    hijacks(head: Head) {
      const target = parseTarget(head.target);
      const hijacks = target && router.match(head.method, target.path)?.route.hijacks;
      const upgrade = head.upgrade?.toLowerCase();
      if (!hijacks || (hijacks === 'h2c' && upgrade !== 'h2c')) return undefined;
      return upgrade === 'websocket' ? 'websocket' : 'raw';
    },
    withholds(head) {
      const target = parseTarget(head.target);
      return target !== undefined && router.match(head.method, target.path)?.route.relays === true;
    },
    onUpgrade(request, socket, rest, upgrade: Upgrade) {
      const response = new ServerResponse(request);
      response.shouldKeepAlive = false;
      response.assignSocket(socket);
      socket.on('error', (error) => log.debug('hijacked connection failed', { error: messageOf(error) }));
      const presence = new Presence();
      socket.once('close', presence.end);
      beginStreaming(
        { request, response },
        presence,
        createHijacker(request, response, socket, rest, upgrade, options.callers?.hasHungUp),
      );
    },
    onPlain({ request, body, socket, presence, answered }) {
      const target = parseTarget(request.url);
      const match = target && router.match(request.method, target.path);
      if (!match || match.route.hijacks || match.route.streams) return false;
      // It may become a request for another route.
      if (options.reroutes?.()) return false;
      const response = new PlainResponse(socket, request.method, answered);
      begin({ request: { ...request, socket }, response, presence, body, asked: { target, match } });
      return true;
    },
    onMalformed(error, socket, response) {
      const reason = reasonOf(error);
      log.debug('connection failed', { error: messageOf(error) });
      if (reason && !response) record({ headers: {}, rawHeaders: [], socket })?.ended({ status: reason[0] });
      if (!reason || response?.headersSent) return void socket.destroy();
      if (!response) return refuse(socket, ...reason);
      response.shouldKeepAlive = false;
      // The reader of the request's body learns that there is no more, once the client could be told.
      response.once('finish', () => abandonBody(response.req));
      sendError(response, response.req.method, invalidParameter(reason[1]), maxApiVersion);
      socket.resume();
    },
    onFailure: failed,
  });

  /** Checks may make something of a request that is none of the API's. */
  function missing({ path }: Target): Match<Route> | undefined {
    if (!options.reroutes?.()) return undefined;
    const handler = () => {
      throw notFound('page not found');
    };
    return { route: { method: 'GET', path: '/:path', handler }, params: { path: path.replace(/^\//, '') } };
  }

  /** A bug of ours costs the connection it happened on, and nothing else. */
  function failed(error: unknown, socket: Socket): void {
    log.error('a connection is closed after an unexpected error', { error: messageOf(error), cause: error });
    socket.destroy();
  }

  function record(request: ApiRequest): Recording | undefined {
    if (!options.audit?.enabled) return undefined;
    return new Recording(options.audit, request, (sockets.get(request.socket) ?? elsewhere).peer);
  }

  function beginStreaming(streams: Streams, presence: Presence, hijacker?: Hijacker): void {
    const { response } = streams;
    response.on('error', (error) => log.debug('answer failed', { error: messageOf(error) }));
    begin({ request: streams.request, response, presence, streams, hijacker });
  }

  function begin(call: Call): void {
    const { method, url, socket } = call.request;
    const caller = options.callers && sockets.get(socket)?.peer.caller;
    const context = { method, url, caller, isOver: false, abandon: () => socket.destroy() };
    const running = asRequest(context, () => serve(call)).finally(() => {
      context.isOver = true;
    });
    running.catch((error: unknown) => failed(error, socket));
  }

  async function serve(call: Call): Promise<void> {
    const { request, response, presence, hijacker, streams } = call;
    const { socket } = request;
    if (poisoned.has(socket)) return;
    busy.set(socket, (busy.get(socket) ?? 0) + 1);
    const started = performance.now();
    const recording = record(request);
    let error: unknown;
    let version = maxApiVersion;
    let exchange: Exchange | undefined;
    try {
      const target = call.asked?.target ?? parseTarget(request.url ?? '/');
      if (!target) throw invalidParameter('malformed URL');
      version = target.version ?? maxApiVersion;
      for (const [name, value] of Object.entries(identity())) response.setHeader(name, value);
      const match = call.asked?.match ?? router.match(request.method ?? 'GET', target.path) ?? missing(target);
      if (!match) throw notFound('page not found');
      if (match.route.hijacks === true && !hijacker) {
        poisoned.add(socket);
        if (streams) streams.response.shouldKeepAlive = false;
        throw invalidParameter('this request needs a connection of its own: do not pipeline it');
      }
      checkVersion(version, options.minApiVersion);
      exchange = new Exchange({
        request,
        response,
        body: call.body,
        streams,
        target,
        match,
        version,
        ...(sockets.get(socket) ?? elsewhere),
        log,
        presence,
        settled: options.settled,
        hijacker,
      });
      log.debug('request', {
        request: exchange.id,
        method: exchange.method,
        path: exchange.path,
        version,
        caller: callerText(exchange.peer.caller),
      });
      recording?.understood(exchange, match);
      const answerChecks: AnswerCheck[] = [];
      for (const check of options.checks) {
        const judged = check(exchange);
        const onAnswer = judged instanceof Promise ? await judged : judged;
        if (onAnswer) answerChecks.push(onAnswer);
      }
      if (options.settled && !['GET', 'HEAD'].includes(exchange.method)) exchange.outgoing.addCheck(options.settled);
      for (const onAnswer of answerChecks) exchange.outgoing.addCheck(onAnswer);
      if (exchange.match !== match) checkVersion(exchange.version, options.minApiVersion);
      // Checks may have led it elsewhere, within the same router.
      const { route } = exchange.match as Match<Route>;
      refuseSelectors(exchange.query, route);
      recording?.admitted();
      const served = exchange;
      await served.serve(() => route.handler(served));
      const ms = Math.round(performance.now() - started);
      log.debug('answered', { request: exchange.id, status: response.statusCode, ms });
    } catch (thrown) {
      const passed = await exchange?.outgoing.passError(thrown, () => errorAnswer(thrown, version));
      error = passed && 'error' in passed ? passed.error : thrown;
      if (passed && 'answer' in passed) failWith(thrown, call, passed.answer);
      else fail(error, call, version);
    } finally {
      exchange?.conclude(response.headersSent ? response.statusCode : 0);
      recording?.ended({ status: statusOf(call), error });
      // The rest of a body is dropped, so that the next request on this connection is found.
      if (!hijacker && streams && !streams.request.complete) streams.request.removeAllListeners('data').resume();
      const left = (busy.get(socket) ?? 1) - 1;
      if (left > 0) busy.set(socket, left);
      else busy.delete(socket);
    }
  }

  /** @param answer what was made of the error */
  function failWith(error: unknown, call: Call, answer: Answer): void {
    noteFailure(error, call);
    sendAnswer(call.response, call.request.method, answer);
  }

  function fail(error: unknown, call: Call, version: string): void {
    const { request, response, hijacker } = call;
    noteFailure(error, call);
    if (hijacker && !response.socket) return void request.socket.destroy();
    if (error instanceof FinalAnswer) sendAnswer(response, request.method, error.answer);
    else sendError(response, request.method, error, version);
  }

  function noteFailure(error: unknown, { request, presence }: Call): void {
    const fields = { method: request.method, url: loggedTarget(request.url ?? ''), error: messageOf(error) };
    const status = isClass(error, 'NotModified') ? 304 : undefined;
    if (presence.gone || request.socket.destroyed) log.debug('request ended by its client', fields);
    else if (error instanceof FinalAnswer) log.debug('request answered by an adapter', fields);
    else if (status === undefined && isServerFault(error)) log.error('request failed', { ...fields, cause: error });
    else log.debug('request refused', fields);
  }

  return {
    accept(socket, transport) {
      sockets.set(socket, { transport, peer: peerAt(socket, transport, options.callers, log) });
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', (error) => log.debug('connection failed', { error: messageOf(error) }));
      socket.setNoDelay(true);
      accept(socket);
    },
    async close(graceMs = 1000) {
      for (const socket of sockets.keys()) if (!busy.has(socket)) socket.destroy();
      const deadline = Date.now() + graceMs;
      while (sockets.size > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
      for (const socket of sockets.keys()) socket.destroy();
    },
  };
}

/** Status of the answer that the client got; 0: it got none. */
function statusOf({ response, presence, hijacker }: Call): number {
  if (response.headersSent) return response.statusCode;
  if (hijacker && !response.socket) return hijacker.status;
  return presence.gone || !response.socket ? 0 : response.statusCode;
}

function isServerFault(error: unknown): boolean {
  const errorClass = error instanceof Error && 'class' in error ? error.class : 'System';
  return Object.entries(errorStatus).every(([name, status]) => name !== errorClass || status === 500);
}

/**
 * Keeps web pages from using an engine on unprotected TCP: a browser sends Origin with what it was not asked to do, and
 * a page whose host name was rebound to this machine sends that name.
 */
export function refuseBrowsers(allowedOrigins: readonly string[] = []): RequestCheck {
  return ({ transport, headers, request }) => {
    if (transport !== 'tcp') return undefined;
    if (headers.origin !== undefined && !allowedOrigins.includes(headers.origin)) {
      throw forbidden('requests from web pages are refused on TCP without TLS');
    }
    if (!/^(::ffff:)?127\.|^::1$/.test(request.socket.localAddress ?? '')) return undefined;
    const host = (headers.host ?? '').replace(/:\d+$/, '');
    if (host.includes('.') && !/^[\d.]+$/.test(host)) {
      throw forbidden(`refused to answer as host "${host}" on TCP without TLS: use an IP address or TLS`);
    }
    return undefined;
  };
}
