import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { invalidParameter, systemError } from '@cleat/protocol/errors';
import type { Hijacker } from '../http/exchange.js';
import type { Upgrade } from './front.js';
import { closeGently, type HijackedConnection, hijackHead } from './hijacked.js';
import { ConnectionInput, decodeChunks } from './input.js';

/** The headers of every answer that a hijacked one carries too. */
const carried = ['api-version', 'docker-experimental', 'ostype', 'server'];

/**
 * What a handler can do with a connection that Node's parser let go of. The request's body was not parsed: it is
 * decoded here by Content-Length or chunks, and what follows it is the client's raw input. When the body was not asked
 * for (attach), a chunked one is the input itself, as clients without upgrades send it.
 */
export function createHijacker(
  request: IncomingMessage,
  response: ServerResponse,
  socket: Socket,
  rest: Buffer,
  upgrade: Upgrade,
): Hijacker {
  const input = new ConnectionInput(socket, rest);
  let bodyRead = false;
  const chunked = request.headers['transfer-encoding'] !== undefined;

  function connection(): HijackedConnection {
    const chunks = chunked && !bodyRead ? decodeChunks(input) : undefined;
    return {
      socket,
      input: chunks ?? rawInput(input),
      discardInput: () => input.discard(),
    };
  }

  function takeOver(): HijackedConnection {
    if (response.headersSent) throw systemError('the connection has been answered already');
    response.detachSocket(socket);
    return connection();
  }

  // An ordinary answer after all (an error, a detached exec): the parser is gone, so is the connection after it.
  response.on('finish', () => closeGently(connection()));

  return {
    takeOver,
    hijack(contentType) {
      const headers = Object.fromEntries(
        carried.flatMap((name) => {
          const value = response.getHeader(name);
          return value === undefined ? [] : [[name, String(value)]];
        }),
      );
      const taken = takeOver();
      socket.write(hijackHead({ asked: upgrade.asked, contentType, headers }));
      return taken;
    },
    async *body() {
      bodyRead = true;
      const length = request.headers['content-length'];
      if (chunked && length !== undefined) throw invalidParameter('both Content-Length and Transfer-Encoding are set');
      if (chunked) {
        if (request.headers['transfer-encoding']?.toLowerCase() !== 'chunked') {
          throw invalidParameter('unsupported Transfer-Encoding');
        }
        yield* decodeChunks(input);
      } else if (length !== undefined) {
        for (let left = Number(length); left > 0; ) {
          const piece = await input.read(Math.min(left, 65_536));
          left -= piece.length;
          yield piece;
        }
      }
    },
  };
}

async function* rawInput(input: ConnectionInput): AsyncGenerator<Buffer> {
  for (let chunk = await input.next(); chunk !== undefined; chunk = await input.next()) yield chunk;
}
