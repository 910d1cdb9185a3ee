import { pipeline, type Readable, Transform } from 'node:stream';
import { owned } from '@cleat/protocol/guard';
import type { StoredBlob } from '../content/blobs.js';
import type { RegistryClient } from './client.js';

export interface Send {
  client: RegistryClient;
  blob: StoredBlob;
  /** Opens its content, for each try. */
  open: () => Readable;
  /** Hears the number of bytes that are sent. */
  onBytes: (bytes: number) => void;
  signal: AbortSignal;
}

/** Brings a blob to the registry. */
export async function sendBlob({ client, blob, open, onBytes, signal }: Send): Promise<void> {
  await client.upload(blob.digest, blob.size, () => counted(open(), onBytes), signal);
}

function counted(stream: Readable, onBytes: (bytes: number) => void): Readable {
  let sent = 0;
  const counter = owned(
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        sent += chunk.length;
        onBytes(sent);
        done(undefined, chunk);
      },
    }),
  );
  return pipeline(stream, counter, () => {});
}
