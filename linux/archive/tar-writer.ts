import type { ByteName } from '../rootfs/names.js';
import { encodePax, type PaxRecords } from './pax.js';
import { blockSize, checksums, type EntryType, type TarEntry } from './tar-header.js';

const flags: Readonly<Record<EntryType, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** The largest numbers of the header's octal fields. */
const maxOctal8 = 0o7777777;
const maxOctal12 = 0o77777777777;

/** The end of an archive. */
export const tarEnd = Buffer.alloc(2 * blockSize);

/** Bytes that fill up the last block of `size` bytes of content. */
export function paddingOf(size: number): Buffer {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize);
}

/**
 * The header of an entry, as Go's archive/tar writes it in PAX format: what the ustar fields cannot hold (names that
 * are long or no ASCII, large numbers, attributes) comes before it in an extended header, whose values are plain bytes.
 * Times are whole seconds, as Docker's.
 */
export function encodeHeader(entry: TarEntry): Buffer {
  const pax: PaxRecords = new Map();
  const split = splitName(entry.name);
  if (!split) pax.set('path', entry.name);
  if (!isAscii(entry.linkName) || entry.linkName.length > 100) pax.set('linkpath', entry.linkName);
  const number = (key: string, value: number, max: number) => {
    if (value >= 0 && value <= max) return value;
    pax.set(key, `${value}`);
    return 0;
  };
  const fields = {
    uid: number('uid', entry.uid, maxOctal8),
    gid: number('gid', entry.gid, maxOctal8),
    size: number('size', entry.size, maxOctal12),
    mtime: number('mtime', Math.floor(entry.mtime), maxOctal12),
  };
  for (const [name, value] of entry.xattrs) pax.set(`SCHILY.xattr.${name}`, value.toString('latin1'));
  const block = encodeBlock({
    ...entry,
    ...fields,
    name: split?.name ?? ascii(entry.name),
    prefix: split?.prefix ?? '',
    flag: flags[entry.type],
  });
  if (pax.size === 0) return block;
  const data = encodePax(pax);
  const head = encodeBlock({
    name: paxName(entry.name),
    prefix: '',
    flag: 'x',
    linkName: '',
    size: data.length,
    ...{ mode: 0, uid: 0, gid: 0, mtime: 0, major: 0, minor: 0 },
  });
  return Buffer.concat([head, data, paddingOf(data.length), block]);
}

interface Fields {
  name: string;
  prefix: string;
  flag: string;
  linkName: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  major: number;
  minor: number;
}

function encodeBlock(fields: Fields): Buffer {
  const block = Buffer.alloc(blockSize);
  const text = (value: string, at: number, length: number) => block.write(value, at, length, 'latin1');
  const octal = (value: number, at: number, digits: number) =>
    text(value.toString(8).padStart(digits, '0'), at, digits);
  text(fields.name, 0, 100);
  octal(fields.mode, 100, 7);
  octal(fields.uid, 108, 7);
  octal(fields.gid, 116, 7);
  octal(fields.size, 124, 11);
  octal(fields.mtime, 136, 11);
  text(fields.flag, 156, 1);
  text(ascii(fields.linkName), 157, 100);
  text('ustar\x0000', 257, 8);
  octal(fields.major, 329, 7);
  octal(fields.minor, 337, 7);
  text(fields.prefix, 345, 155);
  text(`${checksums(block).unsigned.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return block;
}

const isAscii = (name: string): boolean => /^[\x01-\x7f]*$/.test(name);
const ascii = (name: string): string => name.replace(/[^\x01-\x7f]/g, '');

/** A name in the two fields that a header has for it; undefined when it does not fit. */
function splitName(name: ByteName): { prefix: string; name: string } | undefined {
  if (!isAscii(name)) return undefined;
  if (name.length <= 100) return { prefix: '', name };
  // The slash between them is not written, and something must follow it.
  const at = name.lastIndexOf('/', name.endsWith('/') ? Math.min(155, name.length - 2) : 155);
  if (at <= 0 || name.length - at - 1 > 100) return undefined;
  return { prefix: name.slice(0, at), name: name.slice(at + 1) };
}

/** The name for programs that know no extended headers. */
function paxName(name: ByteName): string {
  const clean = ascii(name).replace(/\/+$/, '');
  const slash = clean.lastIndexOf('/');
  return `${clean.slice(0, slash + 1)}PaxHeaders.0/${clean.slice(slash + 1)}`.slice(0, 100);
}
