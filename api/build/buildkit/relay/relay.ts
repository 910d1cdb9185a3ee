import type { Duplex } from 'node:stream';
import type { Builds } from '@cleat/engine/build/service';
import { messageOf } from '@cleat/protocol/errors';
import { bytesMessage } from '@cleat/protocol/grpc/common';
import { forward, refuse } from '@cleat/protocol/grpc/forward';
import { type Methods, type Rest, serveGrpc, streaming } from '@cleat/protocol/grpc/server';
import { tunnelOf } from '@cleat/protocol/grpc/tunnel';
import type { Logger } from '@cleat/protocol/log';
import type { SessionFacts, Sessions } from '../session/sessions.js';
import { lendSession } from './session.js';
import { passSolve } from './solve.js';
import { Upstream } from './upstream.js';

export interface RelayServices {
  readonly sessions: Sessions;
  readonly builds: Pick<Builds, 'keep'>;
  readonly log: Logger;
}

/**
 * Passes the calls of a client on to a BuildKit. All of them but two: sessions end here, so that the engine can be one
 * more service of a client's, and `Solve` may have results for the engine.
 */
export async function relayCalls(services: RelayServices, socketPath: string, connection: Duplex): Promise<void> {
  const { sessions, log } = services;
  const upstream = new Upstream(socketPath, log);
  const serveSession = (facts: SessionFacts, inner: Duplex) => relayed(services, upstream, facts, inner);
  const session = streaming(bytesMessage, bytesMessage, (pieces, { headers }) => {
    const facts = sessions.describe(headers);
    return tunnelOf(pieces, (inner) => serveSession(facts, inner), log);
  });
  const own: Methods = new Map([['/moby.buildkit.v1.Control/Session', session]]);
  const rest: Rest = async (stream, head) => {
    try {
      if (head.path === '/moby.buildkit.v1.Control/Solve') await passSolve({ ...services, upstream }, stream, head);
      else await forward(stream, head.rawHeaders, await upstream.client());
    } catch (error) {
      log.debug('a call was not passed on', { method: head.path, error: messageOf(error) });
      refuse(stream, error);
    }
  };
  try {
    await serveGrpc(connection, own, log, rest);
  } finally {
    upstream.close();
  }
}

/** A client's session on a connection of its own, for the engine and for a BuildKit. */
export async function relaySession(
  services: RelayServices,
  socketPath: string,
  facts: SessionFacts,
  connection: Duplex,
): Promise<void> {
  const upstream = new Upstream(socketPath, services.log);
  try {
    await relayed(services, upstream, facts, connection);
  } finally {
    upstream.close();
  }
}

async function relayed(
  { sessions, log }: RelayServices,
  upstream: Upstream,
  facts: SessionFacts,
  connection: Duplex,
): Promise<void> {
  const over = new AbortController();
  try {
    await sessions.serve(facts, connection, (session) => lendSession({ upstream, session, log }, over.signal));
  } finally {
    over.abort();
  }
}
