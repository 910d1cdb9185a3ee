import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type CleatError, invalidParameter, unavailable } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { gunzip } from './gunzip.js';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2';

const magics: readonly (readonly [Compression, Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b, 0x08])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['bzip2', Buffer.from('BZh')],
];

/** Enough bytes to tell all compressions apart. */
const magicLength = 6;

/** Tells the compression of a stream, by its first bytes. */
export function detectCompression(head: Buffer): Compression {
  const found = magics.find(([, magic]) => head.subarray(0, magic.length).equals(magic));
  if (found) return found[0];
  // A zstd stream may begin with a frame to be skipped (RFC 8878, 3.1.2).
  const isSkippable = head.length >= 4 && head.readUInt32LE(0) >>> 4 === 0x184d2a5;
  return isSkippable ? 'zstd' : 'none';
}

/** The decompressor of each method that Node 20 does not have: the host's own command, never the container's. */
const commands: Readonly<Record<'zstd' | 'xz' | 'bzip2', readonly [command: string, ...args: string[]]>> = {
  // 128 MiB is the window that every zstd decoder has to support; larger ones are an attack on memory.
  zstd: ['zstd', '--decompress', '--stdout', '--quiet', '--memory=128MB'],
  xz: ['xz', '--decompress', '--stdout', '--memlimit-decompress=256MiB'],
  bzip2: ['bzip2', '--decompress', '--stdout'],
};

/** A stream whose first bytes have told how it is compressed. */
export interface Detected {
  compression: Compression;
  /** The whole stream, as it came. */
  source: AsyncIterable<Buffer>;
}

/** Reads as much of a stream as it needs to know its compression. */
export async function detect(source: AsyncIterable<Buffer>): Promise<Detected> {
  const chunks = source[Symbol.asyncIterator]();
  const head: Buffer[] = [];
  for (let length = 0; length < magicLength; ) {
    const next = await chunks.next();
    if (next.done) break;
    head.push(next.value);
    length += next.value.length;
  }
  return { compression: detectCompression(Buffer.concat(head)), source: continued(head, chunks) };
}

async function* continued(head: Buffer[], chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* head;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  } finally {
    await chunks.return?.();
  }
}

/**
 * The content of a stream. Nothing is held but what is under way, whatever it unfolds to.
 * @throws through the iteration: InvalidParameter for damaged data, Unavailable when a command is not installed, and
 * what `source` throws
 */
export function decompress(source: AsyncIterable<Buffer>, compression: Compression): AsyncIterable<Buffer> {
  if (compression === 'none') return source;
  return compression === 'gzip' ? gunzip(source) : throughCommand(source, compression);
}

async function* throughCommand(
  source: AsyncIterable<Buffer>,
  compression: 'zstd' | 'xz' | 'bzip2',
): AsyncGenerator<Buffer> {
  const [command, ...args] = commands[compression];
  const env = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] }) as ChildProcessByStdio<
    Writable,
    Readable,
    Readable
  >;
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-1000);
  });
  const ended = new Promise<Error | undefined>((resolve) => {
    child.once('error', () =>
      resolve(
        unavailable(
          `this archive is compressed with ${compression}, and the ${command} command is not installed: install it (on Debian: apt install ${compression === 'xz' ? 'xz-utils' : compression})`,
        ),
      ),
    );
    child.once('close', (code) =>
      resolve(code === 0 || isBehindEnd(complaint) ? undefined : damaged(compression, complaint)),
    );
  });
  let sourceError: unknown;
  const fed = pipeline(
    noting(source, (error) => (sourceError = error)),
    owned(child.stdin),
  ).catch(() => {
    // A command that has ended takes no more; its exit tells why. Or else the source has failed.
  });
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
    const failure = await ended;
    await fed;
    if (sourceError !== undefined) throw sourceError;
    if (failure) throw failure;
  } finally {
    child.kill('SIGKILL');
  }
}

/**
 * Bytes behind the end that are no further frame, as zstd tells them (the first one was recognized by its magic). Go's
 * readers of archives leave them; bzip2 does, too, and xz where they are zeros.
 */
const isBehindEnd = (complaint: string): boolean => /: (unsupported format|unknown header)\s*$/.test(complaint);

/** How the decompressors say that there should have been more. */
const cutShort = /unexpected end of (file|input)|ends unexpectedly|premature end/i;
const tooLarge = /memory/i;

/** One sentence, whatever advice a command gives at its terminal. */
function damaged(compression: Compression, complaint: string): CleatError {
  if (cutShort.test(complaint)) return invalidParameter('unexpected EOF');
  const why = tooLarge.test(complaint) ? 'needs more memory than is allowed' : 'is damaged';
  return invalidParameter(`the ${compression} data ${why}`, { cause: new Error(complaint.trim()) });
}

/** Hears of the source's own errors: not of the one with which its reader ends it. */
function noting(source: AsyncIterable<Buffer>, onError: (error: unknown) => void): Readable {
  const chunks = source[Symbol.asyncIterator]();
  const next = async () => {
    try {
      return await chunks.next();
    } catch (error) {
      onError(error);
      throw error;
    }
  };
  return owned(
    Readable.from(
      (async function* () {
        try {
          for (let chunk = await next(); !chunk.done; chunk = await next()) yield chunk.value;
        } finally {
          await chunks.return?.();
        }
      })(),
    ),
  );
}
