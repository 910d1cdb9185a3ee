/**
 * The one rule for names of metrics, in the engine, the SDK and extensions; Prometheus asks for it
 * (prometheus.io/docs/practices/naming): lower case with underscores, a prefix that says whose it is, base units as the
 * suffix (`_seconds`, `_bytes`), `_total` for counters and for nothing else.
 */
export interface NamedMetric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

/** Units and endings that are another unit's, or that Prometheus adds itself. */
const wrongEnding =
  /_(ms|millis|milliseconds|us|microseconds|nanoseconds|minutes|hours|kb|mb|kib|mib|kilobytes|megabytes|percent|count|sum|bucket|info_total)$/;

/**
 * Tells what is wrong with a metric's name, or undefined.
 * @param prefix what it begins with, without the underscore: `cleat`, or an extension's name in lower case
 */
export function metricComplaint({ name, type, help }: NamedMetric, prefix: string): string | undefined {
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name)) return `${name}: use lower case, digits and single underscores`;
  if (!name.startsWith(`${prefix}_`)) return `${name}: begin with ${prefix}_`;
  if ((type === 'counter') !== name.endsWith('_total')) return `${name}: _total is for counters, and all of them`;
  const [ending] = wrongEnding.exec(name.replace(/_total$/, '')) ?? [];
  if (ending !== undefined) return `${name}: not ${ending}: use base units (_seconds, _bytes, _ratio)`;
  if (type === 'histogram' && !/_(seconds|bytes)$/.test(name)) return `${name}: a histogram ends in its unit`;
  if (help.trim() === '') return `${name}: say in its help what it is`;
  return undefined;
}

/** The prefix of an extension's metrics: `log-syslog` has `log_syslog_…`. */
export function metricPrefix(extension: string): string {
  return extension.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
}
