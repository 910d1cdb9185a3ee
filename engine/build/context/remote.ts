import { Readable } from 'node:stream';
import {
  deadlineExceeded,
  forbidden,
  invalidParameter,
  messageOf,
  notFound,
  systemError,
  unauthorized,
} from '@cleat/protocol/errors';
import { owned, setTimeout } from '@cleat/protocol/guard';
import type { ContextOptions } from '../service.js';
import type { ContextDirectory, Contexts } from './contexts.js';
import { fromGit, isGitUrl } from './git.js';

/** How long a server may take for its answer's head, and then for each piece, in ms. */
const patienceMs = 60_000;
/** Bytes that tell what an answer is, where its type does not. */
const preambleBytes = 512;
const maxDockerfileBytes = 8 * 1024 * 1024;
const maxComplaintBytes = 4096;

/** Texts as moby's (`daemon/builder/remotecontext`). */
export async function fromRemote(contexts: Contexts, url: string, options: ContextOptions): Promise<ContextDirectory> {
  if (isGitUrl(url)) return await fromGit(contexts, url, options);
  if (/^https?:\/\//.test(url)) return await fromUrl(contexts, url, options);
  throw systemError(`remoteURL (${url}) could not be recognized as URL`);
}

async function fromUrl(contexts: Contexts, url: string, options: ContextOptions): Promise<ContextDirectory> {
  using download = await Download.of(url, options);
  const { type, preamble } = await download.begin();
  if (type === 'text/plain') return await contexts.fromDockerfile(await download.all(maxDockerfileBytes));
  if (!/^application\/(?:(?:x-)?tar|octet-stream|(?:x-)?(?:gzip|bzip2?|xz|zstd))$/.test(type)) {
    throw systemError(
      `error detecting content type for remote ${url}: unsupported Content-Type ${JSON.stringify(type)}`,
    );
  }
  if (preamble.length === 0) throw systemError(`error detecting content type for remote ${url}: empty response`);
  return await contexts.fromTar(owned(Readable.from(download.chunks())), options);
}

/** An answer of a web server that is read under a deadline for each piece. */
class Download implements Disposable {
  readonly #url: string;
  readonly #stop = new AbortController();
  readonly #options: ContextOptions;
  readonly #onAbort = () => this.#stop.abort(this.#options.signal.reason);
  #reader: AsyncIterator<Uint8Array> | undefined;
  #type = '';
  #total: number | undefined;
  #preamble: Buffer = Buffer.alloc(0);

  private constructor(url: string, options: ContextOptions) {
    this.#url = url;
    this.#options = options;
    options.signal.throwIfAborted();
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  static async of(url: string, options: ContextOptions): Promise<Download> {
    const download = new Download(url, options);
    try {
      await download.#open();
      return download;
    } catch (error) {
      download[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#stop.abort();
  }

  async #open(): Promise<void> {
    const answer = await this.#soon(fetch(this.#url, { signal: this.#stop.signal, redirect: 'follow' })).catch(
      (error: unknown) => {
        const cause = error instanceof Error && error.cause ? error.cause : error;
        const said = `error downloading remote context ${this.#url}: ${messageOf(cause)}`;
        throw cause instanceof Error && 'code' in cause && cause.code === 'ENOTFOUND'
          ? notFound(said, { cause: error })
          : systemError(said, { cause: error });
      },
    );
    this.#reader = answer.body?.[Symbol.asyncIterator]();
    this.#type = (answer.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
    const length = Number(answer.headers.get('content-length') ?? Number.NaN);
    this.#total = Number.isNaN(length) ? undefined : length;
    if (answer.status < 400) return;
    const complaint = (await this.#upTo(maxComplaintBytes)).toString('utf8').trim();
    const said = `error downloading remote context ${this.#url}: failed to GET ${this.#url} with status ${answer.status} ${answer.statusText}: ${complaint}`;
    const byStatus = { 400: invalidParameter, 401: unauthorized, 403: forbidden, 404: notFound };
    throw (Object.entries(byStatus).find(([status]) => Number(status) === answer.status)?.[1] ?? systemError)(said);
  }

  /** Its type; of one that says nothing what its first bytes look like. */
  async begin(): Promise<{ type: string; preamble: Buffer }> {
    this.#preamble = await this.#upTo(preambleBytes);
    const isUnknown = this.#type === '' || this.#type === 'application/octet-stream';
    // As Go's http.DetectContentType.
    const isText = !this.#preamble.some((byte) => byte < 9 || byte === 11 || (byte > 13 && byte < 32 && byte !== 27));
    return {
      type: !isUnknown ? this.#type : isText ? 'text/plain' : 'application/octet-stream',
      preamble: this.#preamble,
    };
  }

  async all(maxBytes: number): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of this.chunks()) {
      size += chunk.length;
      if (size > maxBytes) throw invalidParameter(`the Dockerfile at ${this.#url} is larger than ${maxBytes} bytes`);
      parts.push(chunk);
    }
    return Buffer.concat(parts);
  }

  /** With what has been looked at. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    let current = this.#preamble.length;
    const tell = () =>
      this.#options.onProgress?.({ current, ...(this.#total !== undefined && { total: this.#total }) });
    if (current > 0) yield this.#preamble;
    tell();
    for (let chunk = await this.#next(); chunk; chunk = await this.#next()) {
      current += chunk.length;
      yield chunk;
      tell();
    }
  }

  /** At least that much, or all. */
  async #upTo(bytes: number): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for (let size = 0; size < bytes; ) {
      const chunk = await this.#next();
      if (!chunk) break;
      parts.push(chunk);
      size += chunk.length;
    }
    return Buffer.concat(parts);
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (!this.#reader) return undefined;
    const { done, value } = await this.#soon(this.#reader.next());
    return done ? undefined : value;
  }

  async #soon<T>(work: Promise<T>): Promise<T> {
    const late = () =>
      this.#stop.abort(
        deadlineExceeded(`${this.#url} sent nothing for ${patienceMs / 1000} s: the build was given up`),
      );
    const timer = setTimeout(late, patienceMs);
    try {
      return await work;
    } catch (error) {
      throw this.#stop.signal.aborted ? this.#stop.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }
}
