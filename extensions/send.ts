import { readReply } from '@cleat/protocol/answer';
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
export async function send(extension: string, carrier: Carrier, call: Outgoing): Promise<unknown> {
  const { kind, name, method, body, deadlineMs, giveUpAt } = call;
  const path = methodPath(kind, name);
  const leftMs = Math.max(giveUpAt - Date.now(), 1);
  const late = () =>
    deadlineExceeded(`plugin "${extension}" did not answer ${path.slice(1)} within ${deadlineMs / 1000} s`, {
      details: { arrived: true },
    });
  if (!method.streams) {
    call.signal?.throwIfAborted();
    using deadline = new Deadline({ ms: leftMs, signal: call.signal, late });
    const reply = await carrier.call(path, body, deadline, method.idempotent);
    return readReply(extension, kind, name, method, reply);
  }
  const stop = new AbortController();
  const answer = await withDeadline(leftMs, call.signal, late, (signal) => {
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

/** The same stream, whose failure is told in the reader's terms. */
async function* failingWith(stream: AsyncIterable<Uint8Array>, told: (cause: unknown) => unknown) {
  try {
    yield* stream;
  } catch (error) {
    throw told(error);
  }
}
