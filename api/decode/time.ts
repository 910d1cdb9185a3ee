import { invalidParameter } from '@cleat/protocol/errors';

/**
 * `since` and `until`: `seconds[.nanoseconds]` since the epoch, as clients send it, or RFC 3339. Durations are resolved
 * by the client.
 * @returns seconds since the epoch; undefined when empty.
 * @throws InvalidParameter
 */
export function decodeTime(name: string, text: string): number | undefined {
  if (text === '') return undefined;
  if (/^-?\d{1,15}(\.\d{0,20})?$/.test(text)) return Number(text);
  const parsed = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(parsed)) throw invalidParameter(`invalid value for "${name}": invalid timestamp "${text}"`);
  return parsed / 1000;
}
