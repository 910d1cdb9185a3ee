import { type Reply, readReply } from '@cleat/protocol/answer';
import { Deadline, withDeadline } from '@cleat/protocol/async/deadline';
import { deadlineExceeded, messageOf, unavailable } from '@cleat/protocol/errors';
import { type Kind, type Method, methodPath } from '@cleat/protocol/kinds/kind';
import { readable } from '@cleat/protocol/untrusted';
import type { Carrier } from './carriers/carrier.js';

/** One message on its way. */
export interface Outgoing {
  kind: Kind;
  name: string;
  method: Method;
  body: string;
  /** As the caller knows it; what is left of it ends at `giveUpAt`. */
  deadlineMs: number;
  giveUpAt: number;
  signal: AbortSignal | undefined;
  /** The body, where the method streams both ways. */
  upload?: AsyncIterable<Uint8Array> | undefined;
}

/**
 * Takes one message to an extension and brings the answer in the contract's shape, or as a stream.
 * @throws DeadlineExceeded; TransportError; the signal's reason; whatever the answer means
 */
export function send(extension: string, carrier: Carrier, call: Outgoing): Promise<unknown> {
  const { kind, name, method, body } = call;
  if (method.streams) return sendForStream(extension, carrier, call);
  // One promise for all of the way: each costs time, and somebody waits.
  return new Promise((resolve, reject) => {
    call.signal?.throwIfAborted();
    const path = methodPath(kind, name);
    const deadline = new Deadline({ ...timeOf(extension, call), signal: call.signal });
    const answered = (reply: Reply): void => {
      deadline[Symbol.dispose]();
      try {
        resolve(readReply(extension, kind, name, method, reply));
      } catch (error) {
        reject(error);
      }
    };
    const failed = (error: unknown): void => {
      deadline[Symbol.dispose]();
      reject(error);
    };
    if (carrier.callNow?.(path, body, deadline, method.idempotent, { answered, failed })) return;
    carrier.call(path, body, deadline, method.idempotent).then(answered, failed);
  });
}

async function sendForStream(extension: string, carrier: Carrier, call: Outgoing): Promise<unknown> {
  const { kind, name, method, body } = call;
  const path = methodPath(kind, name);
  const { ms, late } = timeOf(extension, call);
  const stop = new AbortController();
  const answer = await withDeadline(ms, call.signal, late, (signal) => {
    // The deadline holds until the answer begins; after that the stream lives until its reader or its caller ends it.
    call.signal?.addEventListener('abort', () => stop.abort(call.signal?.reason), { once: true });
    signal.addEventListener('abort', () => stop.abort(signal.reason), { once: true });
    return carrier.stream(path, body, stop.signal, call.upload);
  });
  if (!('stream' in answer)) return readReply(extension, kind, name, method, answer);
  return failingWith(answer.stream, (cause) => {
    if (stop.signal.aborted) return stop.signal.reason;
    const why = readable(messageOf(cause), 300);
    return unavailable(`plugin "${extension}" broke off its answer to ${path.slice(1)}: ${why}`, { cause });
  });
}

function timeOf(extension: string, { kind, name, deadlineMs, giveUpAt }: Outgoing): { ms: number; late: () => Error } {
  return {
    ms: Math.max(giveUpAt - Date.now(), 1),
    late: () => {
      const call = methodPath(kind, name).slice(1);
      return deadlineExceeded(`plugin "${extension}" did not answer ${call} within ${deadlineMs / 1000} s`, {
        details: { arrived: true },
      });
    },
  };
}

/** The same stream, whose failure is told in the reader's terms. */
async function* failingWith(stream: AsyncIterable<Uint8Array>, told: (cause: unknown) => unknown) {
  try {
    yield* stream;
  } catch (error) {
    throw told(error);
  }
}
