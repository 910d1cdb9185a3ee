import type { Metric } from '@cleat/protocol/extension';
import { type CallStatistics, durationBounds, results } from './calls.js';

/** Media type of Prometheus' text format. */
export const metricsMediaType = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Readonly<Record<string, string>>;

interface Sample {
  /** Suffix of a histogram's sample: `_bucket`, `_sum`, `_count`. */
  suffix?: string;
  labels?: Labels;
  value: number;
}

/** The metrics of every plugin, and those that this one adds. */
export function metricsText(statistics: CallStatistics, added: readonly Metric[]): string {
  const methods = statistics.methods().filter(([, calls]) => calls.durations.some((count) => count > 0));
  return [
    family('plugin_calls_total', 'counter', 'Calls that have ended, by method and result.', [
      ...methods.flatMap(([method, calls]) =>
        results.map((result) => ({ labels: { method, result }, value: calls.results[result] })),
      ),
    ]),
    family('plugin_call_duration_seconds', 'histogram', 'How long calls took.', [
      ...methods.flatMap(([method, calls]) => histogram(method, calls.durations, calls.seconds)),
    ]),
    family('plugin_calls_under_way', 'gauge', 'Calls that are being answered.', [{ value: statistics.underWay }]),
    family('process_resident_memory_bytes', 'gauge', 'Memory of the process.', [{ value: process.memoryUsage.rss() }]),
    family('process_start_time_seconds', 'gauge', 'When the process was started, since 1970.', [
      { value: Math.round(Date.now() / 1000 - process.uptime()) },
    ]),
    ...byName(added).map(([name, [first, ...more]]) =>
      family(name, first.type, first.help, [first, ...more].map(sampleOf)),
    ),
  ].join('');
}

const sampleOf = ({ labels, value }: Metric): Sample => ({ labels, value });

function histogram(method: string, durations: readonly number[], seconds: number): Sample[] {
  let count = 0;
  const buckets = durations.map((inBucket, at): Sample => {
    count += inBucket;
    const le = durationBounds[at];
    return { suffix: '_bucket', labels: { method, le: le === undefined ? '+Inf' : String(le) }, value: count };
  });
  const labels = { method };
  return [...buckets, { suffix: '_sum', labels, value: seconds }, { suffix: '_count', labels, value: count }];
}

/** The format has all of one name together. */
function byName(metrics: readonly Metric[]): [name: string, metrics: [Metric, ...Metric[]]][] {
  const found = new Map<string, [Metric, ...Metric[]]>();
  for (const metric of metrics) {
    const before = found.get(metric.name);
    if (before) before.push(metric);
    else found.set(metric.name, [metric]);
  }
  return [...found];
}

/** One metric in Prometheus' text format. */
function family(name: string, type: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(({ suffix = '', labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}${suffix}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${numberText(value)}\n`;
  });
  const shownHelp = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${name} ${shownHelp}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

const escapeLabel = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
