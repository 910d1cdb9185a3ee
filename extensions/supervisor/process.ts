import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Type, { type Static } from '@cleat/protocol/schema';
import { readNoted } from './note.js';

/** The record of a process, so that the next engine finds it. */
const Note = Type.Object({
  pid: Type.Integer(),
  /** A hash of everything it was started with; another one means that it must be replaced. */
  fingerprint: Type.String(),
});
export type Note = Static<typeof Note>;

export const readNote = (path: string): Note | undefined => readNoted(Note, path);

/** Whether `pid` is the process that serves `socket`: its number may have been given to another one since. */
export function serves(pid: number, socket: string): boolean {
  return pid > 1 && commandOf(pid).includes(socket);
}

const probeMs = 1_000;

/** Whether anybody listens at a UNIX socket. The file of one that nobody listens at any longer may be there. */
export function isListening(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    const answer = (listens: boolean) => {
      probe.destroy();
      resolve(listens);
    };
    probe.once('connect', () => answer(true));
    // Any other error, such as a queue that is full, comes from somebody who is there.
    probe.on('error', (error) => answer(!('code' in error && ['ECONNREFUSED', 'ENOENT'].includes(String(error.code)))));
    probe.setTimeout(probeMs, () => answer(true));
  });
}

/** All processes that were started to serve a module there, also those that no note tells of: a look at each process. */
export function serversOf(module: string, socket: string): number[] {
  const pids = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? Number(name) : []));
  return pids.filter((pid) => serves(pid, socket) && commandOf(pid).includes(module));
}

function commandOf(pid: number): string[] {
  try {
    // A zombie's command line is empty.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // No such process.
    return [];
  }
}

/** How long a killed process may take to vanish; one that hangs in the kernel is left to it. */
const dyingMs = 5_000;

/** Asks the process to stop, and makes it after `graceMs`. Resolves when it is gone, or cannot be got rid of. */
export async function stop(pid: number, socket: string, graceMs: number): Promise<void> {
  const killAt = Date.now() + graceMs;
  signal(pid, 'SIGTERM');
  while (serves(pid, socket) && Date.now() < killAt + dyingMs) {
    if (Date.now() >= killAt) signal(pid, 'SIGKILL');
    await sleep(20);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // ESRCH: it has just ended, which is what was wanted.
  }
}
