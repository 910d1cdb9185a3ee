import { invalidParameter } from '@cleat/protocol/errors';
import { parseDuration } from '@cleat/protocol/go-duration';

/** A moment as the API's queries give it: seconds since the epoch (fractions allowed), or exact nanoseconds as bigint. */
export type Moment = number | bigint;

/** Node takes a longer timer for one of 1 ms. */
export const longestTimerMs = 2 ** 31 - 1;

const nanosPerSecond = 1_000_000_000n;
const nanosPerMilli = 1_000_000n;

/** Go's zero time, which the API shows where something has not happened yet. */
export const zeroTime = '0001-01-01T00:00:00Z';

let anchorWall = 0n;
let anchorMonotonic = 0n;

/**
 * Nanoseconds since the epoch. Finer than `Date.now()`: the monotonic clock counts on from an anchor that is taken
 * anew whenever it and the wall clock disagree (a clock that was set).
 */
export function nowNanos(): bigint {
  const monotonic = process.hrtime.bigint();
  const estimate = anchorWall + (monotonic - anchorMonotonic);
  const wall = BigInt(Date.now()) * nanosPerMilli;
  const drift = estimate - wall;
  if (drift >= 0n && drift < 2n * nanosPerMilli) return estimate;
  anchorWall = wall;
  anchorMonotonic = monotonic;
  return wall;
}

/** RFC 3339 in UTC with as many digits of the second's fraction as are needed, as Go's RFC3339Nano prints. */
export function goTime(at: Date | bigint): string {
  const nanos = typeof at === 'bigint' ? at : toNanos(at);
  let fraction = nanos % nanosPerSecond;
  if (fraction < 0n) fraction += nanosPerSecond;
  const seconds = (nanos - fraction) / nanosPerSecond;
  const head = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  if (fraction === 0n) return `${head}Z`;
  return `${head}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}Z`;
}

/** A Date or a {@link Moment} in nanoseconds. */
export function toNanos(at: Date | Moment): bigint {
  if (typeof at === 'bigint') return at;
  if (at instanceof Date) return BigInt(at.getTime()) * nanosPerMilli;
  const seconds = Math.floor(at);
  // A number of this size holds microseconds and not much more: what lies below is noise.
  return BigInt(seconds) * nanosPerSecond + BigInt(Math.round((at - seconds) * 1e6)) * 1000n;
}

const rfc3339 = /^(\d{4}-\d\d-\d\d)(?:T(\d\d(?::\d\d){0,2})(?:\.(\d{1,9})\d*)?)?(Z|[+-]\d\d:?\d\d)?$/i;

/**
 * Nanoseconds since the epoch of an RFC 3339 time; date only, hours or minutes only, and no zone (UTC) are accepted,
 * as Docker does. @returns undefined when `text` is no such time
 */
export function parseTime(text: string): bigint | undefined {
  const match = rfc3339.exec(text.trim());
  if (!match) return undefined;
  const [, date, clock = '00:00:00', fraction = '', zone = 'Z'] = match;
  const full = `${clock}:00:00`.slice(0, 8);
  // Date cannot go below the year 100 by string; Go's zero time is what matters there.
  const millis = Date.parse(`${date}T${full}${zone.toUpperCase()}`);
  if (Number.isNaN(millis)) return undefined;
  return BigInt(millis) * nanosPerMilli + BigInt(fraction.padEnd(9, '0') || '0');
}

/**
 * A point in time as `--since`, `--until` and the `until` filter take it: a Go duration before `reference`, an RFC 3339
 * time, or `seconds[.nanoseconds]` since the epoch (moby `daemon/internal/timestamp`).
 * @returns nanoseconds since the epoch
 * @throws InvalidParameter
 */
export function parseMoment(text: string, reference: bigint = nowNanos()): bigint {
  if (text !== '0') {
    const duration = parseDuration(text);
    if (duration !== undefined) return reference - duration;
  }
  const time = parseTime(text);
  if (time !== undefined) return time;
  const unix = /^(-?\d+)(?:\.(\d{0,20}))?$/.exec(text);
  if (!unix) {
    const what = text.trim() === '' ? 'value is empty' : `invalid value "${text}"`;
    throw invalidParameter(`failed to parse value as time or duration: ${what}`);
  }
  return BigInt(unix[1] ?? 0) * nanosPerSecond + BigInt((unix[2] ?? '').slice(0, 9).padEnd(9, '0'));
}
