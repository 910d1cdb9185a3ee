import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxRecord } from '../record.js';

/** The texts of ours that are in the files of a container, or were before it changed them. */
export interface Written {
  readonly hostname: string;
  readonly hosts: string;
  readonly resolvConf: string;
}

/** A longer file only gets lines: how much memory it costs to read one is not for a container to say. */
const maxEditedBytes = 4 * 1024 * 1024;

const memoPath = (directory: string): string => join(directory, 'written.json');

/** The texts that were last written for each sandbox. An engine that comes back finds it beside the files. */
export class WrittenFiles {
  readonly #known = new WeakMap<SandboxRecord, Written>();
  readonly #recalled = new WeakSet<SandboxRecord>();

  /** @param sandboxes those that an engine before this one has made */
  recall(sandboxes: Iterable<SandboxRecord>): void {
    for (const sandbox of sandboxes) this.#recalled.add(sandbox);
  }

  /** @param otherwise where an engine before this one has left no note, or a damaged one */
  of(sandbox: SandboxRecord, otherwise: () => Written | undefined): Written | undefined {
    const known = this.#known.get(sandbox);
    if (known || !this.#recalled.has(sandbox)) return known;
    return readMemo(sandbox.directory) ?? otherwise();
  }

  note(sandbox: SandboxRecord, written: Written): void {
    const known = this.#known.get(sandbox);
    this.#known.set(sandbox, written);
    if (known && isEqual(known, written)) return;
    writeInPlace(memoPath(sandbox.directory), JSON.stringify(written));
  }
}

const isEqual = (one: Written, other: Written): boolean =>
  one.hostname === other.hostname && one.hosts === other.hosts && one.resolvConf === other.resolvConf;

function readMemo(directory: string): Written | undefined {
  try {
    const { hostname, hosts, resolvConf } = JSON.parse(readFileSync(memoPath(directory), 'utf8')) as Partial<Written>;
    if (hostname === undefined || hosts === undefined || resolvConf === undefined) return undefined;
    return { hostname, hosts, resolvConf };
  } catch {
    return undefined;
  }
}

/** Keeps the inode, which the container has mounted. Where the disk is full, the old text is not gone either. */
export function writeInPlace(path: string, text: string): void {
  inFile(path, (file) => replace(file, Buffer.from(text)));
}

/**
 * Replaces our lines in a file to which its container may have added some of its own, and from which it may have taken
 * some of ours: both stay so, as under Docker.
 */
export function writeEdited(path: string, before: string, next: string): void {
  inFile(path, (file) => {
    // Bytes, whatever they mean, as characters.
    const [old, ours] = [asLatin1(before), asLatin1(next)];
    const current = readWhole(file, maxEditedBytes)?.toString('latin1');
    if (current !== undefined) replace(file, Buffer.from(editLines(current, old, ours), 'latin1'));
    else append(file, fstatSync(file).size, Buffer.from(`\n${editLines('', old, ours)}`, 'latin1'));
  });
}

/** @returns whether the file is as we wrote it; a container that changed it did so for good */
export function isAsWritten(path: string, text: string): boolean {
  const bytes = Buffer.from(text);
  return inFile(path, (file) => readWhole(file, bytes.length)?.equals(bytes) === true);
}

/** `current` without the lines that are in `before` only, and with those that are in `next` only. */
export function editLines(current: string, before: string, next: string): string {
  if (current === before) return next;
  const added = without(linesOf(next), linesOf(before));
  const kept = without(linesOf(current), without(linesOf(before), linesOf(next)));
  // An engine that was killed before it noted them may have written some already.
  return [...kept, ...without(added, kept)].map((line) => `${line}\n`).join('');
}

function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));
const asLatin1 = (text: string): string => Buffer.from(text).toString('latin1');

function inFile<T>(path: string, work: (file: number) => T): T {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    return work(file);
  } finally {
    closeSync(file);
  }
}

/** @returns undefined when there is more than that, or the container writes more just now */
function readWhole(file: number, most: number): Buffer | undefined {
  const { size } = fstatSync(file);
  if (size > most) return undefined;
  const buffer = Buffer.alloc(size + 1);
  let held = 0;
  for (let count = -1; count !== 0 && held <= size; held += count) {
    count = readSync(file, buffer, held, buffer.length - held, held);
  }
  return held > size ? undefined : buffer.subarray(0, held);
}

function replace(file: number, content: Uint8Array): void {
  append(file, 0, content);
  ftruncateSync(file, content.length);
}

function append(file: number, from: number, content: Uint8Array): void {
  for (let at = 0; at < content.length; ) at += writeSync(file, content, at, content.length - at, from + at);
}
