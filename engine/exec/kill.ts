import { readFileSync } from 'node:fs';
import { processesIn } from '@cleat/linux/cgroup/lifecycle';
import type { Exec } from './exec.js';

/**
 * Kills an exec's process and what it left behind in its session: a check that is killed once a second must not fill
 * the container with its children. Only processes of the container's own control group are looked at, so that a number
 * that has come to mean another process does no harm.
 */
export function killSession({ state, pid, target }: Exec): void {
  if (state !== 'running' || pid === 0) return;
  for (const process of processesIn(target.cgroup)) {
    if (process === pid || sessionOf(process) === pid) kill(process);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it has just ended.
  }
}

/** The sixth field of `/proc/PID/stat`; the second is a name that may hold anything. */
function sessionOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
  } catch {
    // It has just ended.
    return undefined;
  }
}
