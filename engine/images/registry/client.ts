import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Readable } from 'node:stream';
import type { RegistryAuth } from '@cleat/protocol/api/image';
import { dataLoss, systemError, unauthorized } from '@cleat/protocol/errors';
import { digestOf, readSmall } from '../blobs.js';
import { isDigest } from '../references.js';
import { Authorizer, isOwn, parseChallenge, sameHost } from './auth.js';
import type { Endpoint } from './endpoint.js';
import { registryError } from './errors.js';
import { discard, exchange, type HttpRequest, textOf } from './http.js';
import { acceptedManifests } from './manifest.js';

/** As Docker: a manifest is small. */
const maxManifest = 4 * 1024 * 1024;
const maxErrorBody = 64 * 1024;
const maxRedirects = 5;
const maxTags = 100_000;

type Call = Pick<HttpRequest, 'method' | 'headers' | 'body'> & { signal: AbortSignal };

export interface RemoteManifest {
  text: string;
  contentType: string;
  /** Of the bytes that came. */
  digest: string;
}

/** Speaks to one repository of one registry (OCI distribution-spec). */
export class RegistryClient {
  readonly endpoint: Endpoint;
  readonly #repository: string;
  readonly #authorizer: Authorizer;

  /** @param repository `library/busybox`; empty: none in particular, for {@link login} */
  constructor(endpoint: Endpoint, repository: string, access: 'pull' | 'push', auth: RegistryAuth | undefined) {
    this.endpoint = endpoint;
    this.#repository = repository;
    const actions = access === 'push' ? 'pull,push' : 'pull';
    // A mirror is another party: credentials for the registry are not meant for it.
    const own = endpoint.mirror ? undefined : auth;
    const scope = repository && `repository:${repository}:${actions}`;
    this.#authorizer = new Authorizer(endpoint, scope, own);
  }

  /** Whether somebody who speaks the protocol is there. @throws Unavailable when nobody can be reached */
  async ping(signal: AbortSignal): Promise<void> {
    const response = await this.#send(this.#url('/v2/'), { method: 'GET', signal });
    discard(response);
    const status = response.statusCode ?? 0;
    if (status >= 300 && status !== 401 && status !== 403) {
      throw registryError(status, '', `${this.endpoint.base.host} does not seem to be a registry`);
    }
  }

  /** Whether the registry takes the credentials. @throws Unauthorized, or what the registry or its token server said */
  async login(signal: AbortSignal): Promise<void> {
    const url = this.#url('/v2/');
    const response = await this.#request(url, { method: 'GET', signal });
    discard(response);
    const status = response.statusCode ?? 0;
    if (status === 200) return;
    const text = `login attempt to ${url.href} failed with status: ${status} ${STATUS_CODES[status] ?? ''}`.trim();
    throw status === 401 ? unauthorized(text) : systemError(text);
  }

  /** @param reference tag or digest */
  async manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest> {
    const call: Call = { method: 'GET', headers: { accept: acceptedManifests }, signal };
    const response = await this.#ok(this.#path(`manifests/${reference}`), call, 'manifest');
    const data = await readSmall(response, maxManifest, 'the manifest');
    const digest = digestOf(data);
    if (isDigest(reference) && digest !== reference) {
      throw dataLoss(`manifest verification failed for digest ${reference}`);
    }
    return { text: data.toString('utf8'), contentType: response.headers['content-type'] ?? '', digest };
  }

