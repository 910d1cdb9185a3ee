import { lookup } from 'node:dns';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { cancelled, deadlineExceeded, forbidden, messageOf, unavailable } from '@cleat/protocol/errors';
import { readSmall } from '../blobs.js';
import { agentFor } from './certificates.js';

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: URL;
  headers?: Record<string, string>;
  body?: Buffer | string | (() => { stream: Readable; size: number });
  signal: AbortSignal;
  /** Accept any certificate: only for a registry that the operator declared insecure. */
  insecure: boolean;
  /** A URL that somebody else gave us (a redirect, a token realm): it must not lead to this host's own services. */
  foreign: boolean;
}

/** Milliseconds without a byte after which a connection is given up. */
const idleTimeout = 60_000;

const pool = { keepAlive: true, maxSockets: 8, timeout: idleTimeout };
const agents = {
  http: new http.Agent(pool),
  https: new https.Agent(pool),
  insecure: new https.Agent({ ...pool, rejectUnauthorized: false }),
};

function agentOf(url: URL, insecure: boolean): http.Agent {
  if (url.protocol !== 'https:') return agents.http;
  const own = agentFor(url.host, { ...pool, rejectUnauthorized: !insecure });
  return own ?? (insecure ? agents.insecure : agents.https);
}

/** Addresses of this host and of the services that clouds offer to it alone (metadata, with its credentials). */
const ownAddresses = new BlockList();
ownAddresses.addSubnet('127.0.0.0', 8, 'ipv4');
ownAddresses.addSubnet('169.254.0.0', 16, 'ipv4');
ownAddresses.addAddress('0.0.0.0', 'ipv4');
ownAddresses.addAddress('::1', 'ipv6');
ownAddresses.addAddress('::', 'ipv6');
ownAddresses.addSubnet('fe80::', 10, 'ipv6');
ownAddresses.addAddress('fd00:ec2::254', 'ipv6');
ownAddresses.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');
ownAddresses.addSubnet('::ffff:169.254.0.0', 112, 'ipv6');

export function isOwnAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && ownAddresses.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** The host of a URL without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** Resolves names, and refuses those that resolve to this host's own services. */
const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, []);
    const bad = addresses.find(({ address }) => isOwnAddress(address));
    if (bad) return callback(refusal(hostname), []);
    if (options.all) return callback(null, addresses);
    const [first] = addresses;
    return callback(null, first?.address ?? '', first?.family);
  });
};

function refusal(hostname: string): Error {
  return forbidden(`refusing to follow the registry to ${hostname}: it is an address of this host or its metadata`);
}

/**
 * One HTTP exchange, without following redirects.
 * @throws Unavailable when the server cannot be reached, DeadlineExceeded, Cancelled, Forbidden
 */
export async function exchange(request: HttpRequest): Promise<IncomingMessage> {
  const { url, signal } = request;
  if (signal.aborted) throw cancelled('the request was cancelled');
  if (request.foreign && (isOwnAddress(hostOf(url)) || hostOf(url) === 'localhost')) throw refusal(hostOf(url));
  const isHttps = url.protocol === 'https:';
  const body = typeof request.body === 'function' ? request.body() : request.body;
  const size =
    body === undefined
      ? undefined
      : Buffer.isBuffer(body) || typeof body === 'string'
        ? Buffer.byteLength(body)
        : body.size;
  const outgoing = (isHttps ? https : http).request(url, {
    method: request.method,
    agent: agentOf(url, request.insecure),
    headers: {
      'user-agent': 'cleat',
      ...(size !== undefined && { 'content-length': String(size) }),
      ...request.headers,
    },
    signal,
    timeout: idleTimeout,
    ...(request.foreign && { lookup: guardedLookup }),
  });
  outgoing.once('timeout', () =>
    outgoing.destroy(deadlineExceeded(`${url.host} did not answer within ${idleTimeout / 1000} s`)),
  );
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', (error) => reject(transportError(error, request)));
  });
  if (typeof body === 'object' && 'stream' in body) {
    // A server may answer before it has read everything; its answer counts.
    pipeline(body.stream, outgoing).catch((error: Error) => outgoing.destroy(error));
  } else outgoing.end(body);
  return await answered;
}

function transportError(error: Error, { method, url, signal }: HttpRequest): Error {
  if (signal.aborted) return cancelled('the request was cancelled', { cause: error });
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  const shown = `${url.protocol}//${url.host}${url.pathname}`;
  const wrapped = `${verb} "${shown}": ${dialError(error, url)}`;
  if ('class' in error && error.class === 'Forbidden') return error;
  return unavailable(wrapped, { cause: error });
}

const refusals: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
};

/** What went wrong on the way to a host, in the words of Go's `net` package: scripts look for them. */
function dialError(error: Error, url: URL): string {
  // A name with several addresses fails with all their errors; the first stands for them.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const { code, syscall, address, port } = first as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'ENOTFOUND') return `dial tcp: lookup ${url.hostname}: no such host`;
  const words = code === undefined ? undefined : refusals[code];
  if (words === undefined || syscall !== 'connect') return words ?? messageOf(first);
  const host = address?.includes(':') ? `[${address}]` : address;
  return `dial tcp ${host}:${port}: connect: ${words}`;
}

/** Reads a small answer. @throws InvalidParameter when it is larger */
export async function textOf(response: IncomingMessage, limit: number): Promise<string> {
  return (await readSmall(response, limit, 'the answer of the registry')).toString('utf8');
}

/** Ends an answer whose body does not matter, so that its connection can be used again. */
export function discard(response: IncomingMessage): void {
  response.on('error', () => {
    // Nobody waits for this body.
  });
  response.resume();
}
