import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { pluginMediaType } from '@cleat/protocol/dispatch';
import { stringify } from '@cleat/protocol/json';
import { listenOnSocket } from '@cleat/sdk/server';
import { bodyOf, bytesOf } from './body.js';
import { bodyNow } from './body-now.js';
import { requestRules } from './compare.js';
import { bodyOfRequest } from './forward.js';
import type { Exchange, Recording } from './recording.js';
import { Script } from './script.js';

export interface StandInOptions {
  readonly recording: Recording;
  /** Path of a UNIX socket, where engines look. */
  readonly socket: string;
  /** Permission bits of the socket; default 0600. */
  readonly mode?: number;
  /** Calls may come in another order than the recorded one. */
  readonly anyOrder?: boolean;
  /** An answer takes as long as it took. Default: it comes at once. */
  readonly timing?: boolean;
  /** Keys whose values in requests may be any, at any depth, in any case. */
  readonly ignore?: readonly string[];
}

/** Plays a plugin from a recording. */
export interface StandIn extends AsyncDisposable {
  readonly address: string;
  /** How many calls were made so far. */
  readonly calls: number;
  /** Questions so far that the recording does not have, in readable sentences. */
  readonly strange: readonly string[];
  /** Questions of the recording that were not asked so far. */
  readonly neverAsked: readonly string[];
  close(): Promise<void>;
}

/**
 * Answers an engine as a plugin did when it was recorded: failures, hanging up and silence included. IDs that the
 * engine makes anew take the place of the recorded ones, in answers, too.
 * @throws Conflict when somebody listens at the socket
 */
export async function standIn(options: StandInOptions): Promise<StandIn> {
  const script = new Script(options.recording, requestRules(options.ignore), options.anyOrder ?? false);
  const stop = new AbortController();
  let calls = 0;
  const server = createServer({ requireHostHeader: false, keepAliveTimeout: 0 }, (request, response) => {
    calls++;
    play(script, request, response, { timing: options.timing ?? false, signal: stop.signal }).catch(() => {
      // The caller hung up, or we are to end: either way nobody waits for an answer.
      response.destroy();
    });
  });
  const address = await listenOnSocket(server, options.socket, options.mode ?? 0o600);
  const one: StandIn = {
    address,
    get calls() {
      return calls;
    },
    get strange() {
      return script.strange;
    },
    get neverAsked() {
      return script.neverAsked;
    },
    async close() {
      stop.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
    async [Symbol.asyncDispose]() {
      await one.close();
    },
  };
  return one;
}

interface Manner {
  readonly timing: boolean;
  readonly signal: AbortSignal;
}

/** @throws Error when the caller hung up, or the signal is aborted */
async function play(script: Script, request: IncomingMessage, response: ServerResponse, manner: Manner): Promise<void> {
  const body = await bodyOfRequest(request);
  if (body === undefined) {
    response.writeHead(413, { Connection: 'close' }).end();
    return;
  }
  const found = script.find(request.method ?? '', request.url ?? '', bodyOf(body));
  if ('exchange' in found) {
    await playExchange(found.exchange, script, response, manner);
    return;
  }
  const text = found.status === 404 ? found.missing : stringify({ Err: found.missing, Error: found.missing });
  response.writeHead(found.status, { 'Content-Type': found.status === 404 ? 'text/plain' : pluginMediaType }).end(text);
}

async function playExchange({ answer, more, end }: Exchange, script: Script, response: ServerResponse, manner: Manner) {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([manner.signal, gone.signal]);
  let nowMs = 0;
  const at = async (ms: number) => {
    if (manner.timing) await sleep(Math.max(0, ms - nowMs), undefined, { signal });
    nowMs = ms;
  };
  if (answer) {
    await at(answer.afterMs);
    response.statusCode = answer.status;
    if (answer.type !== undefined) response.setHeader('Content-Type', answer.type);
    if (!answer.streams) {
      response.end(bodyNow(answer.body, script.aliases));
      return;
    }
    response.flushHeaders();
    for (const piece of more) {
      await at(piece.afterMs);
      if (!response.write(bodyNow(piece.body, script.aliases))) await once(response, 'drain', { signal });
    }
  }
  if (end?.how === 'whole') response.end();
  else if (end?.how === 'plugin') {
    await at(end.afterMs);
    // In place of HTTP, or in the middle of it.
    if (end.body && !answer) response.socket?.end(bytesOf(end.body));
    else response.socket?.destroySoon();
  }
  // Else it was silent until its caller hung up: so are we.
}
