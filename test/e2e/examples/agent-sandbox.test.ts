import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from '../support/client.js';
import { shown, substitute } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { programsBeside } from '../support/shown-programs.js';

/** examples/agent-sandbox: an agent in a container that has the socket, and each way out of it. */
let scratch: string;
let engine: Engine;
let agent: string;
const { ok, refused } = clientOf(() => engine);
const { startShown, run } = programsBeside(() => engine);
const plugins: AsyncDisposable[] = [];

beforeAll(async () => {
  scratch = await mkdtemp('/tmp/cleat-sandbox-');
  const own = { '/srv/': `${scratch}/` };
  engine = await startEngine();
  await engine.kill('SIGTERM');
  const set = substitute(shown('examples/agent-sandbox/README.md', 'cat > /srv/hooks.yaml'), own);
  expect(await run(set)).toContain('2 rules, 6 tests, 0 failed');
  plugins.push(
    await startShown(shown('examples/agent-sandbox/README.md', 'node examples/agent-sandbox'), 'agent-sandbox'),
  );
  const [command = ''] = [shown('examples/agent-sandbox/README.md', 'cleatd')];
  expect(command.trim()).toBe('cleatd -H unix:///run/cleat.sock --config-file /srv/daemon.json');
  await engine.restart([`--config-file=${scratch}/daemon.json`]);

  // The host's own client, which the image of the README brings along.
  const story = substitute(shown('examples/agent-sandbox/README.md', 'docker network create'), {
    '-v /run/cleat.sock:/var/run/docker.sock docker:cli': '-v /:/host busybox',
    'docker exec agent docker': `docker exec agent chroot /host docker -H unix://${engine.socket}`,
  });
  const printed = await run(story);
  expect(printed).toMatch(/^from the box\r?$/m);
  expect(printed).toMatch(/^CONTAINER ID .*NAMES\s*\ndocker: Error/m);
  expect(printed).toMatch(/^refused\r?$/m);
  agent = await ok('inspect', '-f', '{{.Id}}', 'agent');
  await ok('network', 'create', 'sandbox-second');
  await ok('run', '-d', '--name', 'other', '--network', 'none', '-v', 'others:/d', 'busybox', 'sleep', '1000');
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  for (const plugin of plugins) await plugin[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true });
});

/** In the agent's container. */
const inside = (...args: string[]): string[] => [
  'exec',
  'agent',
  'chroot',
  '/host',
  'docker',
  '-H',
  `unix://${engine.socket}`,
  ...args,
];

test('it works: builds, runs, sees what is its own, and is bounded', async () => {
  writeFileSync(join(scratch, 'Dockerfile'), 'FROM busybox\nRUN echo built > /made\n');
  const build = ['exec', '-e', 'DOCKER_BUILDKIT=0', ...inside('build', '-q', '-t', 'mine', scratch).slice(1)];
  await ok(...build);
  expect(await ok(...inside('run', '--rm', 'mine', 'cat', '/made'))).toBe('built');
  writeFileSync(join(scratch, 'Dockerfile'), 'FROM busybox\nRUN false\n');
  expect(await refused(...build)).toContain('returned a non-zero code: 1');
  expect(await ok('ps', '-aq', '--filter', 'status=exited')).toBe('');
  const id = await ok(...inside('run', '-d', '--name', 'task', 'busybox', 'sleep', '1000'));
  const [made] = JSON.parse(await ok('inspect', id)) as {
    Config: { Labels: Record<string, string> };
    HostConfig: Record<string, unknown>;
  }[];
  expect(made?.Config.Labels).toEqual({ 'com.cleat.owner': `container:${agent}` });
  expect(made?.HostConfig).toMatchObject({
    Memory: 512 << 20,
    NanoCpus: 1e9,
    PidsLimit: 256,
    NetworkMode: 'sandbox-agent',
  });
  expect(await ok(...inside('ps', '-a', '--format', '{{.Names}}'))).toBe('task');
  expect(await ok(...inside('images', '--format', '{{.Repository}}'))).toBe('mine');
  expect(await ok(...inside('volume', 'create', 'work'))).toBe('work');
  expect(await ok(...inside('volume', 'ls', '-q'))).toBe('work');
  expect(await ok(...inside('run', '--rm', '-v', 'work:/w', 'busybox', 'ls', '/w'))).toBe('');
  expect(await ok(...inside('exec', 'task', 'echo', 'in'))).toBe('in');
  await ok(...inside('container', 'prune', '-f'));
  await ok(...inside('rm', '-f', 'task'));
  await ok(...inside('volume', 'rm', 'work'));
  expect(await ok('ps', '--format', '{{.Names}}')).toBe('other\nagent');
});

