import { STATUS_CODES } from 'node:http';
import { type CleatError, systemError, unavailable } from '@cleat/protocol/errors';
import { ProxyError } from './proxy.js';

/** A failure on the way to a server, in the words of Go's `net` and `crypto/tls`: scripts look for them. */
interface Wording {
  text: string;
  /** Another try may go better. */
  again: boolean;
}

const authority = 'tls: failed to verify certificate: x509: certificate signed by unknown authority';

const certificates: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: authority,
  SELF_SIGNED_CERT_IN_CHAIN: authority,
  UNABLE_TO_GET_ISSUER_CERT: authority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: authority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: authority,
  CERT_UNTRUSTED: authority,
  CERT_HAS_EXPIRED: 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  CERT_REVOKED: 'tls: failed to verify certificate: x509: certificate has been revoked',
};

const refusals: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
  ERR_SOCKET_CONNECTION_TIMEOUT: 'i/o timeout',
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EMFILE: 'too many open files',
};

const broken = 'net/http: HTTP/1.x transport connection broken';

function wordingOf(error: unknown, url: URL): Wording {
  if (error instanceof ProxyError) return { text: error.message, again: true };
  // A name with several addresses fails with all their errors; the first stands for them.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const {
    code = '',
    syscall,
    address,
    port,
    message = '',
  } = first as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  const certificate = certificates[code];
  if (certificate) return { text: certificate, again: false };
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const text = `tls: failed to verify certificate: x509: certificate is not valid for ${url.hostname}`;
    return { text, again: false };
  }
  if (code === 'ENOTFOUND') return { text: `dial tcp: lookup ${url.hostname}: no such host`, again: false };
  if (code === 'EAI_AGAIN') return { text: `dial tcp: lookup ${url.hostname}: server misbehaving`, again: true };
  if (code === 'HPE_HEADER_OVERFLOW') {
    return { text: 'net/http: server response headers exceeded the limit; aborted', again: false };
  }
  // Credentials come from a client: a header may not be able to hold them.
  if (code === 'ERR_INVALID_CHAR') {
    return { text: 'net/http: invalid header field value for "Authorization"', again: false };
  }
  if (code.startsWith('HPE_')) return { text: `${broken}: malformed HTTP response`, again: false };
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    const isPlain = code === 'EPROTO' || /WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST/.test(code + message);
    return {
      text: isPlain ? 'http: server gave HTTP response to HTTPS client' : 'remote error: tls: handshake failure',
      again: false,
    };
  }
  // A connection that ended before the head of an answer.
  if (code === 'ECONNRESET' && syscall === undefined) return { text: 'EOF', again: true };
  const words = refusals[code];
  if (words !== undefined && syscall === 'connect') {
    const host = address?.includes(':') ? `[${address}]` : address;
    return { text: `dial tcp ${host}:${port}: connect: ${words}`, again: true };
  }
  if (words !== undefined) return { text: `read tcp: ${words}`, again: true };
  return { text: `${broken}${code === '' ? '' : ` (${code})`}`, again: true };
}

/** `Get "https://host/v2/": dial tcp …`. @returns Unavailable when another try may go better, otherwise System */
export function transportError(error: unknown, method: string, url: URL): CleatError {
  const { text, again } = wordingOf(error, url);
  return (again ? unavailable : systemError)(`${requestText(method, url)}: ${text}`, { cause: error });
}

/** `Get "https://host/v2/"`, without a query: it may hold what is secret. */
export function requestText(method: string, url: URL): string {
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  return `${verb} "${url.protocol}//${url.host}${url.pathname}"`;
}

/** `503 Service Unavailable` */
export function statusText(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ''}`.trim();
}
