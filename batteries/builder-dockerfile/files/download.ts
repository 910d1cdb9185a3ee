import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { dirname, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SpareSpace } from '@cleat/linux/files/spare-space';
import { invalidParameter, messageOf, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { fault } from '../language/fault.js';

export interface Downloaded {
  readonly file: string;
  readonly name: string;
  readonly size: number;
  /** Seconds; of the server's Last-Modified, or now. */
  readonly mtime: number;
  /** SHA-256, in hexadecimal. */
  readonly digest: string;
}

/** How long a server may say nothing. */
const silenceMs = 60_000;
const maxBytes = 64 * 1024 ** 3;
const digests = ['sha256', 'sha384', 'sha512'];

export function isUrl(source: string): boolean {
  return /^https?:\/\//.test(source);
}

/** The name that a URL gives its file. */
export function nameOfUrl(url: string): string {
  try {
    const base = posix.basename(decodeURIComponent(new URL(url).pathname));
    return base === '' || base === '.' || base === '..' || base.includes('/') ? '__unnamed__' : base;
  } catch {
    return '__unnamed__';
  }
}

/** @param checksum `sha256:…`, of the content @throws InvalidParameter, Unavailable */
export async function download(
  url: string,
  file: string,
  options: { checksum?: string; signal: AbortSignal; onProgress?: (current: number, total?: number) => Promise<void> },
): Promise<Downloaded> {
  const [algorithm = '', expected = ''] = options.checksum?.split(':') ?? ['sha256'];
  if (!digests.includes(algorithm) || (options.checksum !== undefined && !/^[0-9a-f]+$/.test(expected))) {
    throw fault(`invalid checksum ${JSON.stringify(options.checksum)}: write sha256:… of the content`);
  }
  const silent = new AbortController();
  const signal = AbortSignal.any([options.signal, silent.signal]);
  const late = () => silent.abort(unavailable(`${url}: the server has said nothing for ${silenceMs / 1000} s`));
  let timer = setTimeout(late, silenceMs);
  try {
    const response = await fetch(url, { redirect: 'follow', signal });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw invalidParameter(`invalid response status ${response.status} from ${url}`);
    }
    const length = Number(response.headers.get('content-length') ?? Number.NaN);
    const [sum, checked] = [createHash('sha256'), createHash(algorithm)];
    const spare = new SpareSpace(dirname(file));
    let size = 0;
    const body: AsyncIterable<Uint8Array> = response.body;
    await pipeline(
      body,
      async function* (source: AsyncIterable<Uint8Array>) {
        for await (const chunk of source) {
          clearTimeout(timer);
          timer = setTimeout(late, silenceMs);
          size += chunk.length;
          if (size > maxBytes) throw invalidParameter(`${url} is larger than ${maxBytes} bytes`);
          spare.take(chunk.length);
          sum.update(chunk);
          checked.update(chunk);
          yield chunk;
          await options.onProgress?.(size, Number.isNaN(length) ? undefined : length);
        }
      },
      createWriteStream(file, { mode: 0o600 }),
    );
    const actual = checked.digest('hex');
    if (options.checksum !== undefined && actual !== expected) {
      throw invalidParameter(`digest mismatch ${algorithm}:${actual}: ${options.checksum}`);
    }
    const modified = Date.parse(response.headers.get('last-modified') ?? '');
    const mtime = Math.floor((Number.isNaN(modified) ? Date.now() : modified) / 1000);
    return { file, name: nameOfUrl(url), size, mtime, digest: sum.digest('hex') };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof TypeError) {
      throw unavailable(`cannot download ${url}: ${messageOf(error.cause ?? error)}`, { cause: error });
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
