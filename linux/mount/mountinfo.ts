import { readFileSync } from 'node:fs';

/** One line of /proc/PID/mountinfo (proc(5)). */
export interface MountEntry {
  id: number;
  parent: number;
  /** `major:minor` */
  device: string;
  /** The directory inside the file system that is mounted here. */
  root: string;
  target: string;
  options: string[];
  /** `shared:N`, `master:N`, … */
  propagation: string[];
  type: string;
  source: string;
  superOptions: string[];
}

/** Undoes the kernel's octal escapes of blank, tab, newline and backslash. */
function unescapePath(text: string): string {
  if (!text.includes('\\')) return text;
  const bytes = text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return bytes;
}

/** Parses mountinfo text; lines that do not parse are left out. */
export function parseMountInfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const [head, tail] = line.split(' - ', 2);
    const [id, parent, device, root, target, options, ...propagation] = (head ?? '').split(' ');
    const [type, source, superOptions] = (tail ?? '').split(' ');
    if (!id || !parent || !device || root === undefined || !target || !type) continue;
    entries.push({
      id: Number(id),
      parent: Number(parent),
      device,
      root: unescapePath(root),
      target: unescapePath(target),
      options: (options ?? '').split(','),
      propagation,
      type,
      source: unescapePath(source ?? ''),
      superOptions: (superOptions ?? '').split(','),
    });
  }
  return entries;
}

/**
 * The mounts of this process's namespace, in mount order.
 * @param prefix only those at this path or below it
 */
export function listMounts(prefix?: string): MountEntry[] {
  const entries = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  if (prefix === undefined || prefix === '/') return entries;
  const base = prefix.replace(/\/+$/, '');
  return entries.filter((entry) => entry.target === base || entry.target.startsWith(`${base}/`));
}

/** Whether something is mounted exactly here. */
export function isMountPoint(path: string): boolean {
  return listMounts(path).some((entry) => entry.target === path.replace(/(.)\/+$/, '$1'));
}

/**
 * The mount that a path lies on.
 * @param path absolute and without symlinks
 */
export function mountOf(path: string, entries: readonly MountEntry[] = listMounts()): MountEntry | undefined {
  const holds = ({ target }: MountEntry) => target === '/' || path === target || path.startsWith(`${target}/`);
  // Of several at the same place the latest lies on top.
  return entries
    .filter(holds)
    .reduce<MountEntry | undefined>(
      (best, entry) => (best && best.target.length > entry.target.length ? best : entry),
      undefined,
    );
}
