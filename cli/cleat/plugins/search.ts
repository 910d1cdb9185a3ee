import { columns, plain, terminalWidth } from '../columns.js';
import type { IndexEntry } from './document.js';
import { privilegesText } from './privileges.js';

/** Entries that have each word of a term somewhere in what people see of them. */
export function matching(entries: readonly IndexEntry[], term: string, kind: string | undefined): IndexEntry[] {
  const words = term.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter((entry) => {
    if (kind !== undefined && !entry.kinds.some((each) => each.toLowerCase().includes(kind.toLowerCase())))
      return false;
    const text = [entry.name, entry.description, entry.publisher, ...entry.kinds].join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export function searchTable(entries: readonly IndexEntry[]): string {
  const lines = entries.map((entry) => [
    entry.name,
    entry.kinds.join(', '),
    entry.publisher,
    entry.platforms.map((platform) => platform.replace(/^linux\//, '')).join(', '),
    privilegesText(entry.privileges),
    entry.description,
  ]);
  const head = ['NAME', 'KIND', 'PUBLISHER', 'ARCHITECTURES', 'PRIVILEGES', 'DESCRIPTION'];
  return columns([head, ...lines.map((line) => line.map(plain))], {
    width: terminalWidth(),
    dispensable: ['DESCRIPTION', 'PUBLISHER'],
  });
}
