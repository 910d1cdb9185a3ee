import type { Reply } from '@cleat/protocol/answer';
import type { Ending } from '@cleat/protocol/async/deadline';

/**
 * Takes messages to an implementation and knows nothing of kinds: text in, text out. Both carriers bring the same
 * messages, so what passes on one passes on the other.
 */
export interface Carrier {
  /**
   * Sends one message and waits for the whole answer.
   * @param path for example `/VolumeDriver.Create`
   * @param body JSON
   * @param repeatable the message may arrive twice without harm
   * @param ending until when it waits
   * @throws TransportError when no answer came; the reason of the ending
   */
  call(path: string, body: string, ending: Ending, repeatable?: boolean): Promise<Reply>;

  /**
   * As {@link call}, if the message can be sent at once; without a promise, in whose turn others run first.
   * @param outcome hears the end of it, once
   * @returns false when nothing was done
   */
  callNow?(path: string, body: string, ending: Ending, repeatable: boolean, outcome: CallOutcome): boolean;

  /**
   * Sends one message whose answer is a stream of raw bytes; the signal also ends the stream.
   * @param upload a body that is one, too; it is read at the other side's pace, and its errors end the call
   */
  stream(
    path: string,
    body: string,
    signal: AbortSignal,
    upload?: AsyncIterable<Uint8Array>,
  ): Promise<Reply | { stream: AsyncIterable<Uint8Array> }>;

  close(): Promise<void>;
}

/** Hears how a call ended: with the answer, or with what {@link Carrier.call} throws. Must not throw. */
export interface CallOutcome {
  answered(reply: Reply): void;
  failed(error: unknown): void;
}

/**
 * Why no answer came. `absent`: nobody is there yet (refused, no such socket), which is worth another attempt while it
 * starts. `broken`: the connection ended first. `misbehaving`: what came is not HTTP, or more than any answer is; asking
 * again would bring the same.
 */
export type TransportFault = 'absent' | 'broken' | 'misbehaving';

/** No answer came from an extension. Of one that misbehaves the message says what it answered with. */
export class TransportError extends Error {
  readonly fault: TransportFault;
  /** False when the message certainly did not reach the extension, so that sending it again is safe. */
  readonly sent: boolean;

  constructor(message: string, options: { fault: TransportFault; sent: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'TransportError';
    this.fault = options.fault;
    this.sent = options.sent;
  }
}
