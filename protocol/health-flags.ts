import { invalidParameter } from './errors.js';
import { parseDuration } from './go-duration.js';

/** The flags of HEALTHCHECK as BuildKit's parser reads them (`frontend/dockerfile/instructions/parse.go`). */

/**
 * @param name `start-period`
 * @returns nanoseconds; undefined for none, and for 0, which leaves the default
 * @throws InvalidParameter in Go's words
 */
export function healthPeriod(name: string, text = ''): number | undefined {
  if (text === '') return undefined;
  const nanos = parseDuration(text);
  if (nanos === undefined) {
    const what = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? 'missing unit in duration' : 'invalid duration';
    throw invalidParameter(`time: ${what} ${JSON.stringify(text)}`);
  }
  if (nanos !== 0n && nanos < 1_000_000n) throw invalidParameter(`Interval "${name}" cannot be less than 1ms`);
  return nanos === 0n ? undefined : Number(nanos);
}

/** @returns undefined for none, and for 0, which leaves the default @throws InvalidParameter in Go's words */
export function healthRetries(text = ''): number | undefined {
  if (text === '') return undefined;
  const shown = JSON.stringify(text);
  if (!/^[+-]?\d+$/.test(text)) throw invalidParameter(`strconv.ParseInt: parsing ${shown}: invalid syntax`);
  const number = Number(text);
  if (number > 2 ** 31 - 1) throw invalidParameter(`strconv.ParseInt: parsing ${shown}: value out of range`);
  if (number < 0) throw invalidParameter(`--retries cannot be negative (${number})`);
  return number === 0 ? undefined : number;
}
