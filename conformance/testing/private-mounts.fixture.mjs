// A volume plugin that works, for itself alone: to be started in a mount namespace of its own.
// node private-mounts.fixture.mjs SOCKET DIRECTORY
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [socket, directory] = process.argv.slice(2);
const root = join(directory, 'private');
mkdirSync(root, { recursive: true });
const place = (name) => join(root, name);
const describe = (name) => ({ Name: name, Mountpoint: place(name) });
const answers = {
  '/Plugin.Activate': () => ({ Implements: ['VolumeDriver'] }),
  '/VolumeDriver.Create': ({ Name }) => void mkdirSync(place(Name), { recursive: true }),
  '/VolumeDriver.Remove': ({ Name }) => rmSync(place(Name), { recursive: true }),
  '/VolumeDriver.Mount': ({ Name }) => {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', place(Name)]);
    return { Mountpoint: place(Name) };
  },
  '/VolumeDriver.Unmount': ({ Name }) => void execFileSync('umount', [place(Name)]),
  '/VolumeDriver.Get': ({ Name }) =>
    existsSync(place(Name)) ? { Volume: describe(Name) } : { Err: `there is no volume ${Name}` },
  '/VolumeDriver.List': () => ({ Volumes: readdirSync(root).map(describe) }),
};

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = JSON.parse(Buffer.concat(chunks).toString() || '{}');
  const answer = answers[request.url];
  response.writeHead(answer ? 200 : 404).end(JSON.stringify(answer?.(body) ?? {}));
}).listen(socket);
