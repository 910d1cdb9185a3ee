import { closeSync, fstatSync, openSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { SpoolPosition } from './service.js';

/**
 * The files of one spool. conmon writes `spool`; rotating renames it to `spool.<generation>`, counting from 0, and the
 * file that conmon then makes is the next generation. At least one renamed file is kept, so the count goes on.
 */
export class SpoolFiles {
  /** Conmon's file. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The generations that were renamed, oldest first. */
  rotated(): number[] {
    const prefix = `${basename(this.path)}.`;
    let names: string[];
    try {
      names = readdirSync(dirname(this.path));
    } catch {
      // Removed with its container.
      return [];
    }
    return names
      .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
      .map((name) => Number(name.slice(prefix.length)))
      .sort((a, b) => a - b);
  }

  /** The number of the generation that is being written. */
  current(): number {
    return (this.rotated().at(-1) ?? -1) + 1;
  }

  rotatedPath(generation: number): string {
    return join(dirname(this.path), `${basename(this.path)}.${generation}`);
  }

  isRotated(generation: number): boolean {
    return exists(this.rotatedPath(generation));
  }

  /** Where everything written so far ends. */
  end(): SpoolPosition {
    return { generation: this.current(), offset: sizeOf(this.path) };
  }

  /** How many bytes were written after a position. */
  distance(from: SpoolPosition): number {
    const rotated = this.rotated().filter((generation) => generation >= from.generation);
    const sizes = rotated.map((generation) => sizeOf(this.rotatedPath(generation)));
    return Math.max(0, sizes.reduce((sum, size) => sum + size, sizeOf(this.path)) - from.offset);
  }

  /** Opens a generation for reading, however often it is renamed meanwhile; undefined when it is not there. */
  open(generation: number): number | undefined {
    for (;;) {
      const renamed = tryOpen(this.rotatedPath(generation));
      if (renamed !== undefined) return renamed;
      const current = tryOpen(this.path);
      if (current === undefined) return this.isRotated(generation) ? this.open(generation) : undefined;
      if (!this.isRotated(generation)) return this.current() === generation ? current : closed(current);
      closeSync(current);
    }
  }
}

function closed(file: number): undefined {
  closeSync(file);
  return undefined;
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

export function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** 0 when it is not there. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

export function sizeOfFile(file: number): number {
  return fstatSync(file).size;
}
