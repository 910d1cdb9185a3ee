import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { CleatError } from '@cleat/protocol/errors';

/** An error has one name, also where the kernel has two: that of Node, where it has one (`EAGAIN`, never `EWOULDBLOCK`; `ENOTSUP`). */
const names = new Map<number, string>([
  ...Object.entries(constants.errno).map(([name, value]) => [value, name] as const),
  ...[...getSystemErrorMap()].map(([value, [name]]) => [-value, name] as const),
]);

/** `2` → `ENOENT`; an unknown number stays readable as `errno 4711`. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

/**
 * The error of a failed system call: class System, `details.errno` holds the name (`ENOENT`), `details.syscall` the
 * call. The message reads as Node's own ("mount /a: no such file or directory").
 */
export function syscallError(syscall: string, subject: string, errno: number): CleatError {
  const text = getSystemErrorMap().get(-errno)?.[1] ?? errnoName(errno);
  return new CleatError('System', `${syscall} ${subject}: ${text}`, { details: { errno: errnoName(errno), syscall } });
}

/** The errno name of whatever was thrown, by us (`details.errno`) or by Node (`code`); undefined if it has none. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof CleatError) {
    const errno = error.details?.errno;
    return typeof errno === 'string' ? errno : errnoOf(error.cause);
  }
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
