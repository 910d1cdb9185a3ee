import { collectDefaultMetrics, Registry } from 'prom-client';
import { containerActions } from './actions.js';
import { engineMetrics } from './engine.js';
import { extensionMetrics } from './extensions.js';
import { logDriverMetrics } from './log-drivers.js';
import type { MetricsSources } from './sources.js';
import type { Observe } from './timed.js';

/** The page in Prometheus' text format. */
export interface Page {
  readonly contentType: string;
  text(): Promise<string>;
  /** An action was measured. */
  readonly observe: Observe;
}

/** All that is counted elsewhere is read when somebody asks; only the time of actions is measured as they happen. */
export function openPage({ engine, extensions }: MetricsSources): Page {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  engineMetrics(registry, engine);
  extensionMetrics(registry, extensions);
  logDriverMetrics(registry, engine);
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    observe: containerActions(registry),
  };
}
