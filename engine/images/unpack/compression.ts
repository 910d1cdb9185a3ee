import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { invalidParameter, unavailable } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2';

const magics: readonly (readonly [Compression, Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b, 0x08])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['bzip2', Buffer.from('BZh')],
];

/** Enough bytes to tell all compressions apart. */
export const magicLength = 6;

/** What a stream is compressed with, by its first bytes. */
export function detectCompression(head: Buffer): Compression {
  return magics.find(([, magic]) => head.subarray(0, magic.length).equals(magic))?.[0] ?? 'none';
}

/** The decompressor of each method that Node 20 does not have: the host's own command, which reads stdin. */
const commands: Readonly<Record<'zstd' | 'xz' | 'bzip2', readonly [command: string, ...args: string[]]>> = {
  // 128 MiB is the window that every zstd decoder has to support; larger ones are an attack on memory.
  zstd: ['zstd', '--decompress', '--stdout', '--quiet', '--memory=128MB'],
  xz: ['xz', '--decompress', '--stdout', '--memlimit-decompress=256MiB'],
  bzip2: ['bzip2', '--decompress', '--stdout'],
};

export interface Decompressed {
  chunks: AsyncIterable<Buffer>;
  /** Compressed bytes used so far; 0 where an external command reads them. */
  read(): number;
}

/**
 * The content of an open file, decompressed.
 * @throws through the stream: InvalidParameter for damaged data, Unavailable when the command is not installed
 */
export function decompress(fd: number, compression: Compression): Decompressed {
  if (compression !== 'gzip' && compression !== 'none') {
    return { chunks: throughCommand(fd, compression), read: () => 0 };
  }
  const file = owned(createReadStream('', { fd, start: 0, autoClose: false, highWaterMark: 256 * 1024 }));
  if (compression === 'none') return { chunks: file, read: () => file.bytesRead };
  const gunzip = owned(createGunzip({ chunkSize: 256 * 1024 }));
  pipeline(file, gunzip, () => {});
  return { chunks: damagedIsInvalid(gunzip), read: () => gunzip.bytesWritten };
}

async function* damagedIsInvalid(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (!code.startsWith('Z_')) throw cause;
    throw invalidParameter(`the compressed data is damaged: ${cause instanceof Error ? cause.message : code}`, {
      cause,
    });
  }
}

async function* throughCommand(fd: number, compression: 'zstd' | 'xz' | 'bzip2'): AsyncGenerator<Buffer> {
  const [command, ...args] = commands[compression];
  const child = spawn(command, args, { stdio: [fd, 'pipe', 'pipe'] }) as ChildProcessByStdio<null, Readable, Readable>;
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
      resolve(code === 0 ? undefined : invalidParameter(`the ${compression} data is damaged: ${complaint.trim()}`)),
    );
  });
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
    const failure = await ended;
    if (failure) throw failure;
  } finally {
    child.kill('SIGKILL');
  }
}
