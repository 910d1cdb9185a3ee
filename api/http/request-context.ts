import { AsyncLocalStorage } from 'node:async_hooks';

/** The request that some work is done for; known wherever that work goes, so that what fails unseen can be named. */
export interface RequestContext {
  readonly method: string | undefined;
  readonly url: string | undefined;
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
