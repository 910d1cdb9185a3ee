import type { Containers } from '@cleat/engine/containers/service';
import { Histogram, type Registry } from 'prom-client';

/** The actions that dockerd measures (moby `daemon/internal/metrics`), by the service's method. */
const actionOf = new Map<PropertyKey, string>(
  Object.entries({
    changes: 'changes',
    commit: 'commit',
    create: 'create',
    remove: 'delete',
    start: 'start',
  } satisfies Partial<Record<keyof Containers, string>>),
);

export type Observe = (action: string, seconds: number) => void;

export function containerActions(registry: Registry): Observe {
  const histogram = new Histogram({
    name: 'engine_daemon_container_actions_seconds',
    help: 'The number of seconds it takes to process each container action',
    labelNames: ['action'],
    registers: [registry],
  });
  for (const action of actionOf.values()) histogram.zero({ action });
  return (action, seconds) => histogram.observe({ action }, seconds);
}

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
