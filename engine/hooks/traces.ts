import { callerText } from '@cleat/protocol/caller';
import { fitsRoute, routeText } from './match.js';
import type { HookDecision, HookSubject, HookTrace, TraceQuery } from './service.js';

const maxTraces = 500;

export type NewTrace = Omit<HookTrace, 'Number'>;

export type Outcome = Pick<NewTrace, 'Decision' | 'By' | 'Reason' | 'Steps'>;

export function outcomeOf({ result, ...why }: HookDecision, steps: NewTrace['Steps']): Outcome {
  return { Decision: result, ...('by' in why && { By: why.by, Reason: why.reason }), Steps: steps };
}

/** The facts of a request that its trace begins with. */
export function traced(
  { id, caller, route, params }: Pick<HookSubject, 'id' | 'caller' | 'route' | 'params'>,
  time: string,
) {
  return { ID: id, Time: time, Caller: caller, Method: route.method, Route: routeText(route), Params: params };
}

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
