import type { Socket } from 'node:net';
import type { Callers } from '@cleat/engine/callers/service';
import { type Caller, nobody } from '@cleat/protocol/caller';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { Transport } from '../http/messages.js';
import { clientCertificate } from './certificate.js';
import { descriptorOf } from './descriptor.js';

/** The client at the other end of a connection. */
export interface Peer {
  readonly caller: Caller;
  /** PEM; the client's own first, then those of its issuers, without the root. */
  readonly certificates: readonly string[];
}

const stranger: Peer = { caller: nobody, certificates: [] };
/** The kernel could not be asked: nothing may be granted to such a one that is not granted to everybody. */
const unknown: Peer = { caller: { Method: 'unix', User: '', Within: 'unknown' }, certificates: [] };

/** Called when the connection was just accepted: its process may end, and another one get its number. */
export function peerAt(socket: Socket, transport: Transport, callers: Callers | undefined, log: Logger): Peer {
  if (transport === 'tls') return ofCertificate(socket);
  // Builders are served by an API that looks at nobody.
  if (transport === 'tcp' || !callers) return stranger;
  const fd = descriptorOf(socket);
  if (fd === undefined) return unknown;
  try {
    return { caller: callers.atSocket(fd), certificates: [] };
  } catch (error) {
    // It went away while it was accepted.
    log.debug('a caller is not known', { error: messageOf(error) });
    return unknown;
  }
}

function ofCertificate(socket: Socket): Peer {
  const certificate = clientCertificate(socket);
  if (!certificate) return stranger;
  const { user, names, chain } = certificate;
  return { caller: { Method: 'TLS', User: user, ...(names.length > 0 && { Names: [...names] }) }, certificates: chain };
}
