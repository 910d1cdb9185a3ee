import { createHash, randomBytes } from 'node:crypto';
import type { ClientStore } from '@cleat/engine/build/service';
import {
  abortRequest,
  readRequest,
  readResponse,
  writeAction,
  writeRequest,
  writeResponse,
} from '@cleat/protocol/buildkit/content';
import { invalidParameter, unavailable } from '@cleat/protocol/errors';
import { nothing } from '@cleat/protocol/grpc/common';
import { code, StatusError } from '@cleat/protocol/grpc/status';
import type { Session } from './sessions.js';

const path = (name: string): string => `/containerd.services.content.v1.Content/${name}`;
const storeHeader = 'buildkit-attachable-store-id';
/** Clients of gRPC take messages of up to 4 MiB. */
const maxPiece = 1024 * 1024;
/** How long a client may keep a call waiting for its next message. */
const patienceMs = 60_000;

/** A directory of the client that holds blobs, which it serves as containerd does: for `--cache-to type=local`. */
export function clientStore(session: Session, directory: string): ClientStore {
  if (!session.supports(path('Read')) || !session.supports(path('Write'))) {
    throw invalidParameter(`the client serves no directory for caches: ${directory}`);
  }
  const headers = { [storeHeader]: `local:${directory}` };
  return {
    async *read(digest, signal) {
      const stream = session.client.stream(path('Read'), [readRequest, readResponse], { headers, signal });
      try {
        await stream.send({ digest });
        stream.end();
        for await (const { data } of stream.messages) yield Buffer.from(data);
      } finally {
        stream.cancel();
      }
    },
    async write(content, signal) {
      const ref = `cleat-${randomBytes(12).toString('hex')}`;
      const stream = session.client.stream(path('Write'), [writeRequest, writeResponse], { headers, signal });
      const answers = stream.messages[Symbol.asyncIterator]();
      const hash = createHash('sha256');
      let size = 0;
      const put = async (message: Parameters<typeof stream.send>[0]): Promise<void> => {
        await stream.send({ ref, offset: size, ...message });
        const answer = await answers.next();
        if (answer.done) throw unavailable('the client ended before it had the cache');
      };
      try {
        for await (const chunk of content) {
          for (let from = 0; from < chunk.length; from += maxPiece) {
            const data = chunk.subarray(from, from + maxPiece);
            await put({ action: writeAction.write, data });
            hash.update(data);
            size += data.length;
          }
        }
        const digest = `sha256:${hash.digest('hex')}`;
        try {
          await put({ action: writeAction.commit, total: size, expected: digest });
        } catch (error) {
          // The directory has it from an earlier build.
          if (!(error instanceof StatusError) || error.code !== code.alreadyExists) throw error;
        }
        stream.end();
        return { digest, size };
      } catch (error) {
        // The client can drop the part that it has. A client that has gone needs no word.
        await session.client
          .call(path('Abort'), [abortRequest, nothing], { ref }, { headers, deadlineMs: patienceMs })
          .catch(() => {});
        throw error;
      } finally {
        stream.cancel();
      }
    },
  };
}
