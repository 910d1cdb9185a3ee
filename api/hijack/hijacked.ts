import type { Socket } from 'node:net';
import { invalidParameter, isClass } from '@cleat/protocol/errors';
import { guarded, setTimeout } from '@cleat/protocol/guard';
import { writeTo } from '../streams/write.js';
import { type ConnectionInput, rawInput } from './input.js';
import { probe } from './probe.js';
import { closeCodes, closeFrame, decodeFrames, encodeFrame, WebSocketViolation } from './websocket.js';

/** How long a client may take to close its side after ours is closed. */
const lingerMs = 10_000;
/** The same for one that broke the protocol. */
const refusedLingerMs = 1000;
/** How long after a WebSocket's close the process may still answer. */
const lastAnswerMs = 1000;

/** A connection that was taken over: bytes both ways. */
export interface HijackedConnection {
  /** The client's bytes, already without transfer coding; they end at its half-close. */
  readonly input: AsyncIterable<Buffer>;
  /** Nobody reads {@link input} from now on; it still notices when the client goes. */
  discardInput(): void;
  /** Waits while the client is slow. @returns false when it has gone. */
  write(data: Uint8Array): Promise<boolean>;
  /** The output is complete. */
  end(): void;
  /** Calls `listener` once the client has gone (or now); returns the way to forget it. */
  onClose(listener: () => void): () => void;
  readonly closed: boolean;
}

/** Raw bytes; `chunks` is the input when it is not simply what comes. */
export function rawConnection(
  socket: Socket,
  input: ConnectionInput,
  chunks?: AsyncIterable<Buffer>,
): HijackedConnection {
  return {
    ...common(socket, input),
    input: chunks ?? rawInput(input),
    write: (data) => writeTo(socket, data),
    end: () => closeGently(socket, input),
  };
}

/** WebSocket frames; before API 1.28 output was sent as text. */
export function webSocketConnection(
  socket: Socket,
  input: ConnectionInput,
  kind: 'text' | 'binary',
): HijackedConnection {
  let closing = false;
  const end = (code: Parameters<typeof closeFrame>[0] = closeCodes.normal, reason?: string): void => {
    if (closing) return;
    closing = true;
    if (socket.writable) socket.write(closeFrame(code, reason));
    closeGently(socket, input, code === closeCodes.normal ? lingerMs : refusedLingerMs);
  };
  const frames = decodeFrames(input, (reply) => writeTo(socket, reply));
  const next = async (): Promise<IteratorResult<Buffer, unknown>> => {
    try {
      const result = await frames.next();
      // Output of the process after the client's end still goes out, if it comes soon.
      if (result.value === 'closed') setTimeout(end, lastAnswerMs).unref();
      return result;
    } catch (error) {
      if (!(error instanceof WebSocketViolation)) throw error;
      end(error.code, error.message);
      throw invalidParameter(`the WebSocket client broke the protocol: ${error.message}`, { cause: error });
    }
  };
  return {
    ...common(socket, input),
    // A reader that stops hands the rest to discardInput: iterating it does not end it.
    input: { [Symbol.asyncIterator]: () => ({ next }) },
    /** The protocol goes on: pings are answered, and the client's close ends the connection. */
    discardInput: guarded(async () => {
      try {
        while (!(await next()).done);
        end();
      } catch (error) {
        if (!isClass(error, 'InvalidParameter')) throw error;
      }
    }),
    write: async (data) => !closing && (await writeTo(socket, encodeFrame(kind, data))),
    end: () => end(),
  };
}

function common(
  socket: Socket,
  input: ConnectionInput,
): Pick<HijackedConnection, 'discardInput' | 'onClose' | 'closed'> {
  return {
    discardInput: () => input.discard(),
    onClose(listener) {
      if (socket.destroyed) listener();
      else socket.once('close', listener);
      const stop = probe(socket);
      return () => {
        stop();
        socket.removeListener('close', listener);
      };
    },
    get closed() {
      return socket.destroyed;
    },
  };
}

/**
 * Half-closes, then reads on until the client closes too: closing with unread input would reset the connection, and the
 * client might lose the last output.
 */
export function closeGently(socket: Socket, input: ConnectionInput, patienceMs = lingerMs): void {
  input.discard();
  socket.end();
  if (socket.readableEnded) return;
  const timer = setTimeout(() => socket.destroy(), patienceMs).unref();
  socket.once('end', () => socket.destroySoon());
  socket.once('close', () => clearTimeout(timer));
}
