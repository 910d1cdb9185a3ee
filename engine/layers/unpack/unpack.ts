import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CleatError, cancelled, systemError } from '@cleat/protocol/errors';
import type { UnpackDone, UnpackOptions, UnpackReport } from './protocol.js';

export type { UnpackDone } from './protocol.js';

/** The unpacking program. From sources (tests) it is the built one: Node 20 runs no TypeScript. */
function program(): string {
  const built = import.meta.url.endsWith('.ts') ? '../../dist/layers/unpack/child.js' : './child.js';
  return fileURLToPath(new URL(built, import.meta.url));
}

/** Bounds for what nobody declares: a decompression bomb, an archive of only names. */
export const defaultBounds = { maxBytes: 256 * 1024 ** 3, maxEntries: 20_000_000 };

export interface UnpackRequest {
  /** The archive, compressed or not; under our own root. */
  archive: string;
  /** SHA-256 of the archive, if somebody has verified it. */
  digest?: string;
  /** An existing empty directory under our own root. */
  target: string;
  bounds?: { maxBytes: number; maxEntries: number };
  /** Hears how many bytes of the archive were read. */
  onRead?: (bytes: number) => void;
  signal?: AbortSignal;
}

/**
 * Unpacks an archive in a process of its own (see `child.ts`). What a failure leaves in `target` is the caller's to
 * remove.
 * @throws CleatError InvalidParameter for a damaged or hostile archive, Unavailable for a missing decompressor,
 * Cancelled, System
 */
export async function unpack(request: UnpackRequest): Promise<UnpackDone> {
  const options: UnpackOptions = {
    ...(request.bounds ?? defaultBounds),
    parent: process.pid,
    ...(request.digest !== undefined && { digest: request.digest }),
  };
  if (request.signal?.aborted) throw cancelled('unpacking was cancelled');
  const archive = await open(request.archive, 'r');
  try {
    const child = spawn(process.execPath, [program(), request.target, JSON.stringify(options)], {
      stdio: [archive.fd, 'ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-4000);
    });
    const stop = () => child.kill('SIGKILL');
    request.signal?.addEventListener('abort', stop, { once: true });
    const ended = new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
    });
    let outcome: UnpackReport | undefined;
    createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => {
      const report = JSON.parse(line) as UnpackReport;
      if ('read' in report) request.onRead?.(report.read);
      else outcome = report;
    });
    try {
      await ended;
    } finally {
      request.signal?.removeEventListener('abort', stop);
    }
    if (request.signal?.aborted) throw cancelled('unpacking was cancelled');
    if (outcome && 'done' in outcome) return outcome.done;
    if (outcome && 'error' in outcome) throw new CleatError(outcome.error.class, outcome.error.message);
    throw systemError(`the unpacking process ended without an answer${complaint && `: ${complaint.trim()}`}`);
  } finally {
    await archive.close();
  }
}
