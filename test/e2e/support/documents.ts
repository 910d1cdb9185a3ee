import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that the documents are part of. */
export const checkout = fileURLToPath(new URL('../../../', import.meta.url));

/** A fenced block of a document. */
export interface Block {
  /** `docs/guide/x.md: first line`, numbered where several begin alike. */
  readonly name: string;
  readonly document: string;
  readonly language: string;
  readonly text: string;
}

/** Every fenced block of every document of the checkout. @throws Error when a fence is not closed */
export function allBlocks(): Block[] {
  return documentsIn(checkout).flatMap((path) => blocksOf(relative(checkout, path), readFileSync(path, 'utf8')));
}

let blocks: readonly Block[] | undefined;

/**
 * The text of the one block of a document that begins so. Both arguments are written out where it is called:
 * documents/every-block.test.ts reads there which blocks are run.
 * @throws Error when there is none, or more than one
 */
export function shown(document: string, first: string): string {
  blocks ??= allBlocks();
  const [block, ...more] = blocks.filter(({ name }) => name.startsWith(`${document}: ${first}`));
  if (block === undefined || more.length > 0) throw new Error(`not one block '${first}' in ${document}`);
  return block.text;
}

function blocksOf(document: string, text: string): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; lines: string[] } | undefined;
  for (const line of text.split('\n')) {
    const fence = /^ *(?:```|~~~)(.*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { language: fence[1]?.trim() ?? '', lines: [] };
    else {
      const first = open.lines.map((each) => each.trim()).find((each) => /\w/.test(each)) ?? '';
      const begin = `${document}: ${first}`;
      const alike = blocks.filter(({ name }) => name.startsWith(begin)).length;
      const name = alike === 0 ? begin : `${begin} (${alike + 1})`;
      blocks.push({ name, document, language: open.language, text: open.lines.join('\n') });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${document}: a block is not closed`);
  return blocks;
}

function documentsIn(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return /^(node_modules|dist|\..*)$/.test(entry.name) ? [] : documentsIn(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** The commands of a block, one each; a backslash at the end of a line continues it, comments are left out. */
export function commandsOf(text: string): string[] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
}

/** Puts what must be the test's own in the place of what a person would type. @throws Error when a text does not occur */
export function substitute(text: string, table: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [theirs, ours] of Object.entries(table)) {
    if (!result.includes(theirs)) throw new Error(`the example no longer says '${theirs}':\n${text}`);
    result = result.replaceAll(theirs, ours);
  }
  return result;
}
