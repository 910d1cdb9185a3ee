import type { Readable } from 'node:stream';
import type { RegistryAuth } from '@cleat/protocol/api/image';
import { dataLoss, systemError, unauthorized } from '@cleat/protocol/errors';
import { digestOf, type StoredBlob } from '../content/blobs.js';
import { isDigest } from '../content/references.js';
import type { Answer } from './answer.js';
import { Authorizer, parseChallenge } from './auth.js';
import type { Endpoint } from './endpoint.js';
import { registryError } from './errors.js';
import { acceptedManifests, type Contents } from './manifest.js';
import { Measured } from './measured.js';
import { retryAfterOf, withRetries } from './retry.js';
import {
  defaultReach,
  type HttpRequest,
  type Reach,
  redirectOf,
  refuseDowngrade,
  Transport,
  urlFrom,
} from './transport.js';
import { statusText } from './wording.js';

const bytesType = { 'content-type': 'application/octet-stream' };

type Call = Pick<HttpRequest, 'method' | 'headers' | 'body'> & { signal: AbortSignal };

export interface RemoteManifest {
  text: string;
  contentType: string;
  /** Digest of the bytes that came. */
  digest: string;
}

/** Speaks to one repository of one registry (OCI distribution-spec). */
export class RegistryClient implements Disposable {
  readonly endpoint: Endpoint;
  readonly #repository: string;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;

  /** @param repository `library/busybox`; empty: none in particular, for {@link login} */
  constructor(
    endpoint: Endpoint,
    repository: string,
    access: 'pull' | 'push',
    auth: RegistryAuth | undefined,
    reach: Reach = defaultReach,
    contents: Contents = 'image',
  ) {
    this.endpoint = endpoint;
    this.#repository = repository;
    this.#transport = new Transport(endpoint, reach);
    const actions = access === 'push' ? 'pull,push' : 'pull';
    // A mirror is another party: credentials for the registry are not meant for it.
    const own = endpoint.mirror ? undefined : auth;
    const resource = contents === 'plugin' ? 'repository(plugin)' : 'repository';
    const scope = repository && `${resource}:${repository}:${actions}`;
    this.#authorizer = new Authorizer(this.#transport, scope, own);
  }

  get limits() {
    return this.#transport.limits;
  }

  /** Whether somebody who speaks the protocol is there. @throws Unavailable when nobody can be reached */
  async ping(signal: AbortSignal): Promise<void> {
    const answer = await this.#transport.send({ method: 'GET', url: this.#url('/v2/'), signal });
    answer.drop();
    const { status } = answer;
    // A registry that is overloaded will be asked again; of mirrors there are others.
    const isBusy = !this.endpoint.mirror && (status === 429 || status >= 500);
    if (status >= 300 && status !== 401 && status !== 403 && !isBusy) {
      throw registryError(status, '', `${this.endpoint.base.host} does not seem to be a registry`);
    }
  }

  /** Whether the registry takes the credentials. @throws Unauthorized, or what the registry or its token server said */
  async login(signal: AbortSignal): Promise<void> {
    const url = this.#url('/v2/');
    const answer = await this.#request(url, { method: 'GET', signal });
    answer.drop();
    if (answer.status === 200) return;
    const text = `login attempt to ${url.href} failed with status: ${statusText(answer.status)}`;
    throw answer.status === 401 ? unauthorized(text) : systemError(text);
  }

