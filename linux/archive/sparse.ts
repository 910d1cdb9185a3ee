import type { PaxRecords } from './pax.js';
import { blockSize, malformed, parseNumber } from './tar-header.js';

/** A stretch of a sparse file that the archive holds; between them there is nothing but zeros. */
export interface Stretch {
  offset: number;
  length: number;
}

export interface SparseFile {
  /** Bytes of the file with its holes. */
  size: number;
  stretches: Stretch[];
}

/** A map of more stretches is an attack on memory. */
const maxStretches = 1 << 20;
const entryLength = 24;

type Take = (length: number) => Promise<Buffer>;

/**
 * Reads what PAX records say of a sparse file (GNU tar's formats 0.0, 0.1 and 1.0; the latter begins the content).
 * @param take reads from the entry's content
 * @returns undefined when they say nothing
 * @throws InvalidParameter
 */
export async function paxSparse(pax: PaxRecords, take: Take): Promise<SparseFile | undefined> {
  const version = `${pax.get('GNU.sparse.major') ?? ''}.${pax.get('GNU.sparse.minor') ?? ''}`;
  const size = pax.get('GNU.sparse.realsize') ?? pax.get('GNU.sparse.size');
  if (version === '1.0') return { size: decimal(size), stretches: await mapInContent(take) };
  const map = pax.get('GNU.sparse.numblocks') === '0' ? '' : pax.get('GNU.sparse.map');
  const isOld = version === '.' || version === '0.0' || version === '0.1';
  if (isOld && map !== undefined) return { size: decimal(size), stretches: stretchesOf(map.split(',')) };
  if (![...pax.keys()].some((key) => key.startsWith('GNU.sparse.'))) return undefined;
  throw malformed(`sparse files of format ${version} are not supported`);
}

/** Numbers, one a line: how many stretches, then offset and length of each; filled up to a whole block. */
async function mapInContent(take: Take): Promise<Stretch[]> {
  let text = '';
  let wanted: number | undefined;
  const numbers: string[] = [];
  while (wanted === undefined || numbers.length < wanted) {
    text += (await take(blockSize)).toString('latin1');
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      if (wanted === undefined) wanted = 2 * counted(decimal(line));
      else if (numbers.length < wanted) numbers.push(line);
    }
    if (text.length > 20 && (wanted === undefined || numbers.length < wanted))
      throw malformed('a sparse map is damaged');
  }
  return stretchesOf(numbers);
}

function counted(count: number): number {
  if (count > maxStretches) throw malformed('a sparse map has too many parts');
  return count;
}

function stretchesOf(numbers: string[]): Stretch[] {
  // A file of one hole.
  if (numbers.length === 1 && numbers[0] === '') return [];
  if (numbers.length % 2 !== 0) throw malformed('a sparse map is damaged');
  counted(numbers.length / 2);
  const stretches: Stretch[] = [];
  for (let at = 0; at < numbers.length; at += 2) {
    stretches.push({ offset: decimal(numbers[at]), length: decimal(numbers[at + 1]) });
  }
  return stretches;
}

function decimal(text: string | undefined): number {
  const value = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw malformed('a number of a sparse map is damaged');
  return value;
}

/** The map of GNU tar's old format (flag `S`): in the header, and in blocks that follow it. @throws InvalidParameter */
export async function oldGnuSparse(header: Buffer, takeBlock: () => Promise<Buffer>): Promise<SparseFile> {
  const stretches: Stretch[] = [];
  const read = (block: Buffer, at: number, count: number) => {
    for (let i = 0; i < count; i++) {
      const here = at + i * entryLength;
      if (block[here] === 0) return;
      stretches.push({ offset: parseNumber(block, here, 12), length: parseNumber(block, here + 12, 12) });
      counted(stretches.length);
    }
  };
  read(header, 386, 4);
  let isContinued = header[482] === 1;
  while (isContinued) {
    const block = await takeBlock();
    read(block, 0, 21);
    isContinued = block[504] === 1;
  }
  return { size: parseNumber(header, 483, 12), stretches };
}

/** Stretches that are in order, within the file, and as long as the content. @throws InvalidParameter */
export function checkSparse({ size, stretches }: SparseFile, content: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of stretches) {
    if (offset < end || offset + length > size) throw malformed('a sparse map leads out of its file');
    end = offset + length;
    sum += length;
  }
  if (sum !== content) throw malformed(`a sparse file has ${content} bytes of content, but its map says ${sum}`);
}
