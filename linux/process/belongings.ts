import { readFileSync } from 'node:fs';

/** The control groups of a process, one path per hierarchy; none when there is no such process. */
export function cgroupsOfProcess(pid: number): string[] {
  const lines = read(`/proc/${pid}/cgroup`).split('\n').filter(Boolean);
  return lines.map((line) => line.split(':').slice(2).join(':'));
}

/** SO_ACCEPTCON, as /proc/net/unix shows it. */
const listening = 0x10000;

/**
 * Paths of the UNIX sockets that somebody in a process's network namespace listens on, as the process that bound them
 * wrote them: in that one's own view of the files.
 */
export function listeningSockets(pid: number): string[] {
  return read(`/proc/${pid}/net/unix`)
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      // Num RefCount Protocol Flags Type St Inode Path
      const [, flags = '0', path] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +\d+ (\/.*)$/.exec(line) ?? [];
      return path !== undefined && Number.parseInt(flags, 16) & listening ? [path] : [];
    });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It ended meanwhile, and has nothing now.
    return '';
  }
}
