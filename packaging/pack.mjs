// Packs the packages of the kit, as they are published, into dist/packages (or the directory that is named): for people who
// write a plugin against this checkout.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const destination = resolve(process.argv[2] ?? join(root, 'dist/packages'));
const rooms = ['protocol', 'linux', 'extensions', 'sdk', 'conformance', 'create'];

mkdirSync(destination, { recursive: true });
for (const name of readdirSync(destination)) if (name.endsWith('.tgz')) rmSync(join(destination, name));
// npm packs a package's own LICENSE; there is one in the checkout.
for (const room of rooms) copyFileSync(join(root, 'LICENSE'), join(root, room, 'LICENSE'));
const workspaces = rooms.flatMap((room) => ['--workspace', room]);
execFileSync('npm', ['pack', '--silent', '--pack-destination', destination, ...workspaces], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
});
