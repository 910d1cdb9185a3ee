import {
  callResults,
  type ExtensionStatus,
  extensionHealths,
  extensionStates,
  type MethodStatistics,
} from '@cleat/extensions/status';
import { Counter, Gauge, type Registry } from 'prom-client';
import { type Distribution, RecordedHistogram } from './recorded-histogram.js';
import type { MetricsSources } from './sources.js';

/** Per extension: what its status says, read when somebody asks; nothing is added to a call's cost. */
export function extensionMetrics(registry: Registry, extensions: MetricsSources['extensions']): void {
  const registers = [registry];
  new Gauge({
    name: 'cleat_extension_state',
    help: '1 for the state that an extension is in',
    labelNames: ['extension', 'carrier', 'state'],
    registers,
    collect() {
      this.reset();
      for (const one of extensions.list()) {
        for (const state of extensionStates) {
          this.set({ extension: labelOf(one), carrier: one.carrier, state }, Number(one.state === state));
        }
      }
    },
  });
  new Gauge({
    name: 'cleat_extension_health',
    help: '1 for how well an extension answers',
    labelNames: ['extension', 'health'],
    registers,
    collect() {
      this.reset();
      for (const one of extensions.list()) {
        for (const health of extensionHealths)
          this.set({ extension: labelOf(one), health }, Number(one.health === health));
      }
    },
  });
  /** One number for each extension that has it. */
  const numbers = (
    Metric: typeof Gauge | typeof Counter,
    name: string,
    help: string,
    read: (one: ExtensionStatus) => number | undefined,
  ) =>
    new Metric({
      name,
      help,
      labelNames: ['extension'],
      registers,
      collect() {
        this.reset();
        const seen = new Set<string>();
        for (const one of extensions.list()) {
          const value = read(one);
          if (value === undefined || seen.has(labelOf(one))) continue;
          seen.add(labelOf(one));
          this.inc({ extension: labelOf(one) }, value);
        }
      },
    });
  const seconds = (moment: Date | undefined) => moment && moment.getTime() / 1000;
  numbers(
    Gauge,
    'cleat_extension_since_timestamp_seconds',
    'When an extension came into the state that it is in, in seconds since 1970',
    ({ since }) => seconds(since),
  );
  numbers(
    Gauge,
    'cleat_extension_last_error_timestamp_seconds',
    'When a call to an extension last did not succeed, in seconds since 1970',
    ({ lastError }) => seconds(lastError?.at),
  );
  numbers(
    Gauge,
    'cleat_extension_calls_under_way',
    'Calls to an extension that wait for its answer',
    ({ underWay }) => underWay,
  );
  numbers(
    Counter,
    'cleat_extension_retries_total',
    'Messages that were sent to an extension once more because the connection broke',
    ({ retries }) => retries,
  );
  numbers(
    Counter,
    'cleat_extension_restarts_total',
    'How often the process of an extension was started again',
    (one) => one.process?.restarts,
  );
  new Counter({
    name: 'cleat_extension_calls_total',
    help: `Calls to extensions by how they ended: ${callResults.join(', ')}`,
    labelNames: ['extension', 'kind', 'method', 'result'],
    registers,
    collect() {
      this.reset();
      for (const { labels, results } of calls(extensions.list())) {
        for (const [result, count] of Object.entries(results)) this.inc({ ...labels, result }, count);
      }
    },
  });
  new RecordedHistogram(
    {
      name: 'cleat_extension_call_duration_seconds',
      help: 'The number of seconds that callers of extensions waited for an answer',
      labelNames: ['extension', 'kind', 'method'],
      registers,
    },
    () => calls(extensions.list()).map(({ labels, latency }) => distribution(labels, latency)),
  );
}

/** The manifest's entry is unique where driver names are not. */
function labelOf({ entry, name }: ExtensionStatus): string {
  return entry ?? name;
}

interface Called extends MethodStatistics {
  readonly labels: { readonly extension: string; readonly kind: string; readonly method: string };
}

function calls(all: readonly ExtensionStatus[]): Called[] {
  const found = new Map<string, Called>();
  for (const one of all) {
    for (const statistics of one.methods) {
      const [kind = '', method = ''] = statistics.method.split('.', 2);
      const labels = { extension: labelOf(one), kind, method };
      // A plugin that somebody called like a manifest's entry: two series of one name would spoil the whole page.
      const key = JSON.stringify(labels);
      if (!found.has(key)) found.set(key, { ...statistics, labels });
    }
  }
  return [...found.values()];
}

function distribution(labels: Called['labels'], { count, sumMs, atMostMs }: Called['latency']): Distribution {
  const buckets = Object.entries(atMostMs).map(([bound, value]): [string, number] => [
    bound === '+Inf' ? bound : String(Number(bound) / 1000),
    value,
  ]);
  return { labels, count, sum: sumMs / 1000, buckets };
}
