// A volume driver, or with KIND=log a log driver, whose answers are chosen by variables; see managed-plugin.ts.
import { execSync } from 'node:child_process';
import { createReadStream, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';

const { MOUNTPOINT, BEFORE, KIND } = process.env;
const root = '/mnt/volumes';
console.log(`started as ${process.pid}`);
if (BEFORE) console.log(execSync(BEFORE, { encoding: 'utf8', shell: '/bin/sh', stdio: ['ignore', 'pipe', 'inherit'] }));

const place = (name) => MOUNTPOINT || `${root}/${name}`;
const known = new Set();
const answers = {
  '/Plugin.Activate': () => ({ Implements: [KIND === 'log' ? 'LogDriver' : 'VolumeDriver'] }),
  '/LogDriver.Capabilities': () => ({ Cap: { ReadLogs: false } }),
  '/LogDriver.StartLogging': ({ File }) => {
    console.log(`reads ${File}`);
    createReadStream(File, 'latin1').on('data', (text) => console.log(`got ${text.replace(/[^ -~]+/g, ' ')}`));
    return {};
  },
  '/LogDriver.StopLogging': ({ File }) => {
    console.log(`stops ${File}`);
    return {};
  },
  '/VolumeDriver.Capabilities': () => ({ Capabilities: { Scope: 'local' } }),
  '/VolumeDriver.Create': ({ Name }) => {
    known.add(Name);
    return {};
  },
  '/VolumeDriver.Remove': ({ Name }) => {
    known.delete(Name);
    return {};
  },
  '/VolumeDriver.Get': ({ Name }) => ({ Volume: { Name, Mountpoint: place(Name) } }),
  '/VolumeDriver.List': () => ({ Volumes: [...known].map((Name) => ({ Name, Mountpoint: place(Name) })) }),
  '/VolumeDriver.Path': ({ Name }) => ({ Mountpoint: place(Name) }),
  '/VolumeDriver.Mount': ({ Name }) => {
    if (!MOUNTPOINT) mkdirSync(place(Name), { recursive: true });
    return { Mountpoint: place(Name) };
  },
  '/VolumeDriver.Unmount': () => ({}),
};

const server = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  const answer = answers[request.url ?? ''];
  response.writeHead(answer ? 200 : 404);
  response.end(JSON.stringify(answer ? answer(text ? JSON.parse(text) : {}) : { Err: 'no such method' }));
});
server.listen('/run/docker/plugins/p.sock');
process.once('SIGTERM', () => process.exit(0));
