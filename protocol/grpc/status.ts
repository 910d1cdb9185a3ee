import type { IncomingHttpHeaders } from 'node:http2';
import { asCleatError, CleatError, type ErrorClass } from '../errors.js';
import { rpcStatus } from './common.js';

/** Codes of gRPC (grpc/grpc `doc/statuscodes.md`). */
export const code = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

const codes: Readonly<Record<ErrorClass, number>> = {
  NotModified: code.failedPrecondition,
  InvalidParameter: code.invalidArgument,
  Unauthorized: code.unauthenticated,
  Forbidden: code.permissionDenied,
  NotFound: code.notFound,
  Conflict: code.alreadyExists,
  Gone: code.failedPrecondition,
  // As BuildKit: what is no error of gRPC's has no code of its own, and clients show the message alone.
  System: code.unknown,
  DeadlineExceeded: code.deadlineExceeded,
  Cancelled: code.cancelled,
  DataLoss: code.dataLoss,
  // A sentence that says what to do instead, before which clients would write the name of the code, twice.
  NotImplemented: code.unknown,
  Unavailable: code.unavailable,
};

const classes = new Map<number, ErrorClass>([
  ...Object.entries(codes).map(([name, number]) => [number, name as ErrorClass] as const),
  [code.unknown, 'System'],
  [code.unimplemented, 'NotImplemented'],
]);

/** Typed facts beside a message: each is a JSON value with the name of its type. */
export interface Detail {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** An error that says its code and details itself. */
export class StatusError extends CleatError {
  constructor(
    readonly code: number,
    message: string,
    readonly typed: readonly Detail[] = [],
    options: { cause?: unknown } = {},
  ) {
    super(classes.get(code) ?? 'System', message, options);
  }
}

/** The trailers that tell of an error. */
export function trailersOf(error: unknown): Record<string, string> {
  const known = asCleatError(error);
  const number = error instanceof StatusError ? error.code : codes[known.class];
  const typed = error instanceof StatusError ? error.typed : [];
  let left = maxDetails;
  const details = typed.filter(({ typeUrl, value }) => {
    left -= typeUrl.length + value.length;
    return left >= 0;
  });
  const trailers: Record<string, string> = { 'grpc-status': `${number}`, 'grpc-message': encodeMessage(known.message) };
  if (details.length > 0) {
    const status = rpcStatus.encode({ code: number, message: known.message, details: [...details] });
    trailers['grpc-status-details-bin'] = Buffer.from(status).toString('base64').replace(/=+$/, '');
  }
  return trailers;
}

/** The error that trailers tell of; undefined for success. */
export function errorIn(trailers: IncomingHttpHeaders): StatusError | undefined {
  const number = Number(trailers['grpc-status'] ?? code.unknown);
  if (number === code.ok) return undefined;
  const message = decodeMessage(String(trailers['grpc-message'] ?? '')) || `the client answered with status ${number}`;
  return new StatusError(number, message, detailsIn(trailers['grpc-status-details-bin']));
}

function detailsIn(header: string | string[] | undefined): Detail[] {
  if (typeof header !== 'string') return [];
  try {
    const { details } = rpcStatus.decode(Buffer.from(header, 'base64'));
    return details.map(({ typeUrl = '', value = new Uint8Array(0) }) => ({ typeUrl, value }));
  } catch {
    return []; // The message alone says enough.
  }
}

/** Header values are ASCII; what is not is percent-encoded (grpc/grpc `doc/PROTOCOL-HTTP2.md`, Status-Message). */
function encodeMessage(text: string): string {
  return [...Buffer.from(text.slice(0, maxMessage))]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}

/** Clients refuse header lists that are longer than some 16 KiB. */
const maxMessage = 4096;
/** Bytes of all details. Node's HTTP/2 ends the connection when trailers are larger than 64 KiB. */
const maxDetails = 32 * 1024;

function decodeMessage(text: string): string {
  const bytes = Buffer.from(
    text.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  return bytes.toString('utf8');
}
