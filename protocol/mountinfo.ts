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
