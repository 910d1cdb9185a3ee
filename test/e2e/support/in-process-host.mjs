#!/usr/bin/env node
/**
 * Serves a module as an engine carries it that has loaded it: `node in-process-host.mjs MODULE SOCKET`, with
 * `CLEAT_EXTENSION` in the environment, as for the SDK's `host.js`.
 */
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { InProcessCarrier } from '@cleat/extensions/carriers/in-process';
import { silentLogger } from '@cleat/protocol/log';

const [, , path, socket] = process.argv;
const settings = JSON.parse(process.env.CLEAT_EXTENSION);
const carrier = await InProcessCarrier.load({ ...settings, path, log: silentLogger });

async function serve(request, response) {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    const reply = await carrier.stream(request.url, await text(request), gone.signal);
    response.writeHead(reply.status);
    if ('text' in reply) response.end(reply.text);
    else for await (const chunk of reply.stream) response.write(chunk);
    response.end();
  } catch {
    // The caller hung up, or the answer broke off: both ends hear of it.
    response.destroy();
  }
}

rmSync(socket, { force: true });
createServer(serve).listen(socket);
