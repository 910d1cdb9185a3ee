import { Mutex } from '@cleat/protocol/async/mutex';
import { notFound } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { ContainerId } from '../../ids.js';
import type { Collection } from '../../store/service.js';
import { isRunning } from './life.js';
import type { ContainerRecord } from './record.js';
import { RestartTimer } from './restart-timer.js';
import type { Run } from './run.js';
import { Waiters } from './waiters.js';

/** How long it waits before it writes again what a full disk did not take, in ms. */
const unwrittenMs = 1000;

/** How far the clearing up is. */
export interface Release {
  /** The networks are free again. */
  detached: Promise<void>;
  /** Volumes and the root file system are. */
  unmounted: Promise<void>;
  /** Everything is: another start may follow. */
  done: Promise<void>;
}

/** A container in memory: its record, and what belongs to this engine's life only. */
export class Container {
  readonly record: ContainerRecord;
  /** Held by whatever changes the container's life (start, exit, removal); readers do not take it. */
  readonly lock = new Mutex();
  /** Held while a signal is sent, so that its event precedes that of the end it causes. */
  readonly signals = new Mutex();
  /** Held while its processes are frozen or let go on. */
  readonly freezer = new Mutex();
  /** How many need them frozen for a moment. */
  freezes = 0;
  readonly waiters = new Waiters();
  readonly restarts = new RestartTimer();
  /** IDs of its exec sessions, for inspect. */
  readonly execIds = new Set<string>();
  /** Variables of its first process that are in memory only: secrets of a build. */
  hiddenVariables: readonly string[] = [];
  /** Output still on its way to attached clients; removal gives them a moment. */
  readonly sessions = new Set<Promise<void>>();
  /** A start that is under way; aborted by a forced removal. */
  starting: AbortController | undefined;
  /** Clearing up behind the last run, while it is under way. */
  released: Release | undefined;
  /** `docker restart` is between its stop and its start: no automatic removal. */
  restartRequested = false;
  #run: Run | undefined;
  #revision = 0;
  #unwritten: NodeJS.Timeout | undefined;
  readonly #awaitingRun = new Set<(run: Run | undefined) => void>();
  readonly #hopeful = new Set<AbortController>();
  readonly #collection: Collection<ContainerRecord>;
  readonly #onSave: (container: Container) => void;

  /** @param onSave told whenever the record may have changed */
  constructor(
    record: ContainerRecord,
    collection: Collection<ContainerRecord>,
    onSave: (container: Container) => void = () => {},
  ) {
    this.record = record;
    this.#collection = collection;
    this.#onSave = onSave;
  }

  get id(): ContainerId {
    return this.record.id;
  }

  get running(): boolean {
    return isRunning(this.record.state);
  }

  get run(): Run | undefined {
    return this.#run;
  }

  /** For who has waited for the lock. @throws NotFound when it was removed meanwhile */
  checkKept(): void {
    if (this.record.state.status !== 'removing' || this.#collection.get(this.id)) return;
    throw notFound(`No such container: ${this.id}`);
  }

  /** The runtime has created it. */
  began(run: Run): void {
    this.#run = run;
    this.#tellRun(run);
  }

  /** Its process has ended. */
  ended(): void {
    this.#run?.end();
    this.#run = undefined;
    // Readers of this run get the rest of it, and its end, from the spool.
    this.#hopeful.clear();
  }

  /** A start came to nothing, or the container goes away: those who wait for the next run give up. */
  noRun(): void {
    this.#tellRun(undefined);
    for (const controller of this.#hopeful) controller.abort();
    this.#hopeful.clear();
  }

  /** Aborts `controller` when a start comes to nothing. */
  onNoRun(controller: AbortController): void {
    this.#hopeful.add(controller);
  }

  offNoRun(controller: AbortController): void {
    this.#hopeful.delete(controller);
  }

  #tellRun(run: Run | undefined): void {
    for (const tell of this.#awaitingRun) tell(run);
    this.#awaitingRun.clear();
  }

  /** The present run, or else the next; undefined when none came to be or `signal` aborted. */
  async nextRun(signal: AbortSignal): Promise<Run | undefined> {
    if (this.#run) return this.#run;
    if (signal.aborted) return undefined;
    return await new Promise<Run | undefined>((resolve) => {
      const tell = (run: Run | undefined) => {
        signal.removeEventListener('abort', abort);
        resolve(run);
      };
      const abort = () => {
        this.#awaitingRun.delete(tell);
        resolve(undefined);
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#awaitingRun.add(tell);
    });
  }

  /** Changes whenever the record may have. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Writes down what has happened, which no full disk makes undone: then memory holds it until there is space again. So
   * stopping and removing work on a full disk.
   */
  note(): void {
    this.#sooner(() => this.save());
  }

  /** Tries again until it is written; the latest wins. */
  #sooner(write: () => void): void {
    clearTimeout(this.#unwritten);
    this.#unwritten = undefined;
    try {
      write();
    } catch {
      this.#unwritten = setTimeout(() => this.#sooner(write), unwrittenMs).unref();
    }
  }

  /** Writes the record as it is now. A container that was removed stays removed. @throws System: a full disk */
  save(): void {
    this.#revision++;
    this.#onSave(this);
    if (this.record.state.status !== 'removing' || this.#collection.get(this.id)) {
      this.#collection.put(this.id, this.record);
    }
  }

  forget(): void {
    this.#sooner(() => this.#collection.delete(this.id));
  }
}
