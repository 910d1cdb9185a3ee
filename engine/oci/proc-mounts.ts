import { posix } from 'node:path';
import { systemError } from '@cleat/protocol/errors';
import type { OciMount } from './types.js';

/** Files of /proc that may be covered: the ones that lxcfs makes up (source: runc `rootfs_linux.go` checkProcMount). */
const allowed = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/meminfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/uptime',
  '/proc/loadavg',
  '/proc/slabinfo',
  '/proc/net/dev',
  '/proc/sys/kernel/ns_last_pid',
]);

/**
 * A mount that covers /proc could pretend to a runtime that a process is confined. runc refuses it, others do not, so
 * it is refused here, in runc's words.
 * @throws System
 */
export function checkProcMounts(mounts: readonly OciMount[], runtime: string, rootfs: string): void {
  for (const { destination, source, type } of mounts) {
    if (type !== 'bind' && type !== 'tmpfs') continue;
    const path = posix.resolve('/', destination);
    const why = whyNot(path, source);
    if (why === undefined) continue;
    const failed = `OCI runtime create failed: ${runtime} create failed: unable to start container process`;
    const where = `error during container init: error mounting "${source}" to rootfs at "${path}"`;
    throw systemError(
      `${failed}: ${where}: "${posix.join(rootfs, path)}" cannot be mounted because it is ${why}: unknown`,
    );
  }
}

function whyNot(path: string, source: string): string | undefined {
  if (path === '/proc') return posix.resolve('/', source) === '/proc' ? undefined : 'not of type proc';
  return path.startsWith('/proc/') && !allowed.has(path) ? 'inside /proc' : undefined;
}
