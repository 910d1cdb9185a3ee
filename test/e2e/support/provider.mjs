// A plugin with volumes and logs for tests that run it as an ordinary container, from bare Node.js: as somebody else's
// would, it puts its socket into the plugin directory, keeps its state under ROOT, and may use the engine's API.
//
//   NAME       the driver's name
//   DIRECTORY  the plugin directory
//   ROOT       volumes (ROOT/volumes/NAME), logs (ROOT/logs/ID), and what it was asked (ROOT/calls, a line each)
//   KINDS      such as VolumeDriver,LogDriver
//   FORK       the process that listens hands its socket to a child and ends, as daemons do
//   PORT       instead of a socket, a port that is published on the host's loopback, with a .spec that says so
//   ASK        the engine's socket: a call is answered only once the engine has answered this plugin's own questions, and
//              calls are answered one after the other, as by a plugin with one lock for all

import { spawn } from 'node:child_process';
import {
  appendFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';

const { NAME, DIRECTORY, ROOT, KINDS = 'VolumeDriver', ASK, FORK, PORT } = process.env;
const socket = join(DIRECTORY, `${NAME}.sock`);
const volumes = join(ROOT, 'volumes');
const logs = join(ROOT, 'logs');
for (const directory of [volumes, logs]) mkdirSync(directory, { recursive: true });

const mountpoint = (name) => join(volumes, name);
const known = (name) => (existsSync(mountpoint(name)) ? { Name: name, Mountpoint: mountpoint(name) } : undefined);
const answers = {
  '/Plugin.Activate': () => ({ Implements: KINDS.split(',') }),
  '/VolumeDriver.Create': ({ Name }) => void mkdirSync(mountpoint(Name), { recursive: true }),
  '/VolumeDriver.Remove': ({ Name }) => void rmSync(mountpoint(Name), { recursive: true, force: true }),
  '/VolumeDriver.Mount': ({ Name }) => ({ Mountpoint: mountpoint(Name) }),
  '/VolumeDriver.Path': ({ Name }) => ({ Mountpoint: mountpoint(Name) }),
  '/VolumeDriver.Unmount': () => ({}),
  '/VolumeDriver.Get': ({ Name }) => (known(Name) ? { Volume: known(Name) } : { Err: `no such volume: ${Name}` }),
  '/VolumeDriver.List': () => ({ Volumes: readdirSync(volumes).map(known) }),
  '/VolumeDriver.Capabilities': () => ({ Capabilities: { Scope: 'local' } }),
  '/LogDriver.Capabilities': () => ({ Cap: { ReadLogs: false } }),
  '/LogDriver.StartLogging': ({ File, Info }) => {
    createReadStream(File).pipe(createWriteStream(join(logs, Info.ContainerID), { flags: 'a' }));
  },
  '/LogDriver.StopLogging': () => ({}),
};

let turn = Promise.resolve();
const server = createServer(async (incoming, response) => {
  let body = '';
  for await (const chunk of incoming.setEncoding('utf8')) body += chunk;
  if (!ASK) return serve(incoming, body, response);
  turn = turn.then(() => serve(incoming, body, response));
});

async function serve(incoming, body, response) {
  const call = incoming.url.slice(1);
  appendFileSync(join(ROOT, 'calls'), `${call} ${body.replaceAll('\n', ' ')}\n`);
  // The questions below make the engine ask for these; an answer to them would be a question again.
  if (ASK && !/[.](List|Get|Capabilities)$/.test(call)) await askEngine(call);
  const answer = answers[incoming.url];
  response.statusCode = answer ? 200 : 404;
  response.end(JSON.stringify(answer?.(JSON.parse(body || '{}')) ?? {}));
}

async function askEngine(call) {
  const list = await get('/containers/json?all=1');
  const ids = JSON.parse(list.body).map(({ Id }) => Id);
  const paths = ['/volumes', '/networks', '/info', '/cleat/extensions', ...ids.map((id) => `/containers/${id}/json`)];
  for (const path of paths) await get(path);
  appendFileSync(join(ROOT, 'asked'), `${call} ${ids.length}\n`);
}

function get(path) {
  return new Promise((resolve, reject) => {
    request({ socketPath: ASK, path }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, body: text }));
    })
      .on('error', reject)
      .end();
  });
}

if (ASK) await askEngine('start').catch((error) => appendFileSync(join(ROOT, 'asked'), `start failed: ${error}\n`));
// A crash may have left the socket: a plugin that cannot take its place again is no plugin for a cold boot.
if (process.argv[2] !== 'child') rmSync(socket, { force: true });
if (process.argv[2] === 'child') server.listen({ fd: 3 });
else if (PORT) server.listen(PORT, () => writeFileSync(join(DIRECTORY, `${NAME}.spec`), `tcp://127.0.0.1:${PORT}`));
else server.listen(socket, FORK ? fork : undefined);

function fork() {
  const stdio = ['ignore', 'inherit', 'inherit', server._handle.fd];
  spawn(process.execPath, [process.argv[1], 'child'], { stdio, detached: true });
  process.exit(0);
}
process.on('SIGTERM', () => {
  rmSync(socket, { force: true });
  process.exit(0);
});
