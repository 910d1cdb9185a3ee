import { readFileSync } from 'node:fs';

/** A process for ever: its number may be given to another one, the rest may not. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat, proc(5)). */
  startTime: string;
  /** /proc/sys/kernel/random/boot_id */
  bootId: string;
}

let boot: string | undefined;

/** The kernel's random name for the time since the last boot. */
export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}

/** State letter and start time; undefined when there is no such process. */
function readStat(directory: string): { state: string; startTime: string } | undefined {
  let text: string;
  try {
    text = readFileSync(`${directory}/stat`, 'utf8');
  } catch {
    // ENOENT or ESRCH: it is gone, which is the answer.
    return undefined;
  }
  // The command name may hold blanks and parentheses; what follows the last parenthesis does not.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
}

function hasEnded(state: string): boolean {
  return state === 'Z' || state === 'X';
}

/** The process that runs under this number now; undefined when there is none (a zombie does not run). */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  const stat = readStat(`/proc/${pid}`);
  return stat && !hasEnded(stat.state) ? { pid, startTime: stat.startTime, bootId: bootId() } : undefined;
}

/** Whether exactly this process still runs. A zombie does not; nor does anything of an earlier boot. */
export function isAlive(identity: ProcessIdentity): boolean {
  return runsAt(`/proc/${identity.pid}`, identity);
}

/**
 * The same of the process whose directory in /proc this is: once that is open, it is of one process, no matter which
 * one gets its number later.
 */
export function runsAt(directory: string, identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false;
  const stat = readStat(directory);
  return stat !== undefined && stat.startTime === identity.startTime && !hasEnded(stat.state);
}
