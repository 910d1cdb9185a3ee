import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { droppable, giveMemoryBack, parseSmaps } from './rest.js';

test('only pages that the file still holds are given back', () => {
  const mapping = (range: string, permissions: string, path: string, rss: number, anonymous: number) =>
    `${range} ${permissions} 00000000 fe:00 1234 ${path}\nSize: 9999 kB\nRss: ${rss} kB\nAnonymous: ${anonymous} kB\nSwap: 0 kB\n`;
  const text = [
    mapping('00400000-01400000', 'r-xp', '/usr/bin/node', 4096, 0),
    mapping('01400000-02400000', 'r--p', '/usr/bin/node', 4096, 4),
    mapping('02400000-03400000', 'rw-p', '/usr/bin/node', 4096, 0),
    mapping('7f0000000000-7f0001000000', 'r--s', '/var/store/data.mdb', 4096, 0),
    mapping('7f1000000000-7f1001000000', 'r-xp', '', 4096, 0),
  ].join('');
  expect(droppable(parseSmaps(text))).toMatchObject([{ start: 0x400000n, length: 0x1000000, path: '/usr/bin/node' }]);
});

test('a process goes on after giving memory back, and holds less', () => {
  const resident = () => Number(/^RssFile:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const before = resident();
  giveMemoryBack();
  expect(resident()).toBeLessThan(before);
});
