/**
 * The one door to the C library. koffi is loaded on the first call, so that a process that never mounts anything
 * pays nothing. Calls are synchronous and must be cheap: asynchronous FFI shares Node's four pool threads, which one
 * hung path can block (see docs of linux/helper); only a flush of our own disk goes there.
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { syscallError } from './errno.js';

type Koffi = typeof import('koffi');
type Library = ReturnType<Koffi['load']>;
type Argument = number | bigint | string | Buffer | null;

const require = createRequire(import.meta.url);
let koffi: Koffi | undefined;
let libc: Library | undefined;
const functions = new Map<string, ReturnType<Library['func']>>();

function lookUp(prototype: string): ReturnType<Library['func']> {
  let found = functions.get(prototype);
  if (!found) {
    koffi ??= require('koffi') as Koffi;
    libc ??= koffi.load('libc.so.6');
    found = libc.func(prototype);
    functions.set(prototype, found);
  }
  return found;
}

/**
 * Calls a C function that answers -1 and sets errno when it fails.
 * @param prototype C prototype, for example `int umount2(const char *target, int flags)`
 * @param subject what the call is about, for the error's message
 * @returns what the function answered, never negative
 * @throws CleatError System with `details.errno`
 */
export function callC(prototype: string, subject: string, ...args: Argument[]): number {
  const result = Number(lookUp(prototype)(...args));
  if (result < 0) {
    const name = /(\w+)\(/.exec(prototype)?.[1] ?? prototype;
    throw syscallError(name, subject, koffi?.errno() ?? 0);
  }
  return result;
}

/** As {@link callC}, for a failure that is no surprise and need not be told apart: it is answered as -1. */
export const tryC = (prototype: string, ...args: Argument[]): number => Number(lookUp(prototype)(...args));

/** The same, with the reason: the error's number, negative. */
export function tryCWithErrno(prototype: string, ...args: Argument[]): number {
  const result = Number(lookUp(prototype)(...args));
  return result < 0 ? -(koffi?.errno() ?? 0) : result;
}

/** Where a buffer's bytes are, for a structure that points to them. It must not be one of Node's pool. */
export const addressOf = (buffer: Buffer): bigint =>
  BigInt(callC('uint64_t memset(void *at, int value, size_t length)', 'memory', buffer, 0, 0));

/** As {@link callC}, on a thread of Node's pool: for what waits for our own disk, and nothing else. */
export async function callCLater(prototype: string, subject: string, ...args: Argument[]): Promise<number> {
  const call = lookUp(prototype);
  const result = await new Promise<number>((resolve, reject) => {
    call.async(...args, (error: unknown, value: unknown) => (error ? reject(error) : resolve(Number(value))));
  });
  // The thread's errno is gone by now; what matters is that it failed.
  if (result < 0) throw syscallError(/(\w+)\(/.exec(prototype)?.[1] ?? prototype, subject, constants.errno.EIO);
  return result;
}

/** Calls a C function that takes lists of strings, ended by null, and answers an error's number or 0. */
export function callWithPointers(prototype: string, ...args: (Argument | (string | null)[])[]): number {
  return Number(lookUp(prototype)(...args));
}

/**
 * Calls a system call that libc has no wrapper for. Arguments are passed as 64-bit integers or pointers.
 * @throws CleatError System with `details.errno`
 */
export function rawSyscall(
  name: string,
  number: number,
  subject: string,
  ...args: (number | string | Buffer | null)[]
): number {
  const typed = args.flatMap((value) => [typeof value === 'number' ? 'long' : 'void *', value]);
  const call = lookUp('long syscall(long number, ...)');
  const encoded = typed.map((value, at) =>
    at % 2 === 1 && typeof value === 'string' ? Buffer.from(`${value}\0`) : value,
  );
  const result = Number(call(number, ...encoded));
  if (result < 0) throw syscallError(name, subject, koffi?.errno() ?? 0);
  return result;
}
