import { findCommand } from '../host.js';
import { type ProbeOptions, whyRuntimeFails } from './probe.js';

/** The runtimes that are known by their own names wherever they are installed, the fastest first. */
export const stockRuntimes = ['crun', 'runc'] as const;

export type StockRuntime = (typeof stockRuntimes)[number];

export interface RuntimeChoice {
  name: StockRuntime;
  /** Why this one, as what follows "X: ". */
  why: string;
}

/**
 * The fastest runtime that works on this host. crun is asked for a container; runc is what there is otherwise, and is
 * not asked: without it nothing would run anyway.
 */
export async function fastestRuntime(options: Omit<ProbeOptions, 'path'>): Promise<RuntimeChoice> {
  const path = findCommand('crun');
  if (path === undefined) return { name: 'runc', why: 'crun, which is faster, is not installed' };
  const failure = await whyRuntimeFails({ ...options, path });
  if (failure === undefined) return { name: 'crun', why: 'the fastest one, and it works on this host' };
  return { name: 'runc', why: `crun, which is faster, does not work on this host: ${failure}` };
}
