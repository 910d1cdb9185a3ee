import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout } from '@cleat/protocol/guard';
import { Presence } from '../http/presence.js';
import { readPlainRequest } from '../plain/request.js';
import { type BodyFrame, bodyFrame } from './framing.js';
import type { FrontOptions } from './front-options.js';
import { endOfHead, parseHead, rewriteHead } from './head.js';
import { linger } from './linger.js';
import { probe } from './probe.js';
import { malformedChunks, refuse } from './refuse.js';
import { isChunked, WithheldBody } from './withheld-body.js';

/** Bytes of a head; credentials and proxies' headers make it large at times. */
export const maxHeadBytes = 64 * 1024;
const headDeadlineMs = 60_000;
/** Bytes that a client may send ahead of an answer before it has to wait. */
const maxHeldBytes = 64 * 1024;

/**
 * Clients of gRPC that were told of no upgrade begin with HTTP/2 itself (RFC 9113, 3.4). What they want is what others
 * ask for with `POST /grpc`; so that is what is checked, authorized and served.
 */
const http2Head = Buffer.from('PRI * HTTP/2.0\r\n\r\n');
const http2AsUpgrade = Buffer.from(
  'POST /grpc HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
);

/** Ends, for the parser, a body in chunks that it was not shown. */
const noChunks = Buffer.from('0\r\n\r\n');
const nothingLeft: BodyFrame = { take: () => 0, complete: true };

/** One connection on its way through the front: says which of its bytes the parser sees, and when. */
export class Connection {
  readonly #socket: Socket;
  readonly #options: FrontOptions;
  /** The request that was fed last asked for an upgrade. */
  asked = false;
  /** It came as HTTP/2. */
  implied = false;
  /** The request that is being answered. */
  response: ServerResponse | undefined;
  /** Belongs to the plain request that is being answered. */
  #plain: Presence | undefined;
  /** The body of the request that was fed last; undefined between two requests. */
  #frame: BodyFrame | undefined;
  /** That body, where the parser need not see it. */
  #withheld: WithheldBody | undefined;
  /** Bytes that the parser has not seen. */
  #held: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  #pumping = false;
  #unprobe: (() => void) | undefined;
  #ended = false;
  #parser: unknown;
  #feed: (chunk: Buffer) => void = () => {};
  #feedEnd: () => void = () => {};

  constructor(socket: Socket, options: FrontOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  begin(): void {
    const socket = this.#socket;
    const before = new Set(socket.listeners('end'));
    this.#options.server.emit('connection', socket);
    this.#parser = parserOf(socket);
    // Node's listeners feed its parser; from here on it is fed by us. Adding a listener also makes Node give up its
    // direct reading from the handle.
    const feeders = socket.listeners('data') as ((chunk: Buffer) => void)[];
    for (const feeder of feeders) socket.removeListener('data', feeder);
    this.#feed = (chunk) => {
      for (const feeder of feeders) feeder.call(socket, chunk);
    };
    const enders = socket.listeners('end').filter((listener) => !before.has(listener)) as (() => void)[];
    for (const ender of enders) socket.removeListener('end', ender);
    this.#feedEnd = () => {
      for (const ender of enders) ender.call(socket);
    };
    const { destroySoon } = socket;
    // Node calls it when its last answer here is out, whatever the client still sends.
    socket.destroySoon = () => (this.#isReadWhole ? destroySoon.call(socket) : this.#linger());
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.once('close', () => {
      clearTimeout(this.#timer);
      this.#plain?.end();
      this.#withheld?.abandon();
    });
  }

  onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.response = response;
    this.#withheld?.of(request);
    const answered = (): void => {
      if (this.response !== response) return;
      this.response = undefined;
      // Nobody has asked for it: it is read and dropped.
      this.#withheld?.parse();
      this.#pump();
    };
    response.once('finish', answered);
    // An answer that closes before it is finished was the last one here.
    response.once('close', () => this.response === response && this.release());
  }

  /** The parser gets nothing more. */
  release(): void {
    clearTimeout(this.#timer);
    this.#unprobe?.();
    this.#socket.removeListener('data', this.#onData);
    this.#socket.removeListener('end', this.#onEnd);
    this.#feed = this.#feedEnd = () => {};
    this.#held = Buffer.alloc(0);
    this.#withheld?.abandon();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#held = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#pump();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#plain?.end();
    this.#pump();
  };

  /**
   * No further request is served when the connection is going: after a last answer (`Connection: close`), and after a
   * failed write, which Node also reports as a finished answer. And a parser that Node has let go of serves the next
   * connection: bytes for it would be somebody else's requests.
   */
  #isOver(): boolean {
    const socket = this.#socket;
    return socket.destroyed || parserOf(socket) !== this.#parser || (!socket.writable && !this.#isAnswering);
  }

  /** Nothing that the client sends is left unread. */
  get #isReadWhole(): boolean {
    const { readableEnded, destroyed } = this.#socket;
    return readableEnded || destroyed || (this.#frame?.complete === true && this.#held.length === 0);
  }

