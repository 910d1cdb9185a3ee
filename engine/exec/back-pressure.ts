import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, type ProcessIdentity, processIdentity } from '@cleat/linux/process/identity';
import { setInterval } from '@cleat/protocol/guard';

/** How soon the end of a process that waits is seen. */
const lookMs = 500;

/**
 * Makes one exec's process wait while its client does not read, as under Docker: a dump into a slow pipe loses nothing
 * and fills nothing. conmon, which serves this exec alone, is stopped; the process then waits at its full pipe, and all
 * others in the container go on. Not reading from conmon's attach socket would do the same, but the library that
 * reads it cannot pause.
 *
 * A stopped conmon does not collect its process, and a process that nobody collects keeps the whole container from
 * ending. So it goes on as soon as the process has ended, however that came about.
 */
export class BackPressure {
  #freeze: ((frozen: boolean) => void) | undefined;
  #process: ProcessIdentity | undefined;
  #looking: NodeJS.Timeout | undefined;

  /** Nothing is printed yet. @param freeze stops conmon, or lets it go on */
  begin(freeze: (frozen: boolean) => void): void {
    this.#freeze = freeze;
  }

  /** conmon said that the process runs, which it does before it hands on any output; that may be stopped by now. */
  started(pid: number): void {
    this.#process = processIdentity(pid);
    if (!this.#process) this.end();
  }

  /** Whether the client is too far behind. At once: output is read faster than anybody else gets a turn. */
  set(full: boolean): void {
    if (!full) this.#thaw();
    else if (!this.#looking) this.#stop();
  }

  #stop(): void {
    if (!this.#freeze || this.#hasEnded()) return;
    this.#freeze(true);
    this.#looking = setInterval(() => {
      if (this.#hasEnded()) this.#thaw();
    }, lookMs).unref();
  }

  /** Nothing more is printed, or nobody is left who could be waited for. */
  end(): void {
    this.#thaw();
    this.#freeze = undefined;
  }

  #hasEnded(): boolean {
    return this.#process !== undefined && !isAlive(this.#process);
  }

  #thaw(): void {
    clearInterval(this.#looking);
    if (this.#looking) this.#freeze?.(false);
    this.#looking = undefined;
  }
}

/** Lets every conmon go on that an engine had stopped when it was killed. @param directory of all sessions */
export function thawLeftovers(directory: string): void {
  for (const session of read(() => readdirSync(directory)) ?? []) {
    const path = join(directory, session);
    const pid = Number(read(() => readFileSync(join(path, 'pid'), 'utf8')));
    if (!(pid > 0)) continue;
    const stat = read(() => readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? '';
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    // The number may have come to mean another process: only a conmon has this directory among its arguments.
    const command = parent > 1 ? read(() => readFileSync(`/proc/${parent}/cmdline`, 'utf8')) : undefined;
    if (command?.includes(path)) read(() => process.kill(parent, 'SIGCONT'));
  }
}

/** undefined when it is gone. */
function read<T>(what: () => T): T | undefined {
  try {
    return what();
  } catch {
    return undefined;
  }
}
