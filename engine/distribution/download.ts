import { dataLoss, messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { Content, GrowingBlob, StoredBlob } from '../content/service.js';
import type { Answer } from './answer.js';
import type { RegistryClient } from './client.js';
import { RegistryError } from './errors.js';
import type { Descriptor } from './manifest.js';
import { withRetries } from './retry.js';

export interface Download {
  content: Pick<Content, 'grow'>;
  log: Logger;
  client: RegistryClient;
  descriptor: Descriptor;
  signal: AbortSignal;
  /** Hears the number of bytes that are here. */
  onBytes: (bytes: number) => void;
  /** Hears where it grows until it is whole, before anything of it is there. */
  onFile?: (path: string) => void;
  /** Hears that it comes anew from its beginning: what was read of it before is void. */
  onAnew?: () => void;
  /** Hears of each second that is waited for the next try. */
  onWait: (seconds: number) => void;
}

/**
 * Brings a blob here. A try that is cut goes on where the one before ended, if the server can do that; digest and size
 * are those of the whole.
 * @throws DataLoss for other content or another size than announced; what {@link withRetries} throws
 */
export async function download(request: Download): Promise<StoredBlob> {
  const { content, log, client, descriptor, signal, onBytes, onFile, onWait } = request;
  const { digest, size } = descriptor;
  await using growing = await content.grow({ digest, size, onBytes, signal });
  onFile?.(growing.path);
  const clear = async (): Promise<void> => {
    request.onAnew?.();
    await growing.clear();
  };
  const onRetry = (error: unknown) => log.info(`download failed, retrying: ${messageOf(error)}`, { digest });
  await withRetries({ limits: client.limits, signal, onWait, onRetry }, async (progressed) => {
    const before = growing.size;
    try {
      const answer = await openAt(client, { growing, clear }, digest, signal);
      await resume({ growing, clear }, answer, size);
    } finally {
      // A byte now and then is no progress.
      if (growing.size - before >= client.limits.stallBytes) progressed();
    }
  });
  return await growing.finish();
}

interface Target {
  growing: GrowingBlob;
  clear: () => Promise<void>;
}

async function openAt(
  client: RegistryClient,
  { growing, clear }: Target,
  digest: string,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    return await client.blob(digest, growing.size, signal);
  } catch (error) {
    // 416 Range Not Satisfiable: the server thinks otherwise about what is there.
    if (!(error instanceof RegistryError) || error.status !== 416 || growing.size === 0) throw error;
    await clear();
    return await client.blob(digest, 0, signal);
  }
}

async function resume({ growing, clear }: Target, answer: Answer, size: number): Promise<void> {
  if (answer.status !== 206) {
    if (growing.size > 0) await clear();
  } else if (!continues(answer, growing.size, size)) {
    answer.drop();
    throw dataLoss('the registry sent another part of the layer than it was asked for');
  }
  const left = size - growing.size;
  if (answer.length !== undefined && answer.length !== left) {
    answer.drop();
    throw dataLoss(`the registry offers ${answer.length} bytes where the manifest announces ${left}`);
  }
  await growing.append(answer.body());
}

/** `Content-Range: bytes 100-199/200`; the total may be `*`. */
function continues(answer: Answer, offset: number, size: number): boolean {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(String(answer.headers['content-range'] ?? ''));
  if (!match) return false;
  const [, first, last, total] = match;
  return Number(first) === offset && Number(last) === size - 1 && (total === '*' || Number(total) === size);
}
