import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exitCode } from '@cleat/linux/process/run';
import { posixSpawn, type Spawned } from '@cleat/linux/syscall/spawn';
import { within } from '@cleat/protocol/async/deadline';
import { unavailable } from '@cleat/protocol/errors';

/** How long its start may take. */
const startMs = 15_000;
/** Bytes of its complaints that are kept: the last ones. */
const complaintBytes = 4096;

/** A small heap with a bound, and one thread beside the first. The collector is for its rest. */
export const nameFlags = [
  '--max-semi-space-size=2',
  '--max-old-space-size=128',
  '--optimize-for-size',
  '--v8-pool-size=1',
  '--expose-gc',
];

/** The program. From sources (tests) it is the built one: Node 20 runs no TypeScript. */
function program(): string {
  const built = import.meta.url.endsWith('.ts') ? '../../dist/networks/names/program/main.js' : './program/main.js';
  return fileURLToPath(new URL(built, import.meta.url));
}

let build: string | undefined;

/** Which program this engine would start: in a bundle its file names all that it consists of by their digests. */
export function ownBuild(): string {
  build ??= `${process.version} ${createHash('sha256').update(readFileSync(program())).digest('hex').slice(0, 16)}`;
  return build;
}

/** A process of names that this engine started. */
export interface StartedProcess {
  readonly pid: number;
  /** How it ended, with what it complained about. Never rejects. */
  readonly ended: Promise<string>;
  kill(): void;
}

/**
 * Starts the process, in a session of its own so that it outlives this one.
 * @param path of the socket on which it is to be reached, from whomever listened there
 * @throws Unavailable when it ends before it listens
 */
export async function startNames(path: string): Promise<StartedProcess> {
  const child = posixSpawn(process.execPath, [...nameFlags, program(), path, ownBuild()], {
    // One heap for what is allocated outside of JavaScript: threads of Node.js would keep one each.
    env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', MALLOC_ARENA_MAX: '1' },
    stdio: ['null', 'writes', 'writes'],
    session: true,
  });
  const [, stdout, stderr] = child.pipes;
  let complaint = '';
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-complaintBytes);
  });
  const ended = endOf(child, () => complaint);
  const ready = new Promise<true>((resolve) => stdout?.once('data', () => resolve(true)));
  const outcome = await within(startMs, Promise.race([ready, ended]), 'did not start in time');
  for (const pipe of child.pipes) pipe?.unref();
  if (outcome === true) return { pid: child.pid, ended, kill: () => child.kill('SIGKILL') };
  child.kill('SIGKILL');
  throw unavailable(`the process of names ${outcome}`);
}

async function endOf(child: Spawned, complaint: () => string): Promise<string> {
  const status = await child.finished();
  const code = exitCode(status);
  return `ended ${code > 128 ? `by signal ${code - 128}` : `with ${code}`}${complaint() && `: ${complaint().trim()}`}`;
}
