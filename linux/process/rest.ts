import { readFileSync } from 'node:fs';
import { callC } from '../syscall/ffi.js';

const MADV_DONTNEED = 4;
/** Smaller mappings are not worth a call. Bytes. */
const worthIt = 256 * 1024;

/** A mapping of this process, as /proc/self/smaps describes it. */
export interface Mapping {
  start: bigint;
  length: number;
  /** For example `r-xp`. */
  permissions: string;
  path: string;
  /** Bytes that are no longer the file's (relocated, written). */
  anonymous: number;
  /** Bytes. */
  resident: number;
}

export function parseSmaps(text: string): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of text.split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+\s*(.*)$/.exec(line);
    if (head) {
      const [start, end] = [BigInt(`0x${head[1]}`), BigInt(`0x${head[2]}`)];
      const [permissions = '', path = ''] = [head[3], head[4]];
      mappings.push({ start, length: Number(end - start), permissions, path, anonymous: 0, resident: 0 });
      continue;
    }
    const field = /^(Rss|Anonymous|Swap):\s+(\d+) kB/.exec(line);
    const last = mappings.at(-1);
    if (!field || !last) continue;
    if (field[1] === 'Rss') last.resident = 1024 * Number(field[2]);
    else last.anonymous += 1024 * Number(field[2]);
  }
  return mappings;
}

/** Mappings whose every page the kernel can bring back from the file: read-only, private, and the file's still. */
export function droppable(mappings: readonly Mapping[]): Mapping[] {
  return mappings.filter(
    ({ permissions, path, anonymous, resident }) =>
      (permissions === 'r-xp' || permissions === 'r--p') &&
      path.startsWith('/') &&
      !path.endsWith(' (deleted)') &&
      anonymous === 0 &&
      resident >= worthIt,
  );
}

/**
 * Gives back what this process does not need at rest: free memory that malloc keeps, and pages of programs and
 * libraries that were touched once (starting up, compiling), which come back from the page cache when they are needed
 * again. A few milliseconds.
 */
export function giveMemoryBack(): void {
  callC('int malloc_trim(size_t pad)', 'malloc', 0);
  for (const { start, length, path } of droppable(parseSmaps(readFileSync('/proc/self/smaps', 'utf8')))) {
    callC('int madvise(uint64_t address, size_t length, int advice)', path, start, length, MADV_DONTNEED);
  }
}