  #linger(): void {
    this.release();
    linger(this.#socket);
  }

  get #isAnswering(): boolean {
    return this.response !== undefined || this.#plain !== undefined;
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#isOver()) if (!this.#step()) return;
      this.release();
    } catch (error) {
      this.release();
      this.#options.onFailure(error, this.#socket);
      this.#socket.destroy();
    } finally {
      this.#pumping = false;
    }
  }

  /** @returns whether there may be more to do now */
  #step(): boolean {
    if (this.#frame && !this.#frame.complete) {
      const withheld = this.#withheld;
      return withheld && !withheld.isParsed ? this.#withhold(withheld) : this.#feedBody(this.#frame);
    }
    if (this.#isAnswering) {
      if (this.#held.length > maxHeldBytes) this.#pause();
      return false;
    }
    this.#frame = this.#withheld = undefined;
    return this.#feedHead();
  }

  #feedBody(frame: BodyFrame): boolean {
    if (this.#held.length === 0) {
      if (this.#ended) this.#feedEnd();
      return false;
    }
    this.#feed(this.#shift(frame.take(this.#held)));
    return true;
  }

  #withhold(body: WithheldBody): boolean {
    if (this.#held.length === 0) {
      if (this.#ended) {
        body.abandon();
        this.#feedEnd();
      }
      return false;
    }
    if (body.isUndecided || body.isFull) {
      if (body.isFull || this.#held.length > maxHeldBytes) this.#pause();
      return false;
    }
    this.#shift(body.take(this.#held));
    if (body.isBroken) {
      const { response } = this;
      this.release();
      this.#options.onMalformed(malformedChunks(), this.#socket, response);
      return false;
    }
    if (body.isComplete) {
      this.#frame = nothingLeft;
      this.#feed(noChunks);
    }
    return true;
  }

  /** Nobody reads from now on, so probing is how its end is seen. */
  #pause(): void {
    this.#socket.pause();
    this.#unprobe ??= probe(this.#socket);
  }

  #resume(): void {
    this.#unprobe?.();
    this.#unprobe = undefined;
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  readonly #onBodyChange = (): void => {
    this.#resume();
    this.#pump();
  };

  #feedHead(): boolean {
    // RFC 9112, 2.2: empty lines before a request are not part of it.
    let blank = 0;
    while (this.#held[blank] === 13 || this.#held[blank] === 10) blank++;
    this.#shift(blank);
    const end = endOfHead(this.#held);
    if (end < 0) {
      this.#awaitHead();
      return false;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let bytes = this.#shift(end);
    // Where nobody speaks it, it is no request, as the parser will say.
    if (bytes.equals(http2Head) && this.#options.hijacks(parseHead(http2AsUpgrade)) !== undefined) {
      this.implied = true;
      this.#held = Buffer.concat([bytes, this.#held]);
      bytes = http2AsUpgrade;
    } else if (this.#servePlain(bytes)) {
      return true;
    }
    const head = parseHead(bytes);
    const kind = this.#options.hijacks(head);
    this.asked = head.upgrade !== undefined;
    const rewritten = kind === 'raw' || (kind === undefined && this.asked) ? rewriteHead(head, kind === 'raw') : bytes;
    this.#frame = bodyFrame(head);
    if (kind === undefined) {
      if (isChunked(head) && this.#options.withholds?.(head)) this.#withheld = new WithheldBody(this.#onBodyChange);
      this.#feed(rewritten);
      return true;
    }
    // All that follows is input for the new owner of the connection.
    this.#feed(Buffer.concat([rewritten, this.#shift(this.#held.length)]));
    return false;
  }

  #servePlain(bytes: Buffer): boolean {
    const request = readPlainRequest(bytes);
    // A body that is still on its way is for Node's parser, too.
    if (!request || request.length > this.#held.length) return false;
    const body = this.#held.subarray(0, request.length);
    const presence = new Presence();
    const answered = (): void => {
      presence.end();
      if (this.#plain !== presence) return;
      this.#plain = undefined;
      this.#pump();
    };
    this.#plain = presence;
    const isServed = this.#options.onPlain({ request, body, socket: this.#socket, presence, answered });
    if (isServed) this.#shift(request.length);
    else this.#plain = undefined;
    return isServed;
  }

  #awaitHead(): void {
    if (this.#ended) {
      this.#feedEnd();
      return;
    }
    if (this.#held.length > maxHeadBytes) {
      this.release();
      refuse(this.#socket, 431, `the head of the request is larger than ${maxHeadBytes} bytes`);
      return;
    }
    if (this.#held.length > 0) this.#timer ??= setTimeout(() => this.#socket.destroy(), headDeadlineMs).unref();
    this.#resume();
  }

  #shift(length: number): Buffer {
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }
}

/** Node's parser of this connection; null once it was let go. */
function parserOf(socket: Socket): unknown {
  return Reflect.get(socket, 'parser');
}
