import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type MountEntry, parseMountInfo } from '@cleat/protocol/mountinfo';

/** The number that every kernel gives to the first namespace of processes (linux/proc_ns.h). */
const initialPidNamespace = 'pid:[4026531836]';

/** Whether /proc shows this process all processes of the host, so that what is not found there is not there. */
export function seesWholeHost(): boolean {
  return readLink('/proc/self/ns/pid') === initialPidNamespace;
}

/** The topmost mount exactly there in this process's mount namespace. */
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

/** The mounts of other mount namespaces, such as those of containers. */
export interface Elsewhere {
  /** The mounts of each. */
  readonly tables: readonly (readonly MountEntry[])[];
  /** No process was hidden. */
  readonly isComplete: boolean;
}

export function mountsElsewhere(): Elsewhere {
  const seen = new Set([readLink('/proc/self/ns/mnt')]);
  const tables: MountEntry[][] = [];
  let isComplete = true;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const namespace = readLink(`/proc/${pid}/ns/mnt`);
    if (namespace !== undefined && seen.has(namespace)) continue;
    const text = readMounts(pid);
    if (text === 'hidden') isComplete = false;
    // It ended between both looks; another process of that namespace may tell.
    else if (text) {
      if (namespace !== undefined) seen.add(namespace);
      tables.push(parseMountInfo(text));
    }
  }
  return { tables, isComplete };
}

/**
 * Whether somebody has put what is mounted here into another mount namespace, as engines do for containers: the same
 * file system, the same directory of it or one below. A copy that merely came with the namespace does not count:
 * containerd's shims have one of everything that was mounted when they were started. Where a process cannot be looked
 * at, it may have it.
 */
export function isHeldElsewhere(ours: MountEntry, elsewhere = mountsElsewhere()): boolean {
  if (!elsewhere.isComplete) return true;
  const ourParent = parentOf(ours, ownMounts());
  return elsewhere.tables.some((mounts) =>
    mounts.some((theirs) => {
      if (!isSame(ours, theirs)) return false;
      const parent = parentOf(theirs, mounts);
      const isInherited = theirs.target === ours.target && isCopy(parent, ourParent);
      return !isInherited && !follows(parent, ourParent);
    }),
  );
}

function isSame(ours: MountEntry, theirs: MountEntry): boolean {
  // Mounts are numbered for the whole kernel: this is our own, in a namespace whose name is hidden from us.
  if (theirs.id === ours.id) return false;
  if (theirs.device !== ours.device) return false;
  const below = ours.root === '/' ? '/' : `${ours.root}/`;
  return theirs.root === ours.root || theirs.root.startsWith(below);
}

const parentOf = ({ parent }: MountEntry, mounts: readonly MountEntry[]): MountEntry | undefined =>
  mounts.find(({ id }) => id === parent);

const isCopy = (one: MountEntry | undefined, other: MountEntry | undefined): boolean =>
  one?.device === other?.device && one?.root === other?.root && one?.target === other?.target;

/**
 * Whether what is unmounted on `master` is unmounted on this mount, too: both are in one peer group, or it is a slave
 * of that group (mount_namespaces(7)).
 */
function follows(mount: MountEntry | undefined, master: MountEntry | undefined): boolean {
  const group = master?.propagation.find((tag) => tag.startsWith('shared:'))?.slice('shared:'.length);
  if (group === undefined) return false;
  return mount?.propagation.some((tag) => tag === `shared:${group}` || tag === `master:${group}`) === true;
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
