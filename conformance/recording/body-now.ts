import { stringify } from '@cleat/protocol/json';
import type { Aliases } from './aliases.js';
import { bytesOf, meaningOf } from './body.js';
import type { Body } from './recording.js';
import { mapValues } from './values.js';

/** A recorded body with the values that have taken the place of recorded ones; as it was spelt where there are none. */
export function bodyNow(body: Body | undefined, aliases: Aliases): Buffer {
  if (body?.form === 'text') return Buffer.from(aliases.apply(body.text));
  if (body?.form !== 'json') return bytesOf(body);
  let changed = false;
  const value = mapValues(meaningOf(body), (part) => {
    if (typeof part !== 'string') return undefined;
    const now = aliases.apply(part);
    changed ||= now !== part;
    return now;
  });
  return changed ? Buffer.from(stringify(value)) : bytesOf(body);
}
