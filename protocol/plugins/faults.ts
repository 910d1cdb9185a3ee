import { invalidParameter } from '../errors.js';
import { readable } from '../untrusted.js';

/** Collects what is wrong with a document, each with its path in it: `Linux.Devices[0].Path: must be a string`. */
export class Faults {
  readonly #lines: string[] = [];

  add(path: string, complaint: string): void {
    this.#lines.push(`${path === '' ? 'the manifest' : readable(path, 200)}: ${complaint}`);
  }

  get any(): boolean {
    return this.#lines.length > 0;
  }

  /** Enough that an author need not try again for each; bounded, since a foreign manifest may have any number. */
  throwIfAny(): void {
    if (!this.any) return;
    const shown = this.#lines.slice(0, 10);
    const more = this.#lines.length - shown.length;
    throw invalidParameter(`invalid plugin manifest: ${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`);
  }
}

/** A foreign text in a complaint: quoted, short, harmless to a terminal. */
export function quoted(text: string): string {
  return JSON.stringify(readable(text.length > 80 ? `${text.slice(0, 80)}…` : text));
}

/** The path of a member. */
export const member = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);
