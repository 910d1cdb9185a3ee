import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type MountEntry, parseMountInfo } from '@cleat/protocol/mountinfo';

/** The number that every kernel gives to the first namespace of processes (linux/proc_ns.h). */
const initialPidNamespace = 'pid:[4026531836]';

/** Whether /proc shows this process all processes of the host, so that what is not found there is not there. */
export function seesWholeHost(): boolean {
  return readLink('/proc/self/ns/pid') === initialPidNamespace;
}

/** What is mounted exactly there in this process's mount namespace, the topmost. */
export function mountedAt(directory: string): MountEntry | undefined {
  return ownMounts().findLast(({ target }) => target === directory);
}

/** Directories right below `root` on which something is mounted. */
export function mountedBelow(root: string): string[] {
  const below = ownMounts().flatMap(({ target }) => {
    const name = target.startsWith(`${root}/`) ? target.slice(root.length + 1) : '/';
    return name.includes('/') ? [] : [name];
  });
  return [...new Set(below)];
}

/**
 * Whether a process in another mount namespace, such as one in a container, has what is mounted here: the same file
 * system, the same directory of it or one below. What would go together with our own mount, because it is a copy that
 * follows it, does not count. One that cannot be looked at may have it.
 */
export function isHeldElsewhere(ours: MountEntry): boolean {
  const seen = new Set([readLink('/proc/self/ns/mnt')]);
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const namespace = readLink(`/proc/${pid}/ns/mnt`);
    if (namespace !== undefined && seen.has(namespace)) continue;
    const text = readMounts(pid);
    if (text === 'hidden') return true;
    // It ended between both looks; another process of that namespace may tell.
    if (!text) continue;
    if (namespace !== undefined) seen.add(namespace);
    if (parseMountInfo(text).some((theirs) => isSame(ours, theirs))) return true;
  }
  return false;
}

function isSame(ours: MountEntry, theirs: MountEntry): boolean {
  // Mounts are numbered for the whole kernel: this is our own, in a namespace whose name is hidden from us.
  if (theirs.id === ours.id) return false;
  if (theirs.device !== ours.device) return false;
  const below = ours.root === '/' ? '/' : `${ours.root}/`;
  if (theirs.root !== ours.root && !theirs.root.startsWith(below)) return false;
  return theirs.target !== ours.target || !follows(ours, theirs);
}

/** Both are in one peer group, or theirs is a slave of ours: mount_namespaces(7). */
function follows(ours: MountEntry, theirs: MountEntry): boolean {
  const [, group] = /^shared:(\d+)$/.exec(ours.propagation.find((tag) => tag.startsWith('shared:')) ?? '') ?? [];
  if (group === undefined) return false;
  return theirs.propagation.some((tag) => tag === `shared:${group}` || tag === `master:${group}`);
}

const ownMounts = (): MountEntry[] => parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));

/** Undefined when it is gone, or hidden. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // Its mounts tell, if they can be read.
    return undefined;
  }
}

/** `hidden` for a process that must not be looked at; undefined when it is gone. */
function readMounts(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'EACCES' || code === 'EPERM' ? 'hidden' : undefined;
  }
}
