import type { TerminalSize } from '@cleat/engine/streams/service';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Query } from '../http/query.js';

/** `h` and `w` of a resize. @throws InvalidParameter */
export function decodeSize(query: Query): TerminalSize {
  return { height: uint32('height', query.text('h')), width: uint32('width', query.text('w')) };
}

function uint32(what: string, text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) >= 2 ** 32) {
    throw invalidParameter(`invalid resize ${what} ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}
