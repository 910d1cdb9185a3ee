import type { AttachSession } from '@cleat/engine/streams/service';
import { ExecCreateRequest, ExecStartRequest } from '@cleat/protocol/api/container';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { decodeSize } from '../decode/size.js';
import type { HijackedConnection } from '../hijack/hijacked.js';
import { joinStreams } from '../hijack/join.js';
import { jsonBody } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';
import { frame, multiplexedStream, rawStream } from '../streams/frame.js';

const createBody = jsonBody(ExecCreateRequest);
const startBody = jsonBody(ExecStartRequest);

export function execRoutes({ execs }: ApiServices): Route[] {
  return [
    {
      method: 'POST',
      path: '/containers/:name/exec',
      body: createBody,
      async handler(x) {
        const request = (await x.json(createBody)) ?? {};
        if (!request.Cmd || request.Cmd.length === 0) throw invalidParameter('No exec command specified');
        if (x.before('1.42')) delete request.ConsoleSize;
        x.send(201, await execs.create(x.param('name'), request));
      },
    },
    { method: 'POST', path: '/exec/:id/start', hijacks: true, body: startBody, handler: (x) => start(x, execs) },
    {
      method: 'POST',
      path: '/exec/:id/resize',
      async handler(x) {
        await execs.resize(x.param('id'), decodeSize(x.query));
        x.sendEmpty(200);
      },
    },
    { method: 'GET', path: '/exec/:id/json', handler: async (x) => x.send(200, await execs.inspect(x.param('id'))) },
  ];
}

/**
 * An error before anything runs is an HTTP error; a refusal of the runtime is written to the stream, as Docker
 * does, and the client learns 126 or 127 from inspect.
 */
async function start(x: Exchange, execs: ApiServices['execs']): Promise<void> {
  const request = (await x.json(startBody)) ?? {};
  if (x.before('1.42') || !request.Tty) delete request.ConsoleSize;
  const muxed = x.before('1.42') ? rawStream : multiplexedStream;
  let connection: HijackedConnection | undefined;
  // By what start says, not create: moby frames a terminal's output too, as one stream, for who did not say it there.
  const tty = request.Tty === true;
  // docker-py reads the head through a buffer that it then forgets: what comes along with the head would be lost.
  const begin = async () => {
    connection = await x.hijack(tty ? rawStream : muxed);
  };
  let session: AttachSession | undefined;
  try {
    session = await execs.start(x.param('id'), request, begin);
  } catch (error) {
    if (!connection) throw error;
    const text = Buffer.from(`${messageOf(error)}\r\n`);
    await connection.write(tty ? text : frame(1, text));
    connection.end();
    return;
  }
  if (session && connection) await joinStreams(connection, session, { multiplexed: !tty, log: x.log });
  else x.sendEmpty(200);
}
