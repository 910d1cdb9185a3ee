import { UsageError } from '../options/parse.js';

/**
 * `--metrics-addr`: HOST:PORT, `:PORT` for all addresses as dockerd reads it.
 * @throws UsageError
 */
export function parseMetricsAddress(text: string): { host: string | undefined; port: number } {
  const [, v6, host, port] = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text.replace(/^tcp:\/\//, '')) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    throw new UsageError(`invalid metrics-addr '${text}': write it as HOST:PORT, for example 127.0.0.1:9323`);
  }
  return { host: v6 ?? (host || undefined), port: Number(port) };
}
