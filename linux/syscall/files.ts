import { errnoOf } from './errno.js';
import { callC, callCLater, rawSyscall } from './ffi.js';

/** A path; as bytes where it may be no UTF-8. */
export type BytePath = string | Buffer;

function cString(path: BytePath): BytePath {
  return typeof path === 'string' ? path : Buffer.concat([path, Buffer.alloc(1)]);
}

const OPENAT2 = 437;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;
/** open(2)'s O_PATH and O_CLOEXEC, which Node does not name (the same on x86-64, arm64 and riscv64). */
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;

/**
 * openat2(2) with RESOLVE_IN_ROOT: resolves `path` as a process would that had been chrooted into `rootFd`, so that
 * neither `..`, nor absolute symlinks, nor magic links lead out of it, however the tree changes meanwhile.
 * @returns a file descriptor that the caller closes
 */
export function openInRoot(rootFd: number, path: BytePath, flags: number, mode = 0): number {
  return openat2(rootFd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/**
 * openat2(2) with RESOLVE_BENEATH: as {@link openInRoot}, but a path or a symlink that leads out of `directoryFd`,
 * were it only to come back, is refused with EXDEV.
 */
export function openBeneath(directoryFd: number, path: BytePath, flags: number, mode = 0): number {
  return openat2(directoryFd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

function openat2(fd: number, path: BytePath, flags: number, mode: number, resolve: number): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  return rawSyscall('openat2', OPENAT2, String(path), fd, cString(path), how, how.length);
}

const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** Programs that are started from now on do not get the descriptor. @throws CleatError System with EBADF */
export function closeOnExec(fd: number): void {
  callC('int fcntl(int fd, int command, int argument)', `descriptor ${fd}`, fd, F_SETFD, FD_CLOEXEC);
}

/** mkfifo(3). */
export function makeFifo(path: string, mode: number): void {
  callC('int mkfifo(const char *path, unsigned int mode)', path, path, mode);
}

/** mknod(2). `mode` includes the type (S_IFCHR, S_IFBLK, S_IFIFO, S_IFREG). */
export function makeNode(path: BytePath, mode: number, major: number, minor: number): void {
  const prototype = 'int mknod(const char *path, unsigned int mode, uint64_t dev)';
  callC(prototype, String(path), cString(path), mode, deviceNumber(major, minor));
}

/** makedev(3) of glibc: the two numbers interleaved in 64 bits. */
export function deviceNumber(major: number, minor: number): bigint {
  const [a, i] = [BigInt(major), BigInt(minor)];
  return ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((i & 0xffffff00n) << 12n) | (i & 0xffn);
}

/** The two halves of a device number as stat(2) gives it. */
export function splitDevice(device: bigint): { major: number; minor: number } {
  return {
    major: Number(((device >> 32n) & 0xfffff000n) | ((device >> 8n) & 0xfffn)),
    minor: Number(((device >> 12n) & 0xffffff00n) | (device & 0xffn)),
  };
}

/** lsetxattr(2): never follows a symlink at the end. */
export function setXattr(path: BytePath, name: BytePath, value: Buffer): void {
  callC(
    'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
    String(path),
    cString(path),
    cString(name),
    value,
    value.length,
    0,
  );
}

/** lgetxattr(2). @throws CleatError System with ENODATA when there is no such attribute */
export function getXattr(path: BytePath, name: BytePath): Buffer {
  const prototype = 'long lgetxattr(const char *path, const char *name, void *value, size_t size)';
  const [subject, file, attribute] = [String(path), cString(path), cString(name)];
  const size = callC(prototype, subject, file, attribute, null, 0);
  const value = Buffer.alloc(size);
  return value.subarray(0, callC(prototype, subject, file, attribute, value, size));
}

/** llistxattr(2). @param encoding `latin1` gives each name's bytes */
export function listXattrs(path: BytePath, encoding: 'utf8' | 'latin1' = 'utf8'): string[] {
  const prototype = 'long llistxattr(const char *path, void *list, size_t size)';
  const size = callC(prototype, String(path), cString(path), null, 0);
  if (size === 0) return [];
  const list = Buffer.alloc(size);
  const length = callC(prototype, String(path), cString(path), list, size);
  return list.toString(encoding, 0, length).split('\0').filter(Boolean);
}

/**
 * fallocate(2): reserves `length` bytes from the file's beginning on, so that writing them never fails for want of
 * space. They read as zeros.
 * @throws CleatError System with ENOSPC, or ENOTSUP where the file system cannot
 */
export function allocate(fd: number, length: number): void {
  callC('int fallocate(int fd, int mode, int64_t offset, int64_t length)', `fd ${fd}`, fd, 0, 0, length);
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/**
 * lseek(2): where the next data of a file begin at or after `from`, and where they end. On file systems without holes
 * that is all that follows.
 * @returns undefined when there are none
 */
export function nextData(fd: number, from: number): { start: number; end: number } | undefined {
  const seek = (offset: number, whence: number) =>
    callC('int64_t lseek(int fd, int64_t offset, int whence)', `fd ${fd}`, fd, offset, whence);
  try {
    const start = seek(from, SEEK_DATA);
    return { start, end: seek(start, SEEK_HOLE) };
  } catch (error) {
    // Nothing but a hole, or nothing at all.
    if (errnoOf(error) === 'ENXIO') return undefined;
    throw error;
  }
}

/**
 * syncfs(2): everything that was written to the file system of `fd` is on disk afterwards. May take seconds, on a
 * thread of the pool: only for the engine's own roots.
 */
export async function syncFileSystem(fd: number): Promise<void> {
  await callCLater('int syncfs(int fd)', `fd ${fd}`, fd);
}
