import { AsyncLocalStorage } from 'node:async_hooks';
import type { Caller } from '@cleat/protocol/caller';

/** The request that some work is done for; known wherever that work goes, so that what fails unseen can be named. */
export interface RequestContext {
  readonly method: string | undefined;
  readonly url: string | undefined;
  /** Undefined where nobody looks who calls. */
  readonly caller: Caller | undefined;
  /** It has been answered: what still runs for it runs on its own account. */
  readonly isOver: boolean;
  /** Ends its connection: nobody can rely on what it was doing. */
  abandon(): void;
}

const contexts = new AsyncLocalStorage<RequestContext>();

export function asRequest<T>(context: RequestContext, work: () => T): T {
  return contexts.run(context, work);
}

/** The request that the present code runs for, if it runs for one. */
export function currentRequest(): RequestContext | undefined {
  return contexts.getStore();
}

/** The client for whom the present code runs, as long as it has no answer. */
export function currentCaller(): Caller | undefined {
  const request = contexts.getStore();
  return request && !request.isOver ? request.caller : undefined;
}
