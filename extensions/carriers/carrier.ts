import type { Reply } from '@cleat/protocol/answer';

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
   * @throws TransportError when no answer came; the signal's reason when it was aborted
   */
  call(path: string, body: string, signal: AbortSignal, repeatable?: boolean): Promise<Reply>;

  /** Sends one message whose answer is a stream of raw bytes; the signal also ends the stream. */
  stream(path: string, body: string, signal: AbortSignal): Promise<Reply | { stream: AsyncIterable<Uint8Array> }>;

  close(): Promise<void>;
}

/** No answer came from an extension. */
export class TransportError extends Error {
  /** False when the message certainly did not reach the extension, so that sending it again is safe. */
  readonly sent: boolean;
  /** Nobody is there yet (refused, no such socket): worth another attempt while it starts. */
  readonly absent: boolean;
  /** It was sent on a connection that had served before. */
  readonly stale: boolean;

  constructor(message: string, options: { sent: boolean; absent: boolean; stale?: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'TransportError';
    this.sent = options.sent;
    this.absent = options.absent;
    this.stale = options.stale ?? false;
  }
}
