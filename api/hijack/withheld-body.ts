import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { cancelled, systemError, unavailable } from '@cleat/protocol/errors';
import { aheadBytes } from '../streams/write.js';
import { ChunkReader } from './chunk-reader.js';
import type { Head } from './head.js';

/** Where a body goes; `nowhere`: its reader has gone, and the rest of it is read and dropped. */
type Destination = 'undecided' | 'parser' | 'relay' | 'nowhere';

const bodies = new WeakMap<IncomingMessage, WithheldBody>();

/** The body of a request that Node's parser has not seen; undefined where the parser has all. */
export const withheldBodyOf = (request: IncomingMessage): WithheldBody | undefined => bodies.get(request);

/** In chunks, in the one lawful way of saying so. */
export function isChunked(head: Head): boolean {
  const codings = head.values('transfer-encoding');
  return (
    codings.length === 1 &&
    codings[0]?.toLowerCase() === 'chunked' &&
    head.values('content-length').length === 0 &&
    head.requestLine.endsWith(' HTTP/1.1')
  );
}

/**
 * A body that is held back until it is clear who wants it: those who read what is in it get it from Node's parser; another
 * connection can have it in the chunks in which it came, past that parser.
 */
export class WithheldBody {
  readonly #onChange: () => void;
  readonly #chunks = new ChunkReader();
  #destination: Destination = 'undecided';
  #target: Writable | undefined;
  #settle: ((failure?: Error) => void) | undefined;

  /** @param onChange is called when more of it may be taken */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Belongs to this request. */
  of(request: IncomingMessage): void {
    bodies.set(request, this);
  }

  get isUndecided(): boolean {
    return this.#destination === 'undecided';
  }

  get isParsed(): boolean {
    return this.#destination === 'parser';
  }

  get isComplete(): boolean {
    return this.#chunks.isComplete;
  }

  /** It was malformed; what of it was handed on has no end. */
  get isBroken(): boolean {
    return this.#chunks.isBroken;
  }

  /** Its reader is behind. */
  get isFull(): boolean {
    return this.#target !== undefined && this.#target.writableLength > aheadBytes;
  }

  /** Has the parser read it, unless somebody else does already. */
  parse(): void {
    if (!this.isUndecided) return;
    this.#destination = 'parser';
    this.#onChange();
  }

  /**
   * Writes it to another connection, in chunks, its last one included, at the pace of the slower side. The target is not
   * ended. @throws Unavailable when the target closes; Cancelled when the body has no end
   */
  async relay(target: Writable): Promise<void> {
    if (!this.isUndecided) throw systemError('the body of the request is read by somebody else');
    this.#destination = 'relay';
    this.#target = target;
    const onDrain = (): void => this.#onChange();
    const onClose = (): void => this.#end(unavailable('the reader of the body has gone before its end'));
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = (failure) => (failure ? reject(failure) : resolve());
        target.on('drain', onDrain).on('close', onClose);
        if (target.destroyed) onClose();
        else this.#onChange();
      });
    } finally {
      target.off('drain', onDrain).off('close', onClose);
    }
  }

  /** @returns how many of the bytes belong to it */
  take(bytes: Buffer): number {
    const target = this.#target;
    target?.cork();
    const length = this.#chunks.take(bytes, { coded: (piece) => target?.write(piece) });
    target?.uncork();
    if (this.isComplete) this.#end();
    return length;
  }

  /** No more of it comes. */
  abandon(): void {
    this.#end(cancelled('the client has gone before its request was complete'));
  }

  #end(failure?: Error): void {
    if (this.#destination !== 'relay') return;
    this.#destination = 'nowhere';
    this.#target = undefined;
    this.#settle?.(failure);
    this.#onChange();
  }
}
