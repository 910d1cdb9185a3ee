import { callC, rawSyscall } from './ffi.js';
import { O_CLOEXEC } from './files.js';

/** Flags of mount(2), from linux/mount.h. */
export const mountFlag = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  /** No symlink is followed on that mount, by whomever (Linux 5.10; older kernels ignore it). */
  noSymFollow: 256,
  bind: 4096,
  recursive: 16384,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

/** Flags of umount2(2). */
export const unmountFlag = { force: 1, detach: 2, noFollow: 8 } as const;

/** mount(2). Only for paths under the engine's own roots: a hung file system blocks the caller. */
export function mount(source: string, target: string, type: string | null, flags: number, data: string | null): void {
  callC(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
    target,
    source,
    target,
    type,
    flags,
    data,
  );
}

/** umount2(2). With `unmountFlag.detach` it takes no time even when the back end hangs. */
export function unmount2(target: string, flags: number): void {
  callC('int umount2(const char *target, int flags)', target, target, flags);
}

/** Numbers of system calls that came after all architectures had agreed on one table. */
const OPEN_TREE = 428;
const MOVE_MOUNT = 429;
const MOUNT_SETATTR = 442;
const OPEN_TREE_CLONE = 1;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOUNT_ATTR_RDONLY = 1;
const MOUNT_ATTR_IDMAP = 0x100000;

/**
 * open_tree(2): a mount of its own of the directory at `path`, not yet mounted anywhere; without what is mounted below.
 * @returns a file descriptor that the caller closes, and with it the mount, unless {@link moveMount} placed it
 */
export function cloneMount(path: string): number {
  return rawSyscall('open_tree', OPEN_TREE, path, AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC | AT_SYMLINK_NOFOLLOW);
}

/**
 * open_tree(2): the same of what is open, with what is mounted below it.
 * @returns a file descriptor that the caller closes, and with it the mount, unless {@link moveMount} placed it
 */
export function cloneOpened(fd: number, subject: string): number {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  return rawSyscall('open_tree', OPEN_TREE, subject, fd, '', flags);
}

/**
 * mount_setattr(2): owners are seen through this mount as the user namespace maps them; and it is private.
 * @throws CleatError System with EINVAL for a file system that cannot do it
 */
export function mapOwners(mountFd: number, userNamespaceFd: number, subject: string): void {
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(BigInt(MOUNT_ATTR_IDMAP), 0);
  attributes.writeBigUInt64LE(BigInt(mountFlag.private), 16);
  attributes.writeBigUInt64LE(BigInt(userNamespaceFd), 24);
  rawSyscall('mount_setattr', MOUNT_SETATTR, subject, mountFd, '', AT_EMPTY_PATH, attributes, attributes.length);
}

/** mount_setattr(2): nothing can be written through this mount; and it is private. */
export function makeReadOnly(mountFd: number, subject: string): void {
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(BigInt(MOUNT_ATTR_RDONLY), 0);
  attributes.writeBigUInt64LE(BigInt(mountFlag.private), 16);
  rawSyscall('mount_setattr', MOUNT_SETATTR, subject, mountFd, '', AT_EMPTY_PATH, attributes, attributes.length);
}

/** move_mount(2): places what {@link cloneMount} made on an existing directory. */
export function moveMount(mountFd: number, target: string): void {
  rawSyscall('move_mount', MOVE_MOUNT, target, mountFd, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
}
