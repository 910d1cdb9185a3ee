import { performance } from 'node:perf_hooks';

export const results = ['ok', 'error', 'bad_request', 'unknown_method'] as const;
export type Result = (typeof results)[number];

/** Upper bounds of the histogram, in seconds: from what a map answers to the longest deadline of a contract. */
export const durationBounds = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 120] as const;

/** Results of the calls of one method. */
export interface MethodCalls {
  readonly results: Record<Result, number>;
  /** One per bound, and one for what took longer; not cumulative. */
  readonly durations: number[];
  seconds: number;
}

/** One call under way. */
export interface Call {
  readonly method: MethodCalls;
  readonly startedAt: number;
}

/** A caller of methods that do not exist makes no more of these than one. */
const otherMethods = 'other';

/** Counts calls by method and result. It is asked twice per call, and does nothing then but add. */
export class CallStatistics {
  readonly #methods = new Map<string, MethodCalls>();
  readonly #others = noCalls();
  #underWay = 0;

  /** @param paths of the methods that there are, `/VolumeDriver.Create` */
  constructor(paths: readonly string[]) {
    for (const path of paths) this.#methods.set(path, noCalls());
  }

  get underWay(): number {
    return this.#underWay;
  }

  begin(path: string): Call {
    this.#underWay++;
    return { method: this.#methods.get(path) ?? this.#others, startedAt: performance.now() };
  }

  /** @returns how long it took, in ms */
  end({ method, startedAt }: Call, result: Result): number {
    const ms = performance.now() - startedAt;
    const seconds = ms / 1000;
    this.#underWay--;
    method.results[result]++;
    method.seconds += seconds;
    let at = 0;
    while (at < durationBounds.length && seconds > (durationBounds[at] ?? 0)) at++;
    method.durations[at] = (method.durations[at] ?? 0) + 1;
    return ms;
  }

  /** Methods by name, `VolumeDriver.Create`; `other` stands for all that there are not. */
  methods(): [method: string, calls: MethodCalls][] {
    const own = [...this.#methods].map(([path, calls]): [string, MethodCalls] => [path.slice(1), calls]);
    return [...own, [otherMethods, this.#others]];
  }
}

const noCalls = (): MethodCalls => ({
  results: { ok: 0, error: 0, bad_request: 0, unknown_method: 0 },
  durations: new Array<number>(durationBounds.length + 1).fill(0),
  seconds: 0,
});
