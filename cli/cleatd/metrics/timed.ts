import type { Containers } from '@cleat/engine/containers/service';

/** The actions that dockerd measures (moby `daemon/internal/metrics`), by the service's method. */
export const actionOf: ReadonlyMap<PropertyKey, string> = new Map(
  Object.entries({
    changes: 'changes',
    commit: 'commit',
    create: 'create',
    remove: 'delete',
    start: 'start',
  } satisfies Partial<Record<keyof Containers, string>>),
);

export type Observe = (action: string, seconds: number) => void;

/** The same service, with its actions measured; those that fail are not counted, as in dockerd. */
export function timed(containers: Containers, observe: Observe): Containers {
  return new Proxy(containers, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const action = actionOf.get(key);
      if (action === undefined) return value.bind(target) as unknown;
      return async (...args: unknown[]): Promise<unknown> => {
        const began = performance.now();
        const result: unknown = await Reflect.apply(value, target, args);
        observe(action, (performance.now() - began) / 1000);
        return result;
      };
    },
  });
}