  /** All tags of the repository. */
  async tags(signal: AbortSignal): Promise<string[]> {
    const tags: string[] = [];
    let next: URL | undefined = this.#path('tags/list');
    while (next && tags.length < maxTags) {
      const response: IncomingMessage = await this.#ok(next, { method: 'GET', signal }, 'tags');
      const page: unknown = JSON.parse(await textOf(response, maxManifest));
      const list = typeof page === 'object' && page !== null && 'tags' in page ? page.tags : [];
      if (Array.isArray(list)) tags.push(...list.filter((tag) => typeof tag === 'string'));
      const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(response.headers.link ?? ''))?.[1];
      const following: URL | undefined = link === undefined ? undefined : new URL(link, next);
      next = following && sameHost(following, this.endpoint.base) ? following : undefined;
    }
    return tags;
  }

  /** A blob's content; the caller verifies it. Redirects to other hosts are followed without credentials. */
  async blob(digest: string, signal: AbortSignal): Promise<IncomingMessage> {
    return await this.#ok(this.#path(`blobs/${digest}`), { method: 'GET', signal }, `blob ${digest}`);
  }

  /** The blob's size if the repository has it. */
  async hasBlob(digest: string, signal: AbortSignal): Promise<boolean> {
    const response = await this.#request(this.#path(`blobs/${digest}`), { method: 'HEAD', signal });
    discard(response);
    if (response.statusCode === 404) return false;
    if (response.statusCode === 200) return true;
    throw registryError(response.statusCode ?? 0, '', `blob ${digest}`);
  }

  /** Uploads a blob in one piece. @param open makes a fresh stream of the content */
  async upload(digest: string, size: number, open: () => Readable, signal: AbortSignal): Promise<void> {
    const started = await this.#ok(this.#path('blobs/uploads/'), { method: 'POST', body: '', signal }, 'upload');
    discard(started);
    const { location } = started.headers;
    if (location === undefined) throw systemError('the registry names no place to upload to');
    const url = new URL(location, this.#path('blobs/uploads/'));
    url.searchParams.set('digest', digest);
    const headers = { 'content-type': 'application/octet-stream' };
    const body = () => ({ stream: open(), size });
    discard(await this.#ok(url, { method: 'PUT', headers, body, signal }, `upload of ${digest}`));
  }

  async putManifest(tag: string, type: string, text: string, signal: AbortSignal): Promise<void> {
    const call: Call = { method: 'PUT', headers: { 'content-type': type }, body: text, signal };
    discard(await this.#ok(this.#path(`manifests/${tag}`), call, 'manifest'));
  }

  #url(path: string): URL {
    const url = new URL(this.endpoint.base);
    url.pathname = url.pathname.replace(/\/$/, '') + path;
    return url;
  }

  #path(rest: string): URL {
    return this.#url(`/v2/${this.#repository}/${rest}`);
  }

  /** @throws RegistryError unless the answer is a success */
  async #ok(url: URL, call: Call, what: string): Promise<IncomingMessage> {
    const response = await this.#request(url, call);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw registryError(status, await textOf(response, maxErrorBody).catch(() => ''), what);
  }

  /** Answers one demand for credentials, and follows redirects of reads. */
  async #request(start: URL, call: Call): Promise<IncomingMessage> {
    let url = start;
    let renewed = false;
    for (let hop = 0; hop <= maxRedirects; ) {
      const response = await this.#send(url, call);
      const status = response.statusCode ?? 0;
      if (status === 401 && !renewed && sameHost(url, this.endpoint.base)) {
        renewed = true;
        const header = await this.#authorizer.renew(parseChallenge(response.headers['www-authenticate']), call.signal);
        if (header === undefined) return response;
        discard(response);
        continue;
      }
      const { location } = response.headers;
      const isRead = call.method === 'GET' || call.method === 'HEAD';
      if (![301, 302, 303, 307, 308].includes(status) || location === undefined || !isRead) return response;
      discard(response);
      const target: URL = new URL(location, url);
      if (target.protocol !== 'https:' && !(target.protocol === 'http:' && url.protocol === 'http:')) {
        throw systemError(`refusing a redirect from ${url.host} to ${target.protocol}//${target.host}`);
      }
      url = target;
      hop++;
    }
    throw systemError(`stopped after ${maxRedirects} redirects from ${start.host}`);
  }

  async #send(url: URL, call: Call): Promise<IncomingMessage> {
    const isHome = sameHost(url, this.endpoint.base);
    const authorization = isHome ? this.#authorizer.header : undefined;
    return await exchange({
      ...call,
      url,
      headers: { ...call.headers, ...(authorization !== undefined && { authorization }) },
      insecure: isHome && this.endpoint.insecure,
      foreign: !isHome && !isOwn(this.endpoint.base),
    });
  }
}
