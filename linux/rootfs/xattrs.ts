import { errnoOf } from '../syscall/errno.js';
import { type BytePath, getXattr, listXattrs, setXattr } from '../syscall/files.js';

/** Attributes that belong to the file system that they are on, not to the file. */
const ownAttribute = /^(trusted\.overlay\.|user\.overlay\.|system\.)/;

/**
 * Errors of a file system that does not know attributes, or not this one; `EPERM` for a kind that this file cannot
 * have.
 */
function isUnsupported(error: unknown): boolean {
  return ['ENOTSUP', 'EPERM'].includes(errnoOf(error) ?? '');
}

/** Names (each character one byte) and values. */
export function readXattrs(path: BytePath): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  let names: string[];
  try {
    names = listXattrs(path, 'latin1');
  } catch (error) {
    if (isUnsupported(error)) return found;
    throw error;
  }
  for (const name of names) {
    if (ownAttribute.test(name)) continue;
    try {
      found.set(name, getXattr(path, Buffer.from(name, 'latin1')));
    } catch (error) {
      // Taken away meanwhile, or only listed.
      if (errnoOf(error) !== 'ENODATA' && !isUnsupported(error)) throw error;
    }
  }
  return found;
}

const capability = 'security.capability';
/**
 * Offset of the revision in it, and the length of the older one, which names no user namespace (linux/capability.h).
 */
const [revisionAt, newRevision, oldRevision, oldLength] = [3, 3, 2, 20];

/**
 * The attributes that go with a file to another machine: its capabilities, and what users set. In the order of their
 * names: file systems list them in any.
 */
export function portableXattrs(path: BytePath): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const [name, value] of [...readXattrs(path)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (name.startsWith('user.')) found.set(name, value);
    if (name !== capability) continue;
    // The user namespace's root has no meaning elsewhere, as in Docker.
    const isNew = value[revisionAt] === newRevision;
    const plain = Buffer.from(isNew ? value.subarray(0, oldLength) : value);
    if (isNew) plain[revisionAt] = oldRevision;
    found.set(name, plain);
  }
  return found;
}

/**
 * Sets them, but for those that overlayfs takes as orders (redirect, metacopy, opaque): only we give these. As Docker:
 * a file system without such attributes is no reason to refuse the file.
 */
export function writeXattrs(path: BytePath, attributes: Iterable<readonly [string, Buffer]>): void {
  for (const [name, value] of attributes) {
    if (ownAttribute.test(name)) continue;
    try {
      setXattr(path, Buffer.from(name, 'latin1'), value);
    } catch (error) {
      if (!isUnsupported(error)) throw error;
    }
  }
}
