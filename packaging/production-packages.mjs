// Prints the packages that the rooms named on the command line need to run, as paths below the checkout, one a line.
// What Node.js itself would load: each dependency from the nearest node_modules, those of other platforms left out.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = realpathSync(fileURLToPath(new URL('..', import.meta.url)));
const found = new Set();

/** @param directory of the package that asks */
function nearest(directory, name) {
  for (let at = directory; ; at = dirname(at)) {
    const path = join(at, 'node_modules', name);
    if (existsSync(join(path, 'package.json'))) return path;
    if (at === root) return undefined;
  }
}

function take(directory) {
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(directory, 'package.json')));
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const path = nearest(directory, name);
    if (path === undefined) {
      if (name in optionalDependencies) continue;
      throw new Error(`${relative(root, directory)} needs ${name}, which is not installed: npm ci`);
    }
    if (found.has(path)) continue;
    found.add(path);
    take(realpathSync(path));
  }
}

for (const room of process.argv.slice(2)) {
  found.add(join(root, 'node_modules', room === 'create' ? 'create-cleat-plugin' : `@cleat/${room}`));
  take(join(root, room));
}
for (const path of [...found].sort()) process.stdout.write(`${relative(root, path)}\n`);
