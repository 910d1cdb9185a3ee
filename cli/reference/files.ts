import { kinds } from '@cleat/protocol/kinds/index';
import { kindSchema } from '@cleat/protocol/reference/json-schema';
import { kindPage } from '@cleat/protocol/reference/page';
import { referencePage } from '../cleatd/options/reference.js';
import { apiPage } from './api/page.js';
import { completions } from './completions.js';
import { kindLists } from './kind-lists.js';
import { manualPages } from './man.js';

/** Every file in this folder is made here: a file that is no longer made is removed. */
export const kindFolder = 'docs/reference/kinds';

/**
 * Everything that is made from contracts and tables.
 * @param root the checkout
 * @returns text by path, relative to the checkout
 */
export async function referenceFiles(root: string): Promise<Map<string, string>> {
  return new Map([
    ['docs/reference/api.md', apiPage()],
    ['docs/reference/cleatd.md', referencePage()],
    ...[...completions()].map(([name, text]): [string, string] => [`packaging/completions/${name}`, text]),
    ...[...(await manualPages())].map(([name, text]): [string, string] => [`packaging/man/${name}`, text]),
    [`${kindFolder}/README.md`, overview()],
    ...kindLists(root),
    ...kinds.flatMap((kind): [string, string][] => [
      [`${kindFolder}/${kind.label}.md`, kindPage(kind)],
      [`${kindFolder}/${kind.label}.schema.json`, `${JSON.stringify(kindSchema(kind), null, 2)}\n`],
    ]),
  ]);
}

function overview(): string {
  return [
    '# Kinds of extensions',
    '',
    'What an extension may be, and how the engine talks to it. These pages are made from `protocol/kinds/` by',
    '`npm run docs`; each has a JSON Schema beside it.',
    '',
    '| kind | |',
    '|---|---|',
    ...kinds.map((kind) => `| [${kind.name}](${kind.label}.md) | ${firstSentence(kind.about)} |`),
    '',
  ].join('\n');
}

function firstSentence(text: string): string {
  return text.replace(/\. [A-Z].*$/s, '.');
}
