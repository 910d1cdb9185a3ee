import { invalidParameter } from '@cleat/protocol/errors';

/**
 * Bytes of what a client may have kept about one thing. Each is written whole with every change, and read whole for
 * every list: what one client makes large, all others wait for.
 */
export const maxRecordBytes = 2 * 1024 * 1024;

/** @param what of which it is, in the message. @throws InvalidParameter */
export function refuseLargeRecord(what: string, ...parts: unknown[]): void {
  const bytes = parts.reduce((sum: number, part) => sum + Buffer.byteLength(JSON.stringify(part) ?? ''), 0);
  if (bytes > maxRecordBytes) {
    throw invalidParameter(`the configuration of ${what} is larger than ${maxRecordBytes} bytes (${bytes})`);
  }
}
