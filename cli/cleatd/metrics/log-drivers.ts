import type { DriverDeliveries } from '@cleat/engine/spool/service';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { MetricsSources } from './sources.js';

/** Output that log drivers have not got, read when somebody asks. */
export function logDriverMetrics(registry: Registry, { spool }: Pick<MetricsSources['engine'], 'spool'>): void {
  const dropped = (name: string, help: string, read: (one: DriverDeliveries) => number) =>
    new Counter({
      name,
      help,
      labelNames: ['driver'],
      registers: [registry],
      collect() {
        this.reset();
        for (const one of spool.deliveries()) this.inc({ driver: one.driver }, read(one));
      },
    });
  dropped(
    'cleat_log_dropped_lines_total',
    'Lines of output that a log driver never got, because it did not keep up',
    (one) => one.dropped.lines,
  );
  dropped('cleat_log_dropped_bytes_total', 'The bytes of these lines', (one) => one.dropped.bytes);
  new Gauge({
    name: 'cleat_log_behind_bytes',
    help: 'Bytes of output that wait for a log driver',
    labelNames: ['driver'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { driver, containers } of spool.deliveries()) {
        this.set(
          { driver },
          containers.reduce((sum, one) => sum + one.behind, 0),
        );
      }
    },
  });
}
