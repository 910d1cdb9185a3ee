import { shell } from './shell.js';

/** @returns what is wrong with a path that a plugin answered, as a directory, or undefined */
export async function problemWithDirectory(path: string): Promise<string | undefined> {
  const { code, text } = await shell('test -d "$1" && ls "$1" >/dev/null', path);
  return code === 0 ? undefined : text || 'it is no directory on this host';
}

/** @returns why it could not be written, or undefined */
export async function writeText(path: string, text: string): Promise<string | undefined> {
  const { code, text: why } = await shell('printf %s "$2" > "$1"', path, text);
  return code === 0 ? undefined : why || 'it cannot be written';
}

/** The text of a file, or undefined with the reason. */
export async function readText(path: string): Promise<{ text: string | undefined; why: string }> {
  const { code, text } = await shell('cat "$1"', path);
  return code === 0 ? { text, why: '' } : { text: undefined, why: text || 'it cannot be read' };
}
