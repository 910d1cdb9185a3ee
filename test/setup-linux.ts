/** Unit tests run the sources, but a helper process is a program of its own: it must have been built. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function setup(): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  try {
    execFileSync(`${root}node_modules/.bin/tsc`, ['-b', 'linux'], { cwd: root, stdio: 'inherit' });
  } catch (error) {
    // Type errors were printed, and `npm run build` fails on them; an earlier build serves the other rooms' tests.
    if (!existsSync(`${root}linux/dist/helper/main.js`)) throw error;
  }
}
