import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { findCommand } from '../host.js';
import { bootId } from '../process/identity.js';
import { type ProbeOptions, whyRuntimeFails } from './probe.js';

/** The runtimes that are known by their own names wherever they are installed, the fastest first. */
export const stockRuntimes = ['crun', 'runc'] as const;

export type StockRuntime = (typeof stockRuntimes)[number];

export interface RuntimeChoice {
  name: StockRuntime;
  /** Why this one, as what follows "X: ". */
  why: string;
}

export interface FastestOptions extends Omit<ProbeOptions, 'path'> {
  /** A file in which it is noted that crun works: it is not asked again until the host boots. */
  memory?: string;
  /** Ask it all the same. */
  afresh?: boolean;
}

/**
 * The fastest runtime that works on this host. crun is asked for a container; runc is what there is otherwise, and is
 * not asked: without it nothing would run anyway.
 */
export async function fastestRuntime({ memory, afresh, ...options }: FastestOptions): Promise<RuntimeChoice> {
  const path = findCommand('crun');
  if (path === undefined) return { name: 'runc', why: 'crun, which is faster, is not installed' };
  const works: RuntimeChoice = { name: 'crun', why: 'the fastest one, and it works on this host' };
  const circumstances = circumstancesOf(path, options.cgroupParent);
  if (memory !== undefined && !afresh && read(memory) === circumstances) return works;
  const failure = await whyRuntimeFails({ ...options, path });
  if (failure !== undefined) {
    // Not for long, perhaps: it is asked again at the next start.
    if (memory !== undefined) rmSync(memory, { force: true });
    return { name: 'runc', why: `crun, which is faster, does not work on this host: ${failure}` };
  }
  if (memory !== undefined) note(memory, circumstances);
  return works;
}

/** All that the answer depends on, as long as the host does not boot. */
function circumstancesOf(path: string, cgroupParent: string): string {
  // A copy over it in place may have its length and its time; nobody sets the time of the change itself.
  const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path);
  const program = [path, dev, ino, size, mtimeMs, ctimeMs];
  return JSON.stringify([bootId(), ...program, cgroupParent, readdirSync('/sys/fs/cgroup').sort()]);
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Most often there is none; whatever else it is, crun is asked.
    return undefined;
  }
}

function note(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch {
    // Then it is asked at the next start, too.
  }
}
