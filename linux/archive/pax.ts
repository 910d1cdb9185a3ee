import { invalidParameter } from '@cleat/protocol/errors';

/** Records of PAX extended headers: names and values are bytes, in strings of which each character is one byte. */
export type PaxRecords = Map<string, string>;

/**
 * Parses `LENGTH KEY=VALUE\n`, again and again. The pairs of sparse format 0.0, which repeats its keys, come as one
 * `GNU.sparse.map`, as in format 0.1.
 * @throws InvalidParameter
 */
export function parsePax(data: Buffer): PaxRecords {
  const records: PaxRecords = new Map();
  const pairs: string[] = [];
  for (let at = 0; at < data.length && data[at] !== 0; ) {
    const space = data.indexOf(0x20, at);
    const digits = space < 0 ? '' : data.toString('latin1', at, space);
    const end = at + Number(digits);
    const equals = data.indexOf(0x3d, space);
    const isWhole = /^\d{1,10}$/.test(digits) && end <= data.length && equals > space + 1 && equals < end;
    if (!isWhole || data[end - 1] !== 0x0a) throw invalidParameter('invalid tar header: damaged PAX record');
    const key = data.toString('latin1', space + 1, equals);
    const value = data.toString('latin1', equals + 1, end - 1);
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') pairs.push(key, value);
    else records.set(key, value);
    at = end;
  }
  if (pairs.length > 0) records.set('GNU.sparse.map', pairsAsMap(pairs));
  return records;
}

function pairsAsMap(pairs: string[]): string {
  const numbers: string[] = [];
  for (let at = 0; at < pairs.length; at += 2) {
    const expected = at % 4 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes';
    if (pairs[at] !== expected) throw invalidParameter('invalid tar header: a sparse map out of order');
    numbers.push(pairs[at + 1] ?? '');
  }
  return numbers.join(',');
}

/** The data of an extended header, keys sorted. */
export function encodePax(records: PaxRecords): Buffer {
  const parts = [...records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => record(key, value));
  return Buffer.from(parts.join(''), 'latin1');
}

/** The length counts its own digits. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return `${length}${rest}`;
}
