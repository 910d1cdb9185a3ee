import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { Descent } from './descent.js';
import { entryAt, nameOf } from './names.js';

/** Makes `depth` directories, one in the other, in a directory, with a file at the bottom. */
export function makeDeepTree(directory: string, depth: number): void {
  const fd = openSync(directory, 'r');
  try {
    using descent = new Descent(fd);
    for (let level = 0; level < depth; level++) {
      mkdirSync(entryAt(descent.fd, nameOf('deep')));
      descent.enter(nameOf('deep'));
    }
    writeFileSync(entryAt(descent.fd, nameOf('bottom')), 'here');
  } finally {
    closeSync(fd);
  }
}
