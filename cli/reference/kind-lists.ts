import { readFileSync } from 'node:fs';
import { kinds } from '@cleat/protocol/kinds/index';

/**
 * The lists of kinds in documents that people write: each stands between two comments, and is made from the kinds.
 * @param root the checkout
 * @returns the documents as they should be: text by path
 */
export function kindLists(root: string): Map<string, string> {
  const pages = kinds.map(({ title, label }) => `[${title.toLowerCase()}](kinds/${label}.md)`);
  const table = kinds.map((kind) => `| [${kind.title}](${kind.label}.md) | ${kind.does} | ${kind.stockDocker} |`);
  const made: Readonly<Record<string, string>> = {
    'docs/guide/README.md': `The page of each kind: ${pages.join(', ')}.`,
    'docs/guide/kinds/README.md': [
      '| Page | A plugin of this kind | Stock dockerd takes it |',
      '|---|---|---|',
      ...table,
    ].join('\n'),
  };
  return new Map(
    Object.entries(made).map(([path, list]) => [path, withList(path, readFileSync(`${root}/${path}`, 'utf8'), list)]),
  );
}

const marks = /(<!-- kinds: npm run docs -->\n)[\s\S]*?(\n<!-- end of kinds -->)/;

function withList(path: string, text: string, list: string): string {
  if (!marks.test(text)) throw new Error(`${path}: the comments around the list of kinds are missing`);
  return text.replace(marks, (_, before: string, after: string) => `${before}${list}${after}`);
}
