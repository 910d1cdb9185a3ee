import { closeSync, openSync, readSync } from 'node:fs';

const [headSize, segmentInterp] = [4096, 3];

/**
 * Whether a program runs where no library of this host is: an ELF file that names no loader (PT_INTERP, elf(5)).
 * @returns false too for what cannot be read, and for a script
 */
export function isStaticProgram(path: string): boolean {
  const head = Buffer.alloc(headSize);
  try {
    const fd = openSync(path, 'r');
    try {
      readSync(fd, head, 0, headSize, 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
  // Programs of this host are of its byte order, and 64 bits wide.
  if (head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return false;
  const [offset, size, count] = [Number(head.readBigUInt64LE(0x20)), head.readUInt16LE(0x36), head.readUInt16LE(0x38)];
  for (let at = offset; at < offset + size * count; at += size) {
    if (at + 4 > headSize || head.readUInt32LE(at) === segmentInterp) return false;
  }
  return true;
}
