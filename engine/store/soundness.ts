import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFileDurably } from '@cleat/linux/files/durable';
import { type CleatError, systemError } from '@cleat/protocol/errors';
import type { LogStart } from './redo-log.js';

/**
 * Whether the store's files are those of one store, and whole. LMDB itself makes a new file where there is none, and
 * ends the process where one was cut short; an engine that found nothing would clear up behind everything that it knew.
 */

/** The least that the files must be; a file of its own beside them. */
interface Note {
  readonly v: 1;
  /** The checkpoint in LMDB is of this generation, or newer. */
  readonly generation: number;
  /** Both files of the log were reserved, so neither is ever empty. */
  readonly reserved: boolean;
}

const logFiles = ['redo-0', 'redo-1'];
const noteOf = (path: string): string => join(path, 'note.json');
/**
 * There while a store is opened: one whose reading ended the process before is looked at from another process first.
 */
const markOf = (path: string): string => join(path, 'opening');
const probe = fileURLToPath(new URL('./probe.js', import.meta.url));
const probeMs = 60_000;

/** Notes what the files are from now on. */
export function noteSoundness(path: string, { generation }: LogStart): void {
  const before = readNote(path);
  const reserved = logFiles.every((name) => existsSync(join(path, name)) && statSync(join(path, name)).size > 0);
  if (before && before.generation >= generation && before.reserved === reserved) return;
  const note: Note = { v: 1, generation: Math.max(generation, before?.generation ?? 0), reserved };
  try {
    writeFileDurably(noteOf(path), JSON.stringify(note));
  } catch {
    // A full disk: what is noted there holds still, it only says less.
  }
}

/** Before LMDB opens its file, or makes it. @throws System, in words that say what to do */
export function checkFiles(path: string): void {
  const note = readNote(path);
  for (const name of note ? logFiles : []) {
    if (!existsSync(join(path, name))) throw damaged(path, `${name} is missing`);
    if (note?.reserved && statSync(join(path, name)).size === 0) throw damaged(path, `${name} is empty`);
  }
  const data = join(path, 'data.mdb');
  const size = existsSync(data) ? statSync(data).size : 0;
  if (size === 0) {
    // Before the first checkpoint all of it is in the log.
    if (note && note.generation > 0) throw damaged(path, `data.mdb is ${existsSync(data) ? 'empty' : 'missing'}`);
  } else if (lastByte(path, data) > size || existsSync(markOf(path))) {
    look(path);
  }
  try {
    writeFileSync(markOf(path), '', { mode: 0o600 });
  } catch {
    // A full disk: then a damage that ends the process is not explained by the next one.
  }
}

/** It has been read by now. */
export function soundEnough(path: string): void {
  rmSync(markOf(path), { force: true });
}

/** @throws System when LMDB's file is older than the log */
export function checkStart(path: string, { generation }: LogStart): void {
  const least = readNote(path)?.generation ?? 0;
  if (generation < least) throw damaged(path, 'data.mdb is of another time than the log beside it');
}

/** Advice for the user. */
export function damaged(path: string, what: string): CleatError {
  return systemError(
    `it is damaged (${what}): put back a copy of the whole directory ${path}; or move it away to begin with nothing, with the data of volumes and containers where it is`,
  );
}

function readNote(path: string): Note | undefined {
  let text: string;
  try {
    text = readFileSync(noteOf(path), 'utf8');
  } catch {
    // The first start.
    return undefined;
  }
  try {
    const { v, generation, reserved } = JSON.parse(text) as Partial<Note>;
    if (v === 1 && typeof generation === 'number' && typeof reserved === 'boolean') return { v, generation, reserved };
  } catch {
    // As one of another form.
  }
  throw damaged(path, 'note.json cannot be read');
}

/** Places in LMDB's two meta pages (`MDB_meta` in liblmdb/mdb.c), each behind a page header of 24 bytes. */
const metaOffset = 24;
const metaLength = 136;
const magic = 0xbeefc0de;
const dataVersion = 2;

/**
 * Where the file ends, by its newest meta page. LMDB may leave out pages at the end, so this is no more than a hint.
 */
function lastByte(path: string, data: string): number {
  const pages = [readMeta(data, 0)];
  const pageSize = pages[0]?.readUInt32LE(24) ?? 0;
  pages.push(readMeta(data, pageSize));
  const metas = pages.flatMap((page) => (page?.readUInt32LE(0) === magic ? [page] : []));
  if (metas.length < 2) throw damaged(path, 'data.mdb is cut short, or no file of LMDB');
  if (metas.some((page) => page.readUInt32LE(4) !== dataVersion)) {
    throw damaged(path, 'data.mdb was written by another version of LMDB');
  }
  const newest = metas.sort((a, b) => Number(b.readBigUInt64LE(128) - a.readBigUInt64LE(128)))[0];
  return (Number(newest?.readBigUInt64LE(120) ?? 0n) + 1) * pageSize;
}

function readMeta(data: string, page: number): Buffer | undefined {
  const buffer = Buffer.alloc(metaLength);
  const file = openSync(data, 'r');
  try {
    return readSync(file, buffer, 0, metaLength, page + metaOffset) === metaLength ? buffer : undefined;
  } finally {
    closeSync(file);
  }
}

/** Reads all of it in a process that may die of it. */
function look(path: string): void {
  // Where the sources run without having been compiled, there is none.
  if (!existsSync(probe)) return;
  const { status, signal, stderr } = spawnSync(process.execPath, [probe, path], { timeout: probeMs });
  if (status === 0) return;
  const why = stderr.toString().trim().split('\n').at(-1) || `reading ends with ${signal ?? status}`;
  throw damaged(path, `data.mdb: ${why}`);
}
