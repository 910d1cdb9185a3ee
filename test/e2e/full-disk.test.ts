import { execFile, execFileSync } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { PowerDisk } from './support/power-disk.js';

/** A container fills the disk that the engine lives on: all that frees space works, and then everything else again. */
let disk: { path: string } & Disposable;
let engine: Engine;
const { ok, refused } = clientOf(() => engine);

beforeAll(async () => {
  disk = new PowerDisk(96);
  engine = await startEngine({ dataRoot: join(disk.path, 'data') });
});
afterAll(async () => {
  try {
    await removeAll(engine);
    await engine[Symbol.asyncDispose]();
  } finally {
    disk[Symbol.dispose]();
  }
});

const fill =
  'while dd if=/dev/zero bs=64k >> /fill 2>/dev/null || dd if=/dev/zero bs=1 >> /fill 2>/dev/null; do :; done';
async function filledBy(name: string): Promise<void> {
  await ok('run', '-d', '--name', name, 'busybox', 'sh', '-c', `${fill}; echo full; exec sleep 1000`);
  await expect.poll(() => execFileSync('df', ['--output=avail', disk.path], { encoding: 'utf8' })).toMatch(/\n *0\n/);
}

/** Files of a client that unfold to more than the disk holds: how to make each, and how to send it. */
const files = 'for i in $(seq 40); do echo $i > $i.img; truncate -s 3M $i.img; done; tar -c *.img';
const load = 'docker load -i bomb';
const dockerfile = (text: string) => `printf "${text}" > Dockerfile`;
const build = 'DOCKER_BUILDKIT=0 docker build -q';
const bombs: readonly (readonly [made: string, sent: string])[] = [
  [`(${files}) | xz -0`, load],
  [`(${files}) | zstd -q`, 'docker import bomb'],
  [`(${files}) | gzip -1`, 'docker cp - target:/ < bomb'],
  ['truncate -s 120M large; tar -c large | gzip -1', load],
  ['truncate -s 1T hole; tar -cS hole', load],
  // Contexts of builds, and files that unfold in a step.
  [`${dockerfile('FROM scratch')}; truncate -s 120M large; tar -c large Dockerfile | gzip -1`, `${build} - < bomb`],
  [`${dockerfile('FROM scratch')}; truncate -s 120M large; tar -c large Dockerfile | gzip -1`, `${build} "$WEB/bomb"`],
  [`${dockerfile('FROM scratch\\nADD bomb /')}; truncate -s 120M ../large; tar -C .. -c large | gzip -1`, `${build} .`],
  [`${dockerfile('FROM scratch\\nADD $WEB/large /')}; truncate -s 120M large; :`, `${build} - < Dockerfile`],
];

test('an upload leaves some space, is refused in words, and leaves nothing behind', async () => {
  const place = mkdtempSync(join(tmpdir(), 'cle-bombs-'));
  const directory = join(place, 'work');
  mkdirSync(directory);
  const web = createServer(({ url = '' }, response) => {
    createReadStream(join(directory, url)).pipe(
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' }),
    );
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const address = web.address();
  const WEB = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const run = (command: string) =>
    promisify(execFile)('sh', ['-c', command], {
      cwd: directory,
      env: { ...process.env, DOCKER_HOST: `unix://${engine.socket}`, WEB },
    });
  const stored = () =>
    ['blobs/sha256', 'blobs/tmp', 'layers', 'builds/new', 'builds/gone']
      .flatMap((root) => readdirSync(join(engine.dataRoot, root)))
      .sort();
  const free = () => statfsSync(disk.path).bavail * statfsSync(disk.path).bsize;
  await ok('create', '--name', 'target', 'busybox');
  const before = { stored: stored(), images: await ok('images', '-aq'), free: free() };
  let least = before.free;
  const watch = setInterval(() => {
    least = Math.min(least, free());
  }, 1);
  try {
    for (const [made, sent] of bombs) {
      await run(`rm -rf *; (${made}) > bomb`);
      await expect(run(sent), `${sent}: ${made}`).rejects.toThrow('no space left on device');
      await expect.poll(stored).toEqual(before.stored);
    }
  } finally {
    clearInterval(watch);
    web.close();
    rmSync(place, { recursive: true });
  }
  expect(await ok('images', '-aq')).toBe(before.images);
  await ok('rm', 'target');
  await expect.poll(free).toBeGreaterThan(before.free - 1024 * 1024);
  // A sixteenth of a disk as small as this one; the journal and the logs write meanwhile.
  expect(least).toBeGreaterThan(4 * 1024 * 1024);
});

test('commands that free space work on a full disk, and after that all others work', async () => {
  for (const name of ['aa', 'bb', 'cc', 'dd']) await ok('run', '-d', '--name', name, 'busybox', 'sleep', '1000');
  await ok('create', '--name', 'unborn', '-v', 'data:/data', 'busybox', 'true');
  for (const name of ['one', 'two', 'three']) await ok('volume', 'create', name);
  await ok('tag', 'busybox', 'other');
  await ok('network', 'create', 'net');
  await filledBy('filler');

  expect(await ok('ps', '--format', '{{.Names}}')).toContain('filler');
  await ok('logs', 'filler');
  await ok('stop', '-t', '1', 'aa');
  await ok('kill', 'bb');
  await ok('rm', '-f', 'cc');
  await ok('pause', 'dd');
  await ok('unpause', 'dd');
  await ok('rm', 'aa', 'bb');
  await ok('volume', 'rm', 'one', 'two');
  await ok('rmi', 'other');
  await ok('network', 'rm', 'net');
  await ok('system', 'prune', '-f', '--volumes');
  expect((await ok('ps', '-a', '--format', '{{.Names}}')).split('\n').sort()).toEqual(['dd', 'filler']);
  const said = await refused('commit', 'filler', 'large');
  expect(said).toContain('no space left on device');
  expect(said).not.toMatch(/MDB|lmdb/i);
  // As often as one likes: what is written down of them finds its place.
  for (let at = 0; at < 20; at++) {
    await ok('pause', 'dd');
    await ok('unpause', 'dd');
  }
  await ok('stop', '-t', '1', 'filler');
  await ok('rm', 'filler');

  const { pid } = engine;
  expect(await ok('run', '--rm', '--name', 'again', '-v', 'new:/new', 'busybox', 'echo', 'works')).toBe('works');
  const events = await ok('events', '--since', '0', '--until', `${Math.ceil(Date.now() / 1000) + 1}`);
  expect(events).toContain('name=again');
  await engine.kill('SIGKILL');
  await engine.restart();
  expect((await ok('ps', '-a', '--format', '{{.Names}}')).split('\n')).toEqual(['dd']);
  expect(await ok('volume', 'ls', '-q')).toBe('data\nnew\nthree');
  expect(pid).not.toBe(engine.pid);
});
