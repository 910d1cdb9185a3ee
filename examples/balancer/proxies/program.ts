import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { writeFileDurably } from '@cleat/sdk';

/** How many processes a program may have beside the one that was started. */
const mostProcesses = 32;

/** A process, told from a later one with the same number. */
interface Identity {
  readonly pid: number;
  /** In clock ticks since the machine started. */
  readonly started: string;
}

/** The content of the file. */
interface Kept {
  readonly current: Identity | undefined;
  /** Those that finish what they began, for a configuration that is no longer served. */
  readonly leaving: readonly Identity[];
}

/**
 * A program that goes on when the balancer is killed: it is in a session of its own and writes where the balancer
 * wrote. Its identity is in a file, so that the next balancer finds it.
 */
export class Program {
  readonly #file: string;
  #current: Identity | undefined;
  #leaving: Identity[] = [];

  /** @param file where its identity is kept */
  constructor(file: string) {
    this.#file = file;
    const { current, leaving } = read(file);
    this.#current = current;
    this.#leaving = leaving.filter(isAlive);
  }

  get isRunning(): boolean {
    return this.#current !== undefined && isAlive(this.#current);
  }

  /** undefined: it does not run. */
  get pid(): number | undefined {
    return this.isRunning ? this.#current?.pid : undefined;
  }

  /**
   * Starts it; one that runs is told by this one to leave, if the command says so.
   * @throws Unavailable when it cannot be started
   */
  async start([program = '', ...args]: readonly string[]): Promise<void> {
    const child = spawn(program, args, { detached: true, stdio: ['ignore', 'inherit', 'inherit'] });
    const failure = await new Promise<Error | undefined>((resolve) => {
      child.once('error', resolve);
      child.once('spawn', () => resolve(undefined));
    });
    if (failure) throw unavailable(`${program} cannot be started: ${messageOf(failure)}`, { cause: failure });
    child.on('error', () => {}); // Signals go by its number.
    child.unref();
    this.#leaving = [...this.#leaving, this.#current].filter((one) => one !== undefined && isAlive(one)) as Identity[];
    this.#current = identityOf(child);
    this.#keep();
  }

  /** The one before goes on, in place of one that was started and did not come to serve. */
  stay(): void {
    this.#signal(this.#current, 'SIGKILL');
    this.#current = this.#leaving.pop();
    this.#keep();
  }

  /** Does nothing where it does not run. */
  signal(signal: NodeJS.Signals): void {
    this.#signal(this.#current, signal);
  }

  /**
   * Ends the oldest of those that finish what they began: where containers come and go all the time, and connections
   * stay, there is one more with each reload.
   */
  endOldest(): void {
    const masters = new Set([...this.#leaving, ...(this.#current ? [this.#current] : [])].map(({ pid }) => pid));
    const others = processes().filter(({ pid, session }) => masters.has(session) && pid !== this.#current?.pid);
    const oldest = others.toSorted((a, b) => Number(a.started - b.started));
    for (const { pid } of oldest.slice(0, -mostProcesses)) tryKill(pid, 'SIGTERM');
  }

  /** Waits for its end, and that of those before it, at most so long; then they are killed. */
  async end(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    this.signal(signal);
    const all = [...this.#leaving, ...(this.#current ? [this.#current] : [])];
    const late = Date.now() + graceMs;
    while (all.some(isAlive) && Date.now() < late) await sleep(20);
    for (const one of all) this.#signal(one, 'SIGKILL');
    while (all.some(isAlive)) await sleep(20);
    await this.endOrphans();
    rmSync(this.#file, { force: true });
  }

  /** Workers whose master was killed go on and hold its ports; they are in its session. */
  async endOrphans(): Promise<void> {
    const master = this.#current;
    if (master === undefined || isAlive(master)) return;
    const left = () =>
      processes().filter(({ session, started }) => session === master.pid && started >= BigInt(master.started));
    for (const { pid } of left()) tryKill(pid, 'SIGTERM');
    const late = Date.now() + 2_000;
    while (left().length > 0 && Date.now() < late) await sleep(20);
    for (const { pid } of left()) tryKill(pid, 'SIGKILL');
  }

  #signal(identity: Identity | undefined, signal: NodeJS.Signals): void {
    if (identity && isAlive(identity)) tryKill(identity.pid, signal);
  }

  #keep(): void {
    writeFileDurably(this.#file, JSON.stringify({ current: this.#current, leaving: this.#leaving } satisfies Kept));
  }
}

/** Runs a command to its end. @returns what it complained about; undefined: it ended well */
export function complaintOf([program = '', ...args]: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: 20_000, killSignal: 'SIGKILL', maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(undefined);
      else if (typeof error.code === 'string') {
        reject(unavailable(`${program} cannot be run: ${messageOf(error)}`, { cause: error }));
      } else resolve(`${stderr}${stdout}`.trim().slice(0, 2_000) || messageOf(error));
    });
  });
}

function identityOf({ pid }: ChildProcess): Identity | undefined {
  const started = pid === undefined ? undefined : statOf(pid)?.started;
  return pid === undefined || started === undefined ? undefined : { pid, started: String(started) };
}

function read(file: string): Kept {
  try {
    const { current, leaving } = JSON.parse(readFileSync(file, 'utf8')) as { current?: unknown; leaving?: unknown };
    return {
      current: isIdentity(current) ? current : undefined,
      leaving: Array.isArray(leaving) ? leaving.filter(isIdentity) : [],
    };
  } catch {
    // None, or not whole.
    return { current: undefined, leaving: [] };
  }
}

function isIdentity(value: unknown): value is Identity {
  const { pid, started } = (value ?? {}) as Partial<Identity>;
  return Number.isInteger(pid) && /^\d+$/.test(String(started));
}

const isAlive = ({ pid, started }: Identity): boolean => {
  const stat = statOf(pid);
  return stat !== undefined && stat.state !== 'Z' && String(stat.started) === started;
};

interface Stat {
  readonly pid: number;
  readonly state: string;
  readonly session: number;
  readonly started: bigint;
}

/** From proc_pid_stat(5): what follows the name in parentheses, which may have anything in it. */
function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', , , session = '', ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { pid, state, session: Number(session), started: BigInt(rest[15] ?? '0') };
  } catch {
    // It is gone.
    return undefined;
  }
}

function processes(): Stat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(Number(name)) ?? [])
    .filter(({ state }) => state !== 'Z');
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
