import { isRecord } from '@cleat/protocol/json';
import { UsageError } from './options/parse.js';
import type { Values } from './options/table.js';

const flags = ['http-proxy', 'https-proxy', 'no-proxy'] as const;

/**
 * The proxies that flags and file name, by the variable of the environment that each replaces, as in dockerd
 * (moby `daemon/command/daemon.go`): what the daemon starts has them, too.
 * @throws UsageError
 */
export function proxyVariables(values: Values, nameOf: (flag: string) => string): Map<string, string> {
  const file: unknown = values.proxies ?? {};
  if (!isRecord(file)) throw new UsageError(`${nameOf('proxies')}: an object is expected`);
  const known: readonly string[] = flags;
  for (const [key, value] of Object.entries(file)) {
    if (!known.includes(key)) throw new UsageError(`${nameOf('proxies')}: unknown key ${key}: use ${flags.join(', ')}`);
    if (typeof value !== 'string') throw new UsageError(`${nameOf('proxies')}: ${key} must be a string`);
  }
  const found = new Map<string, string>();
  for (const flag of flags) {
    const other = file[flag];
    if (values[flag] !== '' && other !== undefined && other !== '') {
      throw new UsageError(`${nameOf(flag)} and ${flag} in ${nameOf('proxies')} must not both be set`);
    }
    const value = values[flag] || other;
    if (typeof value !== 'string' || value === '') continue;
    if (flag !== 'no-proxy') checkProxy(value, flag);
    const name = flag.replace('-', '_');
    found.set(name, value).set(name.toUpperCase(), value);
  }
  return found;
}

function checkProxy(value: string, flag: string): void {
  const text = value.includes('://') ? value : `http://${value}`;
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return;
  throw new UsageError(`${flag}: a URL with http:// or https:// is expected`);
}
