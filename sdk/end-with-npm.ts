import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setInterval } from '@cleat/protocol/guard';

/** How often it is looked whether npm is still there, in ms. */
const lookMs = 1_000;

/** Programs that run a package's scripts, and may be process 1 of a container. */
const scriptRunners = new Set(['npm', 'node', 'pnpm', 'yarn', 'bun']);

/**
 * Ends this process when the `npm start` above it does: npm that was killed cannot pass the signal on, nobody would
 * know of this process, and it would hold its socket. npm may have been killed long before, while it built.
 */
export function endWithNpm(): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const look = () => {
    if (process.ppid !== parent || isForeign(parent)) process.kill(process.pid, 'SIGTERM');
  };
  look();
  setInterval(look, lookMs).unref();
}

/**
 * Whether this parent is neither npm nor a shell of npm's, but took us over when ours ended. npm runs its scripts in
 * its own session; in a container, process 1 may be of the same.
 */
function isForeign(parent: number): boolean {
  const own = sessionOf(process.pid);
  const theirs = sessionOf(parent);
  // A script may ask for a session of its own (setsid), and other users' processes may be hidden.
  if (own === undefined || theirs === undefined || own === process.pid) return false;
  if (own !== theirs) return true;
  return parent === 1 && !scriptRunners.has(programOf(parent));
}

function sessionOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The program's name, in parentheses, may hold anything; after it: state, parent, group, session.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields?.[3] === undefined ? undefined : Number(fields[3]);
}

/** npm writes what it runs over its command line: `npm start`. */
function programOf(pid: number): string {
  const [program = ''] = (read(`/proc/${pid}/cmdline`) ?? '').split(/[\0 ]/);
  return basename(program);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It ended meanwhile, is hidden from us, or this is no Linux.
    return undefined;
  }
}
