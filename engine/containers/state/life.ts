import type { ProcessIdentity } from '@cleat/linux/process/identity';
import type { ContainerStatus, Health } from '@cleat/protocol/api/container';
import type { NetworkId } from '../../ids.js';
import { zeroTime } from '../../time.js';

/** The facts about the last run, or the last start that failed; the zero values before the first. */
interface LastRun {
  readonly exitCode: number;
  /** Why it did not start, how it ended, or what it waits for; a sentence, or empty. */
  readonly error: string;
  readonly oomKilled: boolean;
  /** RFC 3339 with nanoseconds, or Go's zero time. */
  readonly startedAt: string;
  readonly finishedAt: string;
}

/** It has a process. */
interface Live extends LastRun {
  readonly status: 'running' | 'paused';
  /** On the host. */
  readonly pid: number;
}

/** It has no process. `restarting`: its restart policy wants it to run, and its next start is due or waits. */
interface Resting extends LastRun {
  readonly status: 'created' | 'exited' | 'restarting' | 'removing' | 'dead';
  readonly pid: 0;
}

/** Where a container is in its life. Only `transition` writes it. */
export type Life = Live | Resting;

/** Work on a container that lasts for a moment, and its traces on the host: for the next engine. */
export interface Marks {
  health?: Health;
  /** Its processes are frozen for a moment, or are being frozen or let go on: the next engine lets them go on. */
  thaw?: true;
  /**
   * It is being connected to that network, or disconnected: nobody was answered yet, so the next engine makes sure that
   * it is not on it.
   */
  leaving?: { id: NetworkId; name: string };
  /** The runtime is being told other limits than these in hostConfig: the next engine tells it these. */
  updating?: true;
  /** The traces on the host, from before the first of them is made until all of them are gone. */
  run?: RunRecord;
  /** The event of the journal that tells of this state (`announce.ts`). */
  told?: { event: number; action: 'start' | 'die'; attributes: Record<string, string>; at: string };
}

export type StoredState = Life & Marks;

/** One start of a container: enough for the next engine to find it again, or to clear it away. */
export interface RunRecord {
  /** Identifies volume mounts towards their drivers; one per start. */
  mountId: string;
  /** Names of volumes that were mounted under `mountId`, with where. */
  volumes: {
    name: string;
    destination: string;
    path: string;
    driver: string;
    readOnly: boolean;
    propagation: string;
  }[];
  /** Absent until the runtime has created it. */
  init?: ProcessIdentity;
  conmon?: ProcessIdentity;
}

/** The state of a container that was just made. */
export const newLife: Life = {
  status: 'created',
  pid: 0,
  exitCode: 0,
  error: '',
  oomKilled: false,
  startedAt: zeroTime,
  finishedAt: zeroTime,
};

/** Whether it has a process. */
export function isLive(state: { readonly status: ContainerStatus }): boolean {
  return state.status === 'running' || state.status === 'paused';
}

/** Docker counts a container that waits for its restart as running. */
export function isRunning(state: { readonly status: ContainerStatus }): boolean {
  return isLive(state) || state.status === 'restarting';
}

/** Whether it is being removed, or could not be removed completely. */
export function isDoomed(state: { readonly status: ContainerStatus }): boolean {
  return state.status === 'removing' || state.status === 'dead';
}
