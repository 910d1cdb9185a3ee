import { invalidParameter } from '@cleat/protocol/errors';

/**
 * `since` and `until`: `seconds[.nanoseconds]` since the epoch, as clients send it, or RFC 3339. Durations are resolved
 * by the client.
 * @returns nanoseconds since the epoch; undefined when empty or 0, which means no bound.
 * @throws InvalidParameter
 */
export function decodeTime(name: string, text: string): bigint | undefined {
  if (text === '' || text === '0') return undefined;
  const unix = /^(-?\d{1,12})(?:\.(\d{0,20}))?$/.exec(text);
  if (unix) return BigInt(unix[1] ?? 0) * 1_000_000_000n + fraction(unix[2]);
  const rfc3339 = /^(\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2})?)(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})?$/i.exec(text);
  const [, clock = '', digits, zone = 'Z'] = rfc3339 ?? [];
  const ms = Date.parse(clock.includes('T') ? `${clock}${zone}` : clock);
  if (Number.isNaN(ms)) throw invalidParameter(`invalid value for "${name}": invalid timestamp "${text}"`);
  return BigInt(ms) * 1_000_000n + fraction(digits);
}

/** Digits behind the point, as nanoseconds. */
function fraction(digits = ''): bigint {
  return BigInt(digits.slice(0, 9).padEnd(9, '0'));
}
