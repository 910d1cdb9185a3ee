import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { dirname, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SpareSpace } from '@cleat/linux/files/spare-space';
import { invalidParameter, messageOf, unavailable } from '@cleat/protocol/errors';
import type { Client } from '../api/client.js';
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

/** @param checksum `sha256:…`, of the content @throws InvalidParameter, Unavailable, Forbidden */
export async function download(
  client: Pick<Client, 'open'>,
  url: string,
  file: string,
  options: { checksum?: string; signal: AbortSignal; onProgress?: (current: number, total?: number) => Promise<void> },
): Promise<Downloaded> {
  const [algorithm = '', expected = ''] = options.checksum?.split(':') ?? ['sha256'];
  if (!digests.includes(algorithm) || (options.checksum !== undefined && !/^[0-9a-f]+$/.test(expected))) {
    throw fault(`invalid checksum ${JSON.stringify(options.checksum)}: write sha256:… of the content`);
  }
  const { signal } = options;
  const answer = await client.open('GET', '/build-records/download', { query: { url }, signal });
  const length = Number(answer.headers['content-length'] ?? Number.NaN);
  const [sum, checked] = [createHash('sha256'), createHash(algorithm)];
  const spare = new SpareSpace(dirname(file));
  let size = 0;
  try {
    await pipeline(
      answer,
      async function* (source: AsyncIterable<Uint8Array>) {
        for await (const chunk of source) {
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
  } catch (error) {
    signal.throwIfAborted();
    // The engine's answer was cut short, as the server's was.
    if (answer.errored === error) throw unavailable(`cannot download ${url}: ${messageOf(error)}`, { cause: error });
    throw error;
  }
  const actual = checked.digest('hex');
  if (options.checksum !== undefined && actual !== expected) {
    throw invalidParameter(`digest mismatch ${algorithm}:${actual}: ${options.checksum}`);
  }
  const modified = Date.parse(answer.headers['last-modified'] ?? '');
  const mtime = Math.floor((Number.isNaN(modified) ? Date.now() : modified) / 1000);
  return { file, name: nameOfUrl(url), size, mtime, digest: sum.digest('hex') };
}
