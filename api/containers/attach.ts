import type { AttachOptions, Containers } from '@cleat/engine/containers/service';
import { joinStreams } from '../hijack/join.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import { multiplexedStream, rawStream } from '../streams/frame.js';

export function attachRoutes(containers: Containers): Route[] {
  return [
    { method: 'POST', path: '/containers/:name/attach', hijacks: true, handler: (x) => attach(x, containers) },
    {
      method: 'GET',
      path: '/containers/:name/attach/ws',
      hijacks: true,
      handler: (x) => attachWebSocket(x, containers),
    },
  ];
}

async function attach(x: Exchange, containers: Containers): Promise<void> {
  const session = await containers.attach(
    x.param('name'),
    optionsOf(x, (stream) => x.query.flag(stream)),
  );
  const multiplexed = !session.tty;
  try {
    const connection = await x.hijack(multiplexed && !x.before('1.42') ? multiplexedStream : rawStream);
    await joinStreams(connection, session, { multiplexed, log: x.log });
  } finally {
    session.close();
  }
}

/** Never multiplexed: the browser's terminal takes what comes. */
async function attachWebSocket(x: Exchange, containers: Containers): Promise<void> {
  const session = await containers.attach(
    x.param('name'),
    optionsOf(x, (stream) => x.before('1.42') || x.query.flag(stream)),
  );
  try {
    const connection = await x.hijackWebSocket(x.before('1.28') ? 'text' : 'binary');
    await joinStreams(connection, session, { multiplexed: false, log: x.log });
  } finally {
    session.close();
  }
}

function optionsOf({ query }: Exchange, wants: (stream: string) => boolean): AttachOptions {
  return {
    logs: query.flag('logs'),
    stream: query.flag('stream'),
    stdin: wants('stdin'),
    stdout: wants('stdout'),
    stderr: wants('stderr'),
    detachKeys: query.has('detachKeys') ? query.text('detachKeys') : undefined,
  };
}
