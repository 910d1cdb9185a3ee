import { callerText } from '@cleat/protocol/caller';
import { fitsRoute } from './match.js';
import type { HookTrace, TraceQuery } from './service.js';

const maxTraces = 500;

export type NewTrace = Omit<HookTrace, 'Number'>;

/** The latest traces, in memory. Texts in them were shortened before. */
export class Traces {
  readonly #kept: { readonly number: number; readonly trace: NewTrace }[] = [];
  #last = 0;

  add(trace: NewTrace): void {
    this.#kept.push({ number: ++this.#last, trace });
    if (this.#kept.length > maxTraces) this.#kept.shift();
  }

  find({ after = 0, tail = maxTraces, id, route, caller }: TraceQuery): readonly HookTrace[] {
    const all = this.#kept.map(({ number, trace }): HookTrace => ({ Number: number, ...trace }));
    const found = all.filter(
      (trace) =>
        trace.Number > after &&
        (id === undefined || trace.ID === id) &&
        (route === undefined || fitsRoute(route, { path: trace.Route })) &&
        (caller === undefined || callerText(trace.Caller).includes(caller)),
    );
    return tail >= found.length ? found : found.slice(found.length - tail);
  }
}
