import type { ClientRequest, IncomingMessage } from 'node:http';
import type { SocketCarrier } from '@cleat/extensions/carriers/socket';
import { messageOf } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';

/** More than any answer needs. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** The outcome of a call. */
export interface Outcome {
  /** `whole`: an answer; `broken`: the plugin hung up; `late`: no answer in time; `cut`: we hung up. */
  readonly how: 'whole' | 'broken' | 'late' | 'cut';
  /** 0 when not even that came. */
  readonly status: number;
  readonly bytes: Buffer;
  /** For people: why it broke. */
  readonly why: string;
}

export interface Question {
  readonly verb: string;
  readonly path: string;
  readonly accept: string | undefined;
  readonly type: string | undefined;
  readonly body: Buffer;
  readonly deadlineMs: number;
}

/** A call under way, on a connection of its own. */
export class Asked {
  /** Never throws: what goes wrong is an outcome. */
  readonly outcome: Promise<Outcome>;
  /** The question is on its way; resolves as well when it cannot be. */
  readonly sent: Promise<void>;
  readonly #request: ClientRequest;
  readonly #chunks: Buffer[] = [];
  readonly #finish: (how: Outcome['how'], why?: string) => void;
  #size = 0;
  #status = 0;
  #waiting: { bytes: number; done: () => void } | undefined;

  constructor(carrier: SocketCarrier, { verb, path, accept, type, body, deadlineMs }: Question) {
    let finish: (outcome: Outcome) => void = () => {};
    this.outcome = new Promise((resolve) => {
      finish = resolve;
    });
    const headers = {
      ...(accept === undefined ? {} : { Accept: accept }),
      ...(type === undefined ? {} : { 'Content-Type': type }),
      'Content-Length': body.length,
    };
    const request = carrier.request({ method: verb, path, headers });
    this.#request = request;
    this.#finish = (how, why = '') => {
      clearTimeout(timer);
      this.#waiting?.done();
      finish({ how, status: this.#status, bytes: Buffer.concat(this.#chunks), why });
    };
    const timer = setTimeout(() => {
      this.#finish('late', `no answer within ${deadlineMs / 1000} s`);
      request.destroy();
    }, deadlineMs);
    this.sent = new Promise((resolve) => {
      request.once('finish', resolve).once('close', resolve);
    });
    request.on('error', (error) => this.#finish('broken', readable(messageOf(error), 300)));
    request.once('upgrade', (_response, socket) => {
      socket.destroy();
      this.#finish('broken', 'a change to another protocol');
    });
    request.once('response', (response) => this.#read(response));
    request.end(body);
  }

  /** Waits until so much of the answer is there, or its end. */
  async received(bytes: number): Promise<void> {
    if (this.#size >= bytes) return;
    const there = new Promise<void>((done) => {
      this.#waiting = { bytes, done };
    });
    await Promise.race([there, this.outcome]);
  }

  /** Hangs up. */
  cut(): void {
    this.#finish('cut');
    this.#request.destroy();
  }

  #read(response: IncomingMessage): void {
    this.#status = response.statusCode ?? 0;
    response.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      if (this.#waiting && this.#size >= this.#waiting.bytes) this.#waiting.done();
      if (this.#size <= maxAnswerBytes) return;
      this.#finish('broken', `more than ${maxAnswerBytes} bytes`);
      this.#request.destroy();
    });
    response.on('error', (error) => this.#finish('broken', readable(messageOf(error), 300)));
    response.once('end', () => this.#finish('whole'));
  }
}
