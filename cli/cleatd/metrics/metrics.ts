import type { Engine } from '@cleat/engine/engine';
import type { Extensions } from '@cleat/extensions/service';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { containerActions, timed } from './actions.js';
import { engineMetrics } from './engine.js';
import { extensionMetrics } from './extensions.js';
import { serveMetrics } from './server.js';

export interface MetricsSources {
  readonly engine: Pick<Engine, 'system' | 'containers' | 'events'>;
  readonly extensions: Pick<Extensions, 'list'>;
}

export interface Metrics {
  /** The engine's containers, with the time that its actions take measured. */
  readonly containers: Engine['containers'];
  /** @returns where it listens, HOST:PORT. @throws Unavailable */
  listen(address: { host: string | undefined; port: number }): Promise<string>;
  /** Everything, in Prometheus' text format. */
  text(): Promise<string>;
  close(): Promise<void>;
}

/**
 * What the engine counts, for Prometheus, under dockerd's names where dockerd has it. Loaded only when asked for. All
 * that is counted elsewhere is read when somebody asks; only the time of actions is measured as they happen.
 */
export function openMetrics({ engine, extensions }: MetricsSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  engineMetrics(registry, engine);
  extensionMetrics(registry, extensions);
  const closers: (() => Promise<void>)[] = [];
  return {
    containers: timed(engine.containers, containerActions(registry)),
    async listen(address) {
      const server = await serveMetrics(registry, address);
      closers.push(server.close);
      return server.address;
    },
    text: () => registry.metrics(),
    async close() {
      await Promise.all(closers.splice(0).map((close) => close()));
    },
  };
}
