import { cancelled, conflict, notFound, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { CacheEntry } from '../frontend/attributes.js';
import type { Session } from '../session/sessions.js';
import { History } from './history.js';
import { Progress } from './progress.js';

/** How long a call for a build waits for the build: its client sends both at the same time. */
const patienceMs = 10_000;
/** How long the progress of a build that has ended can be asked for. */
const afterlifeMs = 10_000;
const maxJobs = 1000;

/** A result of a build: an image, or what a question about a Dockerfile was answered with. */
export interface Result {
  readonly image?: string;
  /** Another build made it, so that it has none of this one's names yet. */
  readonly isOfAnother?: boolean;
  /** Descriptor of the last cache that was written, as JSON: a client lists it in its directory. */
  readonly cacheManifest?: string;
  readonly metadata: ReadonlyMap<string, Uint8Array>;
}

/** One call of `Solve`, under the name that its client gave it. */
export class Job {
  readonly progress = new Progress();
  /** By the IDs that clients got for them. */
  readonly results = new Map<string, Result>();
  /** Names for the image; undefined where it is not to be seen. */
  tags: readonly string[] | undefined;
  entitlements: readonly string[] = [];
  cacheExports: readonly CacheEntry[] = [];
  readonly #aborter = new AbortController();
  /** Resolves when its results are no longer needed. */
  readonly over: Promise<void>;
  end: () => void = () => {};
  /** The result that the client's own part of the build returned. */
  readonly returned: Promise<Result>;
  return: (result: Result) => void = () => {};
  fail: (error: Error) => void = () => {};

  constructor(
    readonly ref: string,
    readonly session: () => Promise<Session>,
    signal: AbortSignal,
  ) {
    this.over = new Promise((resolve) => {
      this.end = resolve;
    });
    this.returned = new Promise((resolve, reject) => {
      this.return = resolve;
      this.fail = reject;
    });
    this.returned.catch(() => {});
    const abort = (): void => this.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  }

  /** Aborted when the build is over or nobody waits for it. */
  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  abort(reason: unknown = cancelled('context canceled')): void {
    this.#aborter.abort(reason);
    this.fail(reason instanceof Error ? reason : cancelled('context canceled'));
  }
}

/** The builds that run, and for a while those that have ended. */
export class Jobs {
  readonly history = new History();
  readonly #jobs = new Map<string, Job>();
  readonly #waiting = new Set<() => void>();

  /** @throws Conflict, Unavailable */
  open(job: Job): Job {
    if (this.#jobs.has(job.ref)) throw conflict(`a build ${job.ref} is there already`);
    if (this.#jobs.size >= maxJobs) throw unavailable(`${maxJobs} builds are running: wait for some to end`);
    this.#jobs.set(job.ref, job);
    for (const wake of [...this.#waiting]) wake();
    return job;
  }

  /** @param error why it has failed */
  close(job: Job, error?: unknown): void {
    job.progress.end();
    job.abort(error);
    job.end();
    setTimeout(() => this.#jobs.delete(job.ref), afterlifeMs).unref();
  }

  /** Ends the build of that name, if there is one. */
  cancel(ref: string): void {
    this.#jobs.get(ref)?.abort(cancelled('build cancelled'));
  }

  /** The build of that name, which may be about to begin. @throws NotFound, Cancelled */
  async get(ref: string, signal: AbortSignal): Promise<Job> {
    let isLate = false;
    let wake = (): void => {};
    const timer = setTimeout(() => {
      isLate = true;
      wake();
    }, patienceMs);
    const onAbort = (): void => wake();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for (;;) {
        const job = this.#jobs.get(ref);
        if (job) return job;
        if (signal.aborted) throw cancelled('context canceled');
        if (isLate) throw notFound(`no such job ${ref}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
          this.#waiting.add(wake);
        });
        this.#waiting.delete(wake);
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }
}
