import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { cancelled, invalidParameter, systemError } from '@cleat/protocol/errors';
import type { Upgrade } from './front-options.js';
import { type HijackedConnection, rawConnection, webSocketConnection } from './hijacked.js';
import { ConnectionInput, decodeChunks, inputBehind } from './input.js';
import { linger } from './linger.js';
import { flushed, watchBehindHttp2 } from './probe.js';
import { handshake } from './websocket.js';

/** A handler's view of a connection that Node's parser has let go of. */
export interface Hijacker {
  /** Status of the answer with which {@link Hijacker.hijack} begins. */
  readonly status: 101 | 200;
  /** Sends the head of the answer, an upgrade to `protocol` where one was asked for; then the connection is raw. */
  hijack(contentType: string, protocol: string): HijackedConnection;
  /**
   * The same for who reads the socket itself (HTTP/2): its further bytes are not read here. Bytes that came with the
   * request are put back, so the reader must begin with what is buffered. A body is read and dropped before: dockerode
   * ends one that it never began. @throws InvalidParameter when it is malformed, or long; Cancelled when the client has gone
   */
  hijackSocket(contentType: string, protocol: string): Promise<Socket>;
  /** The same with the headers of another engine's answer, which began with an upgrade. */
  hijackAs(headers: OutgoingHttpHeaders, dropsBody: boolean): Promise<HijackedConnection>;
  /** The same for a WebSocket. @throws InvalidParameter when the client asked for none. */
  hijackWebSocket(kind: 'text' | 'binary'): HijackedConnection;
  /** The request's body, of which Node's parser has seen nothing. @throws InvalidParameter when malformed. */
  body(): AsyncIterable<Buffer>;
}

/** Bytes of a body that means nothing. */
const maxDroppedBytes = 64 * 1024;

/** The headers of every answer that a hijacked one carries too. */
const carried = ['Api-Version', 'Docker-Experimental', 'Ostype', 'Server'];

/**
 * The request's body is decoded here, by Content-Length or chunks, and what follows it is the client's raw input. When
 * the handler did not ask for the body (attach), a chunked one is the input itself, as clients without upgrades send
 * it, and one with a length is dropped.
 * @param hasHungUp asks the kernel about a socket's other end
 */
export function createHijacker(
  request: IncomingMessage,
  response: ServerResponse,
  socket: Socket,
  rest: Buffer,
  upgrade: Upgrade,
  hasHungUp?: (fd: number) => boolean,
): Hijacker {
  const input = new ConnectionInput(socket, rest);
  const encoding = request.headers['transfer-encoding'];
  const length = request.headers['content-length'];
  let bodyRead = false;
  // An ordinary answer after all (an error, a detached exec): the parser is gone, so is the connection after it.
  response.on('finish', () => {
    input.discard();
    linger(socket);
  });

  /** The input behind a body that nobody asked for: dockerode says there once more what it said in the query. */
  function undeclared(): AsyncIterable<Buffer> | undefined {
    if (encoding !== undefined) return decodeChunks(input);
    const declared = Number(length ?? 0);
    return declared > 0 ? inputBehind(input, declared) : undefined;
  }

  function release(): void {
    if (response.headersSent || !response.socket) throw systemError('the request has been answered already');
    response.detachSocket(socket);
  }

  function sendHead(contentType: string, protocol: string): void {
    const headers = carried.filter((name) => response.hasHeader(name));
    release();
    if (upgrade.implied) return;
    const head = [
      upgrade.asked ? 'HTTP/1.1 101 UPGRADED' : 'HTTP/1.1 200 OK',
      `Content-Type: ${contentType}`,
      ...(upgrade.asked ? ['Connection: Upgrade', `Upgrade: ${protocol}`] : []),
      ...headers.map((name) => `${name}: ${String(response.getHeader(name))}`),
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
  }

  async function* body(): AsyncGenerator<Buffer> {
    bodyRead = true;
    if (encoding !== undefined) {
      if (length !== undefined || encoding.toLowerCase() !== 'chunked') {
        throw invalidParameter('malformed request: Transfer-Encoding must be chunked, without Content-Length');
      }
      yield* decodeChunks(input);
      return;
    }
    for (let left = Number(length ?? 0); left > 0; ) {
      const piece = await input.read(Math.min(left, 65_536));
      left -= piece.length;
      yield piece;
    }
  }

  async function dropBody(): Promise<void> {
    let dropped = 0;
    for await (const piece of body()) {
      dropped += piece.length;
      if (dropped > maxDroppedBytes) throw invalidParameter('a request for HTTP/2 has no body');
    }
  }

  return {
    status: upgrade.asked ? 101 : 200,
    hijack(contentType, protocol) {
      sendHead(contentType, protocol);
      return rawConnection(socket, input, bodyRead ? undefined : undeclared());
    },
    async hijackSocket(contentType, protocol) {
      await dropBody();
      sendHead(contentType, protocol);
      if (!(await flushed(socket))) throw cancelled('the client has gone');
      if (hasHungUp) watchBehindHttp2(socket, hasHungUp);
      return input.handOver();
    },
    async hijackAs(headers, dropsBody) {
      if (dropsBody) await dropBody();
      release();
      if (!upgrade.implied) socket.write(headText(upgrade.asked, headers));
      return rawConnection(socket, input, bodyRead ? undefined : undeclared());
    },
    hijackWebSocket(kind) {
      const answer = handshake(request.headers);
      release();
      socket.write(answer);
      return webSocketConnection(socket, input, kind);
    },
    body,
  };
}

/** A client that asked for no upgrade gets an ordinary head, and raw bytes behind it, as from an engine. */
function headText(isAsked: boolean, headers: OutgoingHttpHeaders): string {
  const lines = [isAsked ? 'HTTP/1.1 101 UPGRADED' : 'HTTP/1.1 200 OK'];
  for (const [name, value] of Object.entries(headers)) {
    if (!isAsked && ['connection', 'upgrade'].includes(name.toLowerCase())) continue;
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) lines.push(`${name}: ${one}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}
