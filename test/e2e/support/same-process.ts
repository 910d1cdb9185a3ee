import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Engine } from './engine.js';

/** A process by number and start time: a number alone may be given to another. */
export function identityOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return `${pid} since ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
}

export const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Lines of the engine's log about failures that nobody expected. */
export function unexpectedIn(engine: Engine): string[] {
  return engine
    .log()
    .split('\n')
    .filter((line) => /unexpected error|failed unhandled|timer or a watcher failed|after an unexpected/.test(line));
}

/** Bytes of memory by which a process was larger at some time during `work` than before it. */
export async function growthDuring(pid: number, work: () => Promise<void>): Promise<number> {
  const bytes = (key: string): number => {
    const found = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(found?.[1]) * 1024;
  };
  const before = bytes('VmRSS');
  // The highest so far is now (proc(5)).
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  await work();
  return bytes('VmHWM') - before;
}
