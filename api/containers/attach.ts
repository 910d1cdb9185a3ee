import type { Containers } from '@cleat/engine/containers/service';
import { joinStreams } from '../hijack/hijacked.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import { multiplexedStream, rawStream } from '../streams/frame.js';

export function attachRoutes(containers: Containers): Route[] {
  return [{ method: 'POST', path: '/containers/:name/attach', hijacks: true, handler: (x) => attach(x, containers) }];
}

async function attach(x: Exchange, containers: Containers): Promise<void> {
  const { query } = x;
  const session = await containers.attach(x.param('name'), {
    logs: query.flag('logs'),
    stream: query.flag('stream'),
    stdin: query.flag('stdin'),
    stdout: query.flag('stdout'),
    stderr: query.flag('stderr'),
    detachKeys: query.has('detachKeys') ? query.text('detachKeys') : undefined,
  });
  await joinStreams(x.hijack(session.tty || x.before('1.42') ? rawStream : multiplexedStream), session, x.log);
}
