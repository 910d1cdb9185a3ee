import type { Socket } from 'node:net';
import { Connection } from './connection.js';
import type { FrontOptions } from './front-options.js';

/**
 * Stands between a connection and Node's HTTP parser, because only an upgrade detaches that parser: taken over in any
 * other way, a connection's further bytes (a terminal's input!) would be parsed, and dispatched, as requests. So each
 * head is held back until it is complete; one that will be hijacked is made an upgrade, whether its client asked for
 * one or not, and an upgrade to anything else (h2c) is made an ordinary request.
 *
 * A plain request, which every parser reads alike, is answered without that parser where its route allows it.
 *
 * Requests of one connection are served one after the other, as Go's server does: what a client sends ahead waits,
 * unparsed and bounded, until the answer before it is out. Whatever throws in a listener ends its own connection.
 * @returns what accepts a new connection.
 */
export function createFront(options: FrontOptions): (socket: Socket) => void {
  const { server } = options;
  const connections = new WeakMap<object, Connection>();

  server.prependListener('request', (request, response) =>
    connections.get(request.socket)?.onRequest(request, response),
  );
  // For CONNECT, too, Node lets go of its parser; nobody is connected anywhere here, which the answer says.
  for (const event of ['upgrade', 'connect'] as const) {
    server.on(event, (request, socket: Socket, rest) => {
      const connection = connections.get(socket);
      if (!connection) return void socket.destroy();
      connection.release();
      options.onUpgrade(request, socket, rest, { asked: connection.asked, implied: connection.implied });
    });
  }
  // Go's server refuses what it cannot expect; nobody expects anything but `100-continue`, which Node answers.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('clientError', (error, socket: Socket) => {
    const connection = connections.get(socket);
    connection?.release();
    options.onMalformed(error, socket, connection?.response);
  });

  return (socket) => {
    const connection = new Connection(socket, options);
    connections.set(socket, connection);
    connection.begin();
  };
}
