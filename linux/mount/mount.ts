/**
 * Mounts under the engine's own roots. Everything here runs in process and takes well under a millisecond; paths of
 * users and extensions never come here (their binds are made by the OCI runtime, their resolution by linux/helper).
 */
import { isClass } from '@cleat/protocol/errors';
import { errnoOf } from '../syscall/errno.js';
import { mountFlag, mount as mountSyscall, unmount2, unmountFlag } from '../syscall/mount.js';
import { listMounts } from './mountinfo.js';

export interface TmpfsOptions {
  /** Bytes, or with a suffix as mount(8) knows (`64m`, `50%`). */
  size?: number | string;
  /** Octal text, for example `1777`. */
  mode?: string;
  uid?: number;
  gid?: number;
  /** How many files and directories there may be. */
  inodes?: number;
  /** mountFlag bits; default nosuid, nodev. */
  flags?: number;
  /** The name that /proc/mounts shows. Default `tmpfs`. */
  source?: string;
}

/** Mounts a tmpfs on an existing directory. @throws CleatError System */
export function mountTmpfs(target: string, options: TmpfsOptions = {}): void {
  const { size, mode, uid, gid, inodes: nr_inodes } = options;
  const data = Object.entries({ size, mode, uid, gid, nr_inodes })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  mountSyscall(options.source ?? 'tmpfs', target, 'tmpfs', options.flags ?? mountFlag.noSuid | mountFlag.noDev, data);
}

/** Mounts memory that is never swapped out, on an existing directory; nothing limits it. @throws CleatError System */
export function mountRamfs(target: string, options: { mode: string; source?: string }): void {
  const inert = mountFlag.noSuid | mountFlag.noDev | mountFlag.noExec;
  mountSyscall(options.source ?? 'ramfs', target, 'ramfs', inert, `mode=${options.mode}`);
}

/** Bind-mounts one path of ours on another; both must exist. @throws CleatError System */
export function bind(source: string, target: string, options: { readOnly?: boolean; recursive?: boolean } = {}): void {
  const flags = mountFlag.bind | (options.recursive ? mountFlag.recursive : 0);
  mountSyscall(source, target, null, flags, null);
  if (options.readOnly) {
    mountSyscall('none', target, null, mountFlag.bind | mountFlag.remount | mountFlag.readOnly, null);
  }
}

/** Makes a mount point private, so that mounts below it reach no other namespace. @throws CleatError System */
export function makePrivate(target: string, options: { recursive?: boolean } = {}): void {
  mountSyscall('none', target, null, mountFlag.private | (options.recursive ? mountFlag.recursive : 0), null);
}

/** Makes a mount point shared, so that mounts below it reach namespaces made later. @throws CleatError System */
export function makeShared(target: string, options: { recursive?: boolean } = {}): void {
  mountSyscall('none', target, null, mountFlag.shared | (options.recursive ? mountFlag.recursive : 0), null);
}

/**
 * Takes away the topmost mount at `target`. Nothing mounted there, or no such path, is success: teardown repeats.
 * `detach` (the default) never waits for users or for a hung back end.
 * @throws CleatError System, for example EBUSY without `detach`
 */
export function unmount(target: string, options: { detach?: boolean } = {}): void {
  try {
    unmount2(target, (options.detach === false ? 0 : unmountFlag.detach) | unmountFlag.noFollow);
  } catch (error) {
    const errno = errnoOf(error);
    if (isClass(error, 'System') && (errno === 'EINVAL' || errno === 'ENOENT')) return;
    throw error;
  }
}

/** Takes away every mount at or below `prefix`, deepest first. @throws AggregateError of what failed */
export function unmountAll(prefix: string): void {
  const failures: unknown[] = [];
  for (const entry of listMounts(prefix).reverse()) {
    try {
      unmount(entry.target);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `could not unmount everything below ${prefix}`);
}
