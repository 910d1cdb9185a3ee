import { randomBytes } from 'node:crypto';
import { messageOf } from '@cleat/protocol/errors';
import { bytesMessage } from '@cleat/protocol/grpc/common';
import { forward, refuse } from '@cleat/protocol/grpc/forward';
import { answerCall, type Rest, serveGrpc } from '@cleat/protocol/grpc/server';
import { code, StatusError } from '@cleat/protocol/grpc/status';
import { tunnelOf } from '@cleat/protocol/grpc/tunnel';
import type { Logger } from '@cleat/protocol/log';
import type { Session } from '../session/sessions.js';
import { type Receiver, sendMethod } from './receiver.js';
import type { Upstream } from './upstream.js';

const path = '/moby.buildkit.v1.Control/Session';

interface Relayed {
  readonly upstream: Upstream;
  readonly session: Session;
  readonly log: Logger;
}

/**
 * Lends a session of a client to a BuildKit, which calls the client through it until one of them goes.
 * @param receiver takes what is for the engine; the session has a name of its own then, as another build may have it, too
 * @returns its name there
 */
export function lendSession({ upstream, session, log }: Relayed, signal: AbortSignal, receiver?: Receiver): string {
  const id = receiver ? randomBytes(16).toString('hex') : session.id;
  const methods = new Set(session.methods);
  if (receiver) methods.add(sendMethod.toLowerCase());
  const passOn: Rest = async (stream, head) => {
    const own = receiver?.methodFor(head);
    if (own) await answerCall(stream, head, own, log);
    else if (session.id === '') refuse(stream, new StatusError(code.unimplemented, 'the build has no session'));
    else await forward(stream, head.rawHeaders, session.client);
  };
  const lend = async (): Promise<void> => {
    const client = await upstream.client();
    const call = client.stream(path, [bytesMessage, bytesMessage], {
      signal,
      headers: {
        'x-docker-expose-session-uuid': id,
        'x-docker-expose-session-grpc-method': [...methods],
        ...(session.sharedKey !== '' && { 'x-docker-expose-session-sharedkey': session.sharedKey }),
      },
    });
    const pieces = tunnelOf(call.messages, (connection) => serveGrpc(connection, new Map(), log, passOn), log);
    for await (const piece of pieces) if (!(await call.send(piece))) break;
    call.end();
  };
  lend().catch((error: unknown) => log.debug('a session was not passed on', { error: messageOf(error) }));
  return id;
}
