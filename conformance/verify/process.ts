import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { Address } from '@cleat/extensions/carriers/address';
import { type MountEntry, parseMountInfo } from '@cleat/protocol/mountinfo';

/**
 * The processes that have the listening socket at an address of this host: the plugin, systemd where it opened the
 * socket, and children that a plugin forks for its connections, which may have ended a moment later. Empty where
 * that cannot be told.
 */
export function processesBehind(address: Address): number[] {
  if (address.type !== 'unix') return [];
  const inodes = listenersAt(address.path);
  if (inodes.size === 0) return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && openSockets(entry).some((inode) => inodes.has(inode)))
    .map(Number);
}

/** Inodes of the sockets that are bound there (proc(5), /proc/net/unix). */
function listenersAt(path: string): Set<string> {
  const found = new Set<string>();
  for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
    const [, , , , , , inode = '', bound] = line.split(/\s+/, 8);
    if (bound === path) found.add(inode);
  }
  return found;
}

function openSockets(pid: string): string[] {
  return namesIn(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      // It was closed meanwhile.
      return [];
    }
  });
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // The process has ended, or is not ours to look at.
    return [];
  }
}

/** Whether paths mean the same for that process as for us, as far as mounts do not differ. */
export function hasOurRoot(pid: number): boolean {
  try {
    const [its, ours] = [`/proc/${pid}/root`, '/proc/self/root'].map((path) => statSync(path));
    return its?.ino === ours?.ino && its?.dev === ours?.dev;
  } catch {
    return false;
  }
}

/**
 * The mount that a path lies on for that process and not for us; undefined where both see the same one, and where
 * the process has ended.
 */
export function hiddenMount(pid: number, path: string): string | undefined {
  const [there, here] = [mountOf(String(pid), path), mountOf('self', path)];
  return there !== undefined && (there.target !== here?.target || there.device !== here.device)
    ? there.target
    : undefined;
}

function mountOf(pid: string, path: string): { target: string; device: string } | undefined {
  return mountsSeenBy(pid)
    .filter(({ target }) => target === '/' || path === target || path.startsWith(`${target}/`))
    .reduce<{ target: string; device: string } | undefined>(
      // If there are several on one place, the last one counts.
      (deepest, one) => (deepest === undefined || one.target.length >= deepest.target.length ? one : deepest),
      undefined,
    );
}

function mountsSeenBy(pid: string): MountEntry[] {
  try {
    return parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
  } catch {
    // It has ended meanwhile; we have not.
    return [];
  }
}
