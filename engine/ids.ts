import { randomBytes } from 'node:crypto';

/** Length of an abbreviated ID, as `docker ps` prints it. */
const shortLength = 12;

/**
 * A new object ID: 64 hexadecimal digits, of which the first twelve are never all decimal, because the abbreviated
 * ID also serves as a host name and an all-numeric one is refused by some resolvers (as moby `pkg/stringid`).
 */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d+$/.test(id.slice(0, shortLength))) return id;
  }
}

/** The abbreviated form of an ID: its algorithm prefix (`sha256:`) dropped, then twelve digits. */
export function shortId(id: string): string {
  const colon = id.indexOf(':');
  return id.slice(colon + 1, colon + 1 + shortLength);
}

/** Whether this is a full object ID. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
