import { lookup as systemLookup } from 'node:dns';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CleatError, cancelled, deadlineExceeded, forbidden, systemError } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { isHostAddress, isMetadataAddress } from './addresses.js';
import { Answer } from './answer.js';
import { certificatesFor } from './certificates.js';
import type { Endpoint } from './endpoint.js';
import { type RegistryLimits, registryLimits } from './limits.js';
import { environmentProxies, type Proxies, proxyFor, proxyHeaders } from './proxy.js';
import { TunnelAgent } from './tunnel.js';
import { requestText, transportError } from './wording.js';

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: URL;
  headers?: Record<string, string>;
  /** A stream whose size is not known is sent in chunks. */
  body?: Buffer | string | (() => { stream: Readable; size?: number });
  signal: AbortSignal;
}

/** How far registries reach, and where they lead; tests put others in place. */
export interface Reach {
  limits: RegistryLimits;
  lookup: LookupFunction;
  isHostAddress: (address: string) => boolean;
  /** The environment's, where it is missing. */
  proxies?: Proxies;
}

export const defaultReach: Reach = { limits: registryLimits, lookup: systemLookup as LookupFunction, isHostAddress };

/** The same scheme, host and port: what one is trusted with, the other may have. */
export function sameHost(a: URL, b: URL): boolean {
  return a.protocol === b.protocol && a.host === b.host;
}

/** The host of a URL without the brackets of IPv6. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function refusal(hostname: string): CleatError {
  return forbidden(`refusing to follow the server to ${hostname}: it is an address of this host or its metadata`);
}

/**
 * Requests to a registry (or another server that a client named) and to those that it names, over connections of its own: what one registry opened, another
 * does not use.
 *
 * A registry that is not on this host may lead to no address of this host. That is decided by addresses, when a
 * connection is made: a name may mean one thing now and another in a moment. Where a proxy makes the connection, it knows
 * the addresses of names, and this host is not what it reaches; addresses in a URL are refused all the same.
 */
export class Transport implements Disposable {
  readonly endpoint: Endpoint;
  readonly limits: RegistryLimits;
  readonly #reach: Reach;
  readonly #agents = new Map<string, http.Agent>();
  /** Whether the registry is on this host; undefined until it was reached. */
  #isLocal: boolean | undefined;

  constructor(endpoint: Endpoint, reach: Reach) {
    this.endpoint = endpoint;
    this.limits = reach.limits;
    this.#reach = reach;
    const host = hostOf(endpoint.base);
    if (host === 'localhost') this.#isLocal = true;
    else if (isIP(host)) this.#isLocal = reach.isHostAddress(host);
  }

  isHome(url: URL): boolean {
    return sameHost(url, this.endpoint.base);
  }

