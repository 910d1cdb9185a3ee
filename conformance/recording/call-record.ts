import { kinds } from '@cleat/protocol/kinds/index';
import { methodPath } from '@cleat/protocol/kinds/kind';
import { bodyOf } from './body.js';
import { StreamPieces } from './entries.js';
import type { RecordedEvent } from './recording.js';

/** An answer that is longer is written in pieces, as it comes. */
const longBytes = 1024 * 1024;

const streaming = new Set(
  kinds.flatMap((kind) =>
    Object.entries(kind.methods).flatMap(([name, method]) => ('streams' in method ? [methodPath(kind, name)] : [])),
  ),
);

/** The head of a request. */
export interface RequestHead {
  readonly verb: string;
  readonly path: string;
  readonly accept: string | undefined;
  readonly type: string | undefined;
}

/** Makes events of one call as it goes on. */
export class CallRecord {
  readonly #call: number;
  readonly #now: () => number;
  readonly #write: (event: RecordedEvent) => void;
  #path = '';
  #askedMs = 0;
  #status = 0;
  #type: string | undefined;
  #chunks: Buffer[] = [];
  #size = 0;
  #pieces: StreamPieces | undefined;

  /** @param now in ms, since the recording began */
  constructor(call: number, now: () => number, write: (event: RecordedEvent) => void) {
    this.#call = call;
    this.#now = now;
    this.#write = write;
  }

  asked(head: RequestHead, body: Buffer): void {
    this.#askedMs = this.#now();
    this.#path = head.path;
    this.#write({ what: 'request', call: this.#call, atMs: this.#askedMs, ...head, body: bodyOf(body) });
  }

  /** An answer begins. */
  answered(status: number, type: string | undefined): void {
    this.#status = status;
    this.#type = type;
    if (streaming.has(this.#path) && status === 200) this.#stream(true);
  }

  chunk(bytes: Buffer): void {
    if (this.#pieces) {
      const body = this.#pieces.push(bytes);
      if (body) this.#write({ what: 'more', ...this.#common(), body });
      return;
    }
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    if (this.#size > longBytes) this.#stream(false);
  }

  /** The answer is whole. */
  ended(): void {
    if (this.#pieces) {
      this.#rest();
      this.#write({ what: 'end', ...this.#common(), how: 'whole', why: undefined, body: undefined });
      return;
    }
    const [status, type, body] = [this.#status, this.#type, bodyOf(Buffer.concat(this.#chunks))];
    this.#write({ what: 'answer', ...this.#common(), status, type, body, streams: false });
  }

  /** Somebody hung up. @param instead what the plugin sent that is not HTTP */
  broke(how: 'caller' | 'plugin', why?: string, instead?: Buffer): void {
    if (this.#status !== 0 && !this.#pieces) this.#stream(false);
    this.#rest();
    this.#write({ what: 'end', ...this.#common(), how, why, body: instead && bodyOf(instead) });
  }

  #common() {
    return { call: this.#call, afterMs: this.#now() - this.#askedMs };
  }

  /** From here on in pieces; the first is what has come. */
  #stream(isLog: boolean): void {
    this.#pieces = new StreamPieces(isLog);
    const [status, type] = [this.#status, this.#type];
    this.#write({ what: 'answer', ...this.#common(), status, type, body: undefined, streams: true });
    const begun = Buffer.concat(this.#chunks.splice(0));
    if (begun.length > 0) this.#write({ what: 'more', ...this.#common(), body: bodyOf(begun) });
  }

  #rest(): void {
    const body = this.#pieces?.end();
    if (body) this.#write({ what: 'more', ...this.#common(), body });
  }
}
