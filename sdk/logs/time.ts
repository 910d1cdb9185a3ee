/** Nanoseconds since the epoch of an RFC 3339 time; undefined when it is none. */
export function nanosOf(time: string): bigint | undefined {
  const match = /^(.{19})(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(time);
  const millis = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (Number.isNaN(millis)) return undefined;
  return BigInt(millis) * 1_000_000n + BigInt((match?.[2] ?? '').padEnd(9, '0') || '0');
}
