import { messageOf } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';
import { type Address, addressText } from './address.js';
import { TransportError } from './carrier.js';

/**
 * Why no answer came from that address.
 * @param sent the message can have left
 */
export function transportFailure(error: unknown, address: Address, sent: boolean): TransportError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const where = addressText(address);
  const why = readable(messageOf(error), 300);
  // The texts of Node's parser.
  if (code.startsWith('HPE_')) {
    const what = code === 'HPE_HEADER_OVERFLOW' ? 'headers that are too large' : `something that is not HTTP (${why})`;
    return new TransportError(what, { fault: 'misbehaving', sent: true, cause: error });
  }
  const fault = !sent && absentCodes.has(code) ? 'absent' : 'broken';
  const what =
    code === 'ECONNREFUSED'
      ? `nobody listens at ${where}`
      : code === 'ENOENT'
        ? `there is no socket at ${where}`
        : sent
          ? `the connection to ${where} broke (${why})`
          : `cannot connect to ${where} (${why})`;
  return new TransportError(what, { fault, sent, cause: error });
}

const absentCodes = new Set(['ECONNREFUSED', 'ENOENT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'EAGAIN']);

/**
 * Whether the other end cannot have read the message on whose way a connection that had served broke. A UNIX socket whose
 * other end was closed refuses what is written (EPIPE), and breaks with an error when the other end was closed with
 * something in it (ECONNRESET of the system's, which Node's parser uses for an ordinary end, too).
 */
export function wasUnread(error: unknown, address: Address): boolean {
  if (address.type !== 'unix' || !(error instanceof Error) || !('code' in error && 'syscall' in error)) return false;
  return error.code === 'EPIPE' || error.code === 'ECONNRESET';
}