  /** @param reference tag or digest */
  async manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest> {
    const call: Call = { method: 'GET', headers: { accept: acceptedManifests }, signal };
    return await this.#again(signal, async () => {
      const answer = await this.#ok(this.#path(`manifests/${reference}`), call, 'manifest');
      const data = await answer.bytes(this.limits.manifest, 'the manifest');
      const digest = digestOf(data);
      if (isDigest(reference) && digest !== reference) {
        throw dataLoss(`manifest verification failed for digest ${reference}`);
      }
      return { text: data.toString('utf8'), contentType: answer.headers['content-type'] ?? '', digest };
    });
  }

  /** All tags of the repository. @throws System for a list that does not end */
  async tags(signal: AbortSignal): Promise<string[]> {
    const tags = new Set<string>();
    const seen = new Set<string>();
    const { tagPages, emptyTagPages } = this.limits;
    let empty = 0;
    for (let next: URL | undefined = this.#path('tags/list'); next; ) {
      if (seen.has(next.href) || seen.size >= tagPages || empty >= emptyTagPages || tags.size > this.limits.tags) {
        throw systemError(`the registry's list of tags does not end: given up after ${seen.size} pages`);
      }
      seen.add(next.href);
      const page: { tags: string[]; next: URL | undefined } = await this.#tagPage(next, signal);
      const before = tags.size;
      for (const tag of page.tags) tags.add(tag);
      empty = tags.size > before ? 0 : empty + 1;
      next = page.next;
    }
    return [...tags];
  }

  async #tagPage(url: URL, signal: AbortSignal): Promise<{ tags: string[]; next: URL | undefined }> {
    return await this.#again(signal, async () => {
      const answer = await this.#ok(url, { method: 'GET', signal }, 'tags');
      const page = parsedJson(await answer.bytes(this.limits.manifest, 'the list of tags'), 'the list of tags');
      const list = typeof page === 'object' && page !== null && 'tags' in page ? page.tags : [];
      const tags = Array.isArray(list) ? list.filter((tag) => typeof tag === 'string') : [];
      const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(answer.headers.link ?? ''))?.[1];
      const following = link === undefined ? undefined : urlFrom(link, url);
      return { tags, next: following && this.#transport.isHome(following) ? following : undefined };
    });
  }

  /** The configuration of an artifact, not yet verified. */
  async config(digest: string, signal: AbortSignal): Promise<Buffer> {
    return await this.#again(signal, async () => {
      const answer = await this.blob(digest, 0, signal);
      return await answer.bytes(this.limits.config, 'the configuration');
    });
  }

  /**
   * A blob's content from `offset` on, if the server can do that; the caller looks at the status (206 or 200) and
   * verifies. Redirects to other hosts are followed without credentials.
   */
  async blob(digest: string, offset: number, signal: AbortSignal): Promise<Answer> {
    const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
    return await this.#ok(this.#path(`blobs/${digest}`), { method: 'GET', headers, signal }, `blob ${digest}`);
  }

  /** Whether the repository has the blob. */
  async hasBlob(digest: string, signal: AbortSignal): Promise<boolean> {
    return await this.#again(signal, async () => {
      const answer = await this.#request(this.#path(`blobs/${digest}`), { method: 'HEAD', signal });
      answer.drop();
      if (answer.status === 404) return false;
      if (answer.status === 200) return true;
      throw this.#error(answer, '', `blob ${digest}`);
    });
  }

  /**
   * Lets another repository of the registry share a blob (distribution-spec, "mounting a blob").
   * @returns whether it did; a registry that does not, or may not, says so by beginning an upload, or by refusing
   */
  async mount(digest: string, from: string, signal: AbortSignal): Promise<boolean> {
    const scope = `repository:${from}:pull`;
    this.#authorizer.widen(scope);
    const url = this.#path('blobs/uploads/');
    url.search = new URLSearchParams({ mount: digest, from }).toString();
    try {
      const answer = await this.#request(url, { method: 'POST', body: '', signal });
      answer.drop();
      if (answer.status === 201) return true;
      const { location } = answer.headers;
      if (answer.status === 202 && location !== undefined) await this.#giveUp(urlFrom(location, url), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // The blob is uploaded instead, which meets what is really wrong.
    }
    this.#authorizer.narrow(scope);
    return false;
  }

  /** Ends an upload that nobody goes on with. */
  async #giveUp(upload: URL, signal: AbortSignal): Promise<void> {
    if (!this.#transport.isHome(upload)) return;
    (await this.#request(upload, { method: 'DELETE', signal })).drop();
  }

  /** Uploads a blob in one piece. @param open makes a fresh stream of the content, for each try */
  async upload(digest: string, size: number, open: () => Readable, signal: AbortSignal): Promise<void> {
    await this.#again(signal, async () => {
      const url = await this.#beginUpload(signal);
      url.searchParams.set('digest', digest);
      const body = () => ({ stream: open(), size });
      (await this.#ok(url, { method: 'PUT', headers: bytesType, body, signal }, `upload of ${digest}`)).drop();
    });
  }

  /**
   * Uploads a blob whose digest shows at its end only (distribution-spec, "pushing a blob in chunks": the one chunk has no
   * length that is told).
   * @param open reads the content anew, for each try
   * @throws RegistryError, also of a registry that takes no such chunk; what the content throws, and nothing is kept then
   */
  async uploadUnknown(open: () => AsyncIterable<Buffer>, signal: AbortSignal): Promise<StoredBlob> {
    return await this.#again(signal, async () => {
      const url = await this.#beginUpload(signal);
      let content = new Measured(open);
      const body = () => {
        content = new Measured(open);
        return { stream: content.stream };
      };
      const sent = await this.#ok(url, { method: 'PATCH', headers: bytesType, body, signal }, 'upload');
      sent.drop();
      const blob = await content.whole(this.limits.uploadAnswer);
      const end = this.#uploadAt(sent.headers.location ?? url.href, url);
      end.searchParams.set('digest', blob.digest);
      (await this.#ok(end, { method: 'PUT', body: '', signal }, `upload of ${blob.digest}`)).drop();
      return blob;
    });
  }

  async #beginUpload(signal: AbortSignal): Promise<URL> {
    const start = this.#path('blobs/uploads/');
    const started = await this.#ok(start, { method: 'POST', body: '', signal }, 'upload');
    started.drop();
    const { location } = started.headers;
    if (location === undefined) throw systemError('the registry names no place to upload to');
    return this.#uploadAt(location, start);
  }

  #uploadAt(location: string, from: URL): URL {
    const url = urlFrom(location, from);
    refuseDowngrade(this.endpoint.base, url);
    return url;
  }

  async putManifest(tag: string, type: string, text: string, signal: AbortSignal): Promise<void> {
    const call: Call = { method: 'PUT', headers: { 'content-type': type }, body: text, signal };
    await this.#again(signal, async () => (await this.#ok(this.#path(`manifests/${tag}`), call, 'manifest')).drop());
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }

  #again<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return withRetries({ limits: this.limits, signal }, work);
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
  async #ok(url: URL, call: Call, what: string): Promise<Answer> {
    const answer = await this.#request(url, call);
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw this.#error(answer, await answer.errorText(), what);
  }

  #error(answer: Answer, body: string, what: string): Error {
    return registryError(answer.status, body, what, retryAfterOf(answer.headers['retry-after']));
  }

  /** Answers one demand for credentials, and follows redirects of reads. */
  async #request(start: URL, call: Call): Promise<Answer> {
    let url = start;
    let renewed = false;
    const { redirects } = this.limits;
    for (let hop = 0; hop <= redirects; ) {
      const answer = await this.#send(url, call);
      if (answer.status === 401 && !renewed && this.#transport.isHome(url)) {
        renewed = true;
        const header = await this.#authorizer.renew(parseChallenge(answer.headers['www-authenticate']), call.signal);
        if (header === undefined) return answer;
        answer.drop();
        continue;
      }
      const isRead = call.method === 'GET' || call.method === 'HEAD';
      const target: URL | undefined = isRead ? redirectOf(answer, url) : undefined;
      if (!target) return answer;
      url = target;
      hop++;
    }
    throw systemError(`stopped after ${redirects} redirects from ${start.host}`);
  }

  async #send(url: URL, call: Call): Promise<Answer> {
    const authorization = this.#transport.isHome(url) ? this.#authorizer.header : undefined;
    const headers = { ...call.headers, ...(authorization !== undefined && { authorization }) };
    return await this.#transport.send({ ...call, url, headers });
  }
}

function parsedJson(data: Buffer, what: string): unknown {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch (cause) {
    throw systemError(`${what} is not JSON`, { cause });
  }
}
