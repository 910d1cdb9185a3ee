import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineRoots } from './roots.js';

interface EngineProcess {
  pid: number;
  command: string;
}

/** Finds what still runs for an engine: monitors and extensions have one of its roots on their command line. */
export function processesOf({ dataRoot, execRoot }: EngineRoots): EngineProcess[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
      if (!/(^|\/)(conmon|node|runc|crun)$/.test(program)) return [];
      const ours = args.some((arg) => names(arg, dataRoot) || names(arg, execRoot)) && seesOurRoot(pid);
      return ours ? [{ pid, command: [program, ...args].join(' ').trim() }] : [];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/**
 * Whether a word names something below a directory, as `--flag=/path` too; `/srv/var/lib/cleat/` is another than
 * `/var/lib/cleat/`.
 */
function names(word: string, directory: string): boolean {
  const path = `${directory}/`;
  for (let at = word.indexOf(path); at !== -1; at = word.indexOf(path, at + 1)) {
    if (at === 0 || !/[\w./-]/.test(word[at - 1] ?? '')) return true;
  }
  return false;
}

/** An engine inside of a container has the same paths on its command lines, and they are others. */
function seesOurRoot(pid: number): boolean {
  const [theirs, ours] = [statSync(`/proc/${pid}/root/`), statSync('/')];
  return theirs.dev === ours.dev && theirs.ino === ours.ino;
}

/** @throws when one of them stays */
export async function killProcesses(roots: EngineRoots): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const left = processesOf(roots);
    if (left.length === 0) return;
    // A container's first process is its monitor's child; with it the whole container ends, then the monitor.
    for (const { pid } of left) for (const child of [...childrenOf(pid), pid]) kill(child);
    await sleep(100);
  }
  throw new Error(
    `still alive: ${processesOf(roots)
      .map(({ command }) => command)
      .join('; ')}`,
  );
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    // It ended meanwhile.
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