/** Ways out of the box, and why each is none. `run` is of busybox. */
const ways: readonly (readonly [command: string, why: string])[] = [
  ['run --privileged busybox true', 'privileged'],
  ['run --cap-add ALL busybox true', 'capabilities'],
  ['run -v /:/h busybox true', 'host-paths "/"'],
  ['run -v /run:/h busybox true', 'host-paths'],
  ['run --mount type=bind,src=/etc,dst=/h,readonly busybox true', 'host-paths "/etc:ro"'],
  [
    'run --mount type=volume,dst=/h,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/ busybox true',
    'volume-options',
  ],
  ['run -v others:/h busybox true', 'volume others has no label'],
  ['run --volumes-from agent busybox true', 'container agent'],
  ['run --volumes-from other busybox true', 'container other'],
  ['run --pid host busybox true', 'namespaces "pid"'],
  ['run --pid container:other busybox true', 'container other'],
  ['run --network host busybox true', 'namespaces "network"'],
  ['run --network container:agent busybox true', 'container agent'],
  ['run --network bridge busybox true', 'network bridge'],
  ['run --device /dev/null busybox true', 'devices'],
  ['run --security-opt apparmor=unconfined busybox true', 'security-options'],
  ['run --annotation run.oci.handler=krun busybox true', 'annotations'],
  ['run --memory 8g busybox true', 'is more than 512m'],
  ['run --pids-limit -1 busybox true', 'pids'],
  ['run --label com.cleat.owner=container:other -p 80:80 busybox true', 'ports'],
  ['exec other sh', 'container other'],
  ['exec agent sh', 'container agent'],
  ['logs other', 'container other'],
  ['cp other:/etc/passwd -', 'container other'],
  ['export other', 'container other'],
  ['commit other stolen', 'container other'],
  ['rm -f agent', 'container agent'],
  ['restart other', 'container other'],
  ['rename other mine', 'container other'],
  ['inspect other', 'container other'],
  ['network connect bridge other', 'network bridge'],
  ['network rm sandbox-agent', 'network sandbox-agent'],
  ['network create --subnet 8.8.8.0/24 dns', 'subnets "8.8.8.0/24" is not granted'],
  ['run --network sandbox-second busybox true', 'network sandbox-second'],
  ['volume create others', 'volume others has no label'],
  ['tag mine node:20', 'is granted to use, not to give'],
  ['login -u a -p b 127.0.0.1:1', 'no rule allows system:auth'],
  ['volume rm others', 'volume others'],
  ['system df', 'no rule allows system:df'],
  ['builder prune -f', 'no rule allows build:prune'],
  ['image rm busybox', 'image busybox'],
  ['save busybox', 'all of its tags'],
  ['plugin disable authz-policy', 'no rule allows plugin:disable'],
  ['swarm init', 'no rule allows swarm:change'],
  ['pull example.org/evil', 'not among those granted'],
];

test('each way out is refused, and says why', async () => {
  // One process in the container for all of them.
  const client = `docker -H unix://${engine.socket}`;
  const script = ways.map(([line]) => `${client} ${line} </dev/null 2>&1; echo "ended with $?"; echo ----`).join('\n');
  const said = (await ok('exec', 'agent', 'chroot', '/host', 'sh', '-c', script)).split(/^----$/m);
  ways.forEach(([line, why], i) => {
    expect(said[i], line).toContain('authorization denied by plugin authz-policy: ');
    expect(said[i], line).toContain(why);
    expect(said[i], line).not.toContain('ended with 0');
  });
});
