import { readlinkSync } from 'node:fs';
import { bytesOf, byteText, shownText } from '@cleat/protocol/byte-text';
import type { BytePath } from '../syscall/files.js';

/**
 * Names of files are bytes, which need not be UTF-8. Where a user's tree is walked, and in archives, they are held as
 * strings of which each character is one byte: such strings can be compared, cut and joined, and nothing is lost.
 */
declare const brand: unique symbol;
export type ByteName = string & { readonly [brand]: true };

/** The name that a text stands for; see `@cleat/protocol/byte-text`. */
export function nameOf(text: string): ByteName {
  return bytesOf(text).toString('latin1') as ByteName;
}

/** The target of a symlink, as a text from which {@link nameOf} makes the same bytes. @throws as Node's readlinkSync */
export function readLink(path: BytePath): string {
  return byteText(readlinkSync(path, 'buffer'));
}

/** A name for people: what is no UTF-8 is replaced. */
export function textOf(name: ByteName): string {
  return shownText(byteText(Buffer.from(name, 'latin1')));
}

/** Several parts as one name. */
export function joined(...parts: (ByteName | '/' | '.' | '')[]): ByteName {
  return parts.join('') as ByteName;
}

/** The path of an entry of an open directory; `name` is one component, and never followed out of it. */
export function entryAt(directoryFd: number, name: ByteName | '.' | '..'): Buffer {
  return Buffer.from(`/proc/self/fd/${directoryFd}/${name}`, 'latin1');
}