  /**
   * One HTTP exchange, without following redirects.
   * @throws Unavailable when the server cannot be reached but perhaps later, System when trying again is no use,
   * DeadlineExceeded, Cancelled, Forbidden
   */
  async send(request: HttpRequest): Promise<Answer> {
    const { url, method, signal } = request;
    if (signal.aborted) throw cancelled('the request was cancelled');
    const isHome = this.isHome(url);
    const host = hostOf(url);
    if (isIP(host) && this.#isForbidden(host, isHome)) throw refusal(host);
    if (!isHome && host === 'localhost' && !this.#isLocal) throw refusal(host);
    const proxy = proxyFor(url, this.#reach.proxies ?? environmentProxies());
    const message = await this.#exchange(request, isHome, proxy);
    const answer = new Answer(message, method, url, this.limits, signal);
    // Behind a proxy is not this host, whatever the proxy's own address is.
    if (isHome) this.#isLocal ??= proxy === undefined && this.#reach.isHostAddress(answer.address);
    return answer;
  }

  #isForbidden(address: string, isHome: boolean): boolean {
    if (isHome) return this.#isLocal === false && this.#reach.isHostAddress(address);
    return isMetadataAddress(address) || (!this.#isLocal && this.#reach.isHostAddress(address));
  }

  #exchange(request: HttpRequest, isHome: boolean, proxy: URL | undefined): Promise<IncomingMessage> {
    const { url, method, signal } = request;
    const isPlain = url.protocol === 'http:';
    const through = isPlain ? proxy : undefined;
    const body = typeof request.body === 'function' ? request.body() : request.body;
    const wait = body === undefined || method === 'GET' ? this.limits.answer : this.limits.uploadAnswer;
    return new Promise((resolve, reject) => {
      let broken: unknown;
      let late: NodeJS.Timeout | undefined;
      let answered = false;
      const fail = (error: unknown): void => {
        clearTimeout(late);
        if (signal.aborted) reject(cancelled('the request was cancelled', { cause: error }));
        else if (broken instanceof CleatError) reject(broken);
        else reject(error instanceof CleatError ? error : transportError(error, method, url));
      };
      let outgoing: http.ClientRequest;
      try {
        const client = (through ?? url).protocol === 'https:' ? https : http;
        outgoing = client.request(through ?? url, {
          method,
          agent: this.#agentOf(url, isHome, proxy),
          // A proxy for plain HTTP is asked for the whole URL (RFC 9112, 3.2.2).
          ...(through && { path: url.href, auth: '' }),
          headers: {
            'user-agent': 'cleat',
            ...(through && { host: url.host, ...proxyHeaders(through) }),
            ...contentLength(body),
            ...request.headers,
          },
          signal,
          maxHeaderSize: this.limits.head,
          // The operator names the proxy, which may well be on this host.
          lookup: through ? this.#reach.lookup : this.#lookup(isHome),
        });
      } catch (error) {
        // A header or path that cannot be sent: somebody else's text.
        fail(error);
        return;
      }
      const arm = (): void => {
        clearTimeout(late);
        if (!answered) late = setTimeout(() => outgoing.destroy(tooLate(method, url)), wait);
      };
      // While it waits for its place among the connections, nobody is slow.
      outgoing.once('socket', arm);
      outgoing.on('error', fail);
      outgoing.once('response', (message) => {
        clearTimeout(late);
        answered = true;
        resolve(message);
      });
      if (typeof body === 'object' && 'stream' in body) {
        // A server may answer before it has read everything; its answer counts.
        body.stream.on('data', arm);
        // Ended by it, the request only says that it was ended.
        body.stream.once('error', (error) => {
          broken = error;
        });
        pipeline(body.stream, outgoing).catch((error: Error) => outgoing.destroy(error));
      } else outgoing.end(body);
    });
  }

  /** Resolves names, and refuses those that lead where the registry may not. */
  #lookup(isHome: boolean): LookupFunction {
    return (hostname, options, callback) => {
      this.#reach.lookup(hostname, { ...options, all: true }, (error, found) => {
        if (error) return callback(error, []);
        const addresses = typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found;
        if (addresses.some(({ address }) => this.#isForbidden(address, isHome))) return callback(refusal(hostname), []);
        if (options.all) return callback(null, addresses);
        const [first] = addresses;
        return callback(null, first?.address ?? '', first?.family);
      });
    };
  }

  #agentOf(url: URL, isHome: boolean, proxy: URL | undefined): http.Agent {
    const key = `${url.protocol}//${url.host} ${proxy?.href ?? ''}`;
    let agent = this.#agents.get(key);
    if (!agent) {
      const pool = { keepAlive: true, maxSockets: this.limits.connections, timeout: this.limits.uploadAnswer };
      if (url.protocol === 'http:') agent = proxy?.protocol === 'https:' ? new https.Agent(pool) : new http.Agent(pool);
      else {
        const trust = { rejectUnauthorized: !(isHome && this.endpoint.insecure), ...certificatesFor(url.host) };
        const options = { ...pool, ...trust };
        agent = proxy ? new TunnelAgent(proxy, this.limits.answer, options) : new https.Agent(options);
      }
      this.#agents.set(key, agent);
    }
    return agent;
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }
}

function tooLate(method: string, url: URL): CleatError {
  const reason = 'net/http: request canceled (Client.Timeout exceeded while awaiting headers)';
  return deadlineExceeded(`${requestText(method, url)}: ${reason}`);
}

function contentLength(body: Buffer | string | { size?: number } | undefined): Record<string, string> {
  if (body === undefined) return {};
  const isText = Buffer.isBuffer(body) || typeof body === 'string';
  const size = isText ? Buffer.byteLength(body) : body.size;
  return size === undefined ? {} : { 'content-length': String(size) };
}

/**
 * Where a read is led on to, if this answer, which is dropped then, is not the last one.
 * @throws System for a way that is less safe
 */
export function redirectOf(answer: Answer, from: URL): URL | undefined {
  const { location } = answer.headers;
  if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return undefined;
  answer.drop();
  const target = urlFrom(location, from);
  refuseDowngrade(from, target);
  return target;
}

/** A request that began with TLS goes on with TLS. @throws System */
export function refuseDowngrade(from: URL, to: URL): void {
  if (to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:')) return;
  throw systemError(`refusing a redirect from ${from.host} to ${to.protocol}//${to.host}`);
}

/** A URL that a server wrote. @throws System in Go's words */
export function urlFrom(text: string, base?: URL): URL {
  try {
    return new URL(text, base);
  } catch (cause) {
    throw systemError(`parse ${JSON.stringify(text.slice(0, 200))}: invalid URL`, { cause });
  }
}
