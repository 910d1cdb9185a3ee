import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makePrivate, makeShared, mountTmpfs } from '@cleat/linux/mount/mount';
import { notFound } from '@cleat/protocol/errors';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { all, collect, TestEngine } from './containers.fixture.js';
import type { ContainerHost, Containers } from './service.js';

let engine: TestEngine;
let containers: Containers & ContainerHost;
beforeAll(async () => {
  engine = new TestEngine();
  containers = await engine.open();
});
afterAll(() => engine[Symbol.asyncDispose]());

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test('a container runs, its output and exit code arrive, and --rm leaves nothing', async () => {
  const { id, output, code } = await engine.run(['sh', '-c', 'echo hello; hostname; exit 3'], {
    HostConfig: { AutoRemove: true },
  });
  expect({ output, code }).toEqual({ output: `hello\n${id.slice(0, 12)}\n`, code: 3 });
  await containers.wait(id, 'removed', AbortSignal.timeout(5000)).result.catch(() => {});
  expect(await failure(containers.inspect(id))).toMatchObject({ class: 'NotFound' });
  expect(existsSync(join(engine.config.dataRoot, 'containers', id))).toBe(false);
  // The runtime's state, and with it the bundle, goes a little later.
  await vi.waitFor(() => expect(readdirSync(join(engine.config.execRoot, 'containers'))).toEqual([]));
  expect(readdirSync(join(engine.config.execRoot, 'exits'))).toEqual([]);
  const history = await engine.history(id);
  expect(history.map((event) => event.Action)).toEqual(['create', 'attach', 'start', 'die', 'destroy']);
  expect(history[3]?.Actor.Attributes).toMatchObject({ exitCode: '3', image: 'busybox' });
});

test('standard input arrives whole, and its end with it', async () => {
  const { Id } = await containers.create(
    { Image: 'busybox', Cmd: ['wc', '-c'], OpenStdin: true, StdinOnce: true, AttachStdin: true },
    { name: 'stdin' },
  );
  const session = await containers.attach('stdin', { ...all, stdin: true });
  const output = collect(session);
  const sent = session.write?.(Buffer.alloc(100_000, 'x')).then(() => session.endInput?.());
  await containers.start(Id);
  await sent;
  expect((await output).trim()).toBe('100000');
});

test('the user of the process, and its rights', async () => {
  const script = 'id; cat /proc/self/status; touch /proc/sys/kernel/hostname; pwd; env';
  const { output } = await engine.run(['sh', '-c', `${script} 2>&1`], {
    User: 'user',
    WorkingDir: '/work/here',
    Env: ['A=b', 'PATH=/bin:/x'],
    HostConfig: { GroupAdd: ['wheel'] },
  });
  expect(output).toContain('uid=1000(user) gid=1000(user) groups=10(wheel),100(users),1000(user)');
  expect(output).toMatch(/CapBnd:\s+00000000a80425fb/);
  expect(output).toMatch(/CapEff:\s+0000000000000000/);
  expect(output).toMatch(/Seccomp:\s+2/);
  expect(output).toContain('/work/here');
  expect(output).toMatch(/^A=b$/m);
  expect(output).toMatch(/^PATH=\/bin:\/x$/m);
  expect(output).toMatch(/^HOME=\/home\/user$/m);
});

test('a command that is not there: 127, and why', async () => {
  const { Id } = await containers.create({ Image: 'busybox', Cmd: ['no-such-command'] }, {});
  expect(await failure(containers.start(Id))).toMatchObject({
    class: 'InvalidParameter',
    message: expect.stringMatching(
      /^failed to create task for container: failed to create shim task: OCI runtime create failed: .*exec: "no-such-command": executable file not found/,
    ),
  });
  expect((await containers.inspect(Id)).State).toMatchObject({ Status: 'created', ExitCode: 127 });
});

test('volumes are populated, mounted once and unmounted; binds are made', async () => {
  const source = join(engine.directory, 'made', 'here');
  const { output } = await engine.run(['sh', '-c', 'cat /full/file; echo x > /bound/y; echo z > /ro/z'], {
    HostConfig: { Binds: ['data:/full', `${source}:/bound`, `${engine.directory}:/ro:ro`] },
  });
  expect(output).toContain('from the image');
  expect(output).toContain('Read-only file system');
  expect(existsSync(join(source, 'y'))).toBe(true);
  // Filled when it is made, then run.
  const once = ['mount data', 'unmount data'];
  expect(engine.calls.filter((call) => /mount data/.test(call))).toEqual([...once, ...once]);
  const missing = { Type: 'bind', Source: join(engine.directory, 'missing'), Target: '/m' };
  expect(await failure(containers.create({ Image: 'busybox', HostConfig: { Mounts: [missing] } }, {}))).toMatchObject({
    message: `invalid mount config for type "bind": bind source path does not exist: ${missing.Source}`,
  });
});

test('a volume is filled once, if it is empty, before anything else uses it', async () => {
  const { Id: keeper } = await containers.create(
    { Image: 'busybox', Cmd: ['true'], HostConfig: { Binds: ['kept:/full'] } },
    {},
  );
  const volume = join(engine.directory, 'vol', 'kept');
  expect(readdirSync(volume)).toEqual(['file']);
  const lent = await engine.run(['cat', '/full/file'], { HostConfig: { VolumesFrom: [keeper] } });
  expect(lent.output).toContain('from the image');
  rmSync(join(volume, 'file'));
  // Neither the start nor another container, for which it is no longer empty, brings it back.
  await containers.start(keeper);
  await containers.wait(keeper, 'not-running', AbortSignal.timeout(20_000)).result;
  expect(readdirSync(volume)).toEqual([]);
  writeFileSync(join(volume, 'own'), '');
  await containers.create({ Image: 'busybox', Cmd: ['true'], HostConfig: { Binds: ['kept:/full'] } }, {});
  expect(readdirSync(volume)).toEqual(['own']);
});

test('a volume that cannot be filled is a container that is not made, without its volumes that nobody named', async () => {
  const { mountVolume } = engine;
  onTestFinished(() => void Object.assign(engine, { mountVolume }));
  engine.mountVolume = async () => {
    throw notFound('no such volume');
  };
  const create = containers.create({ Image: 'busybox', Cmd: ['true'], Volumes: { '/full': {} } }, { name: 'unfilled' });
  // Not found would be taken for the image.
  expect(await failure(create)).toMatchObject({
    class: 'System',
    message: 'failed to populate volume: no such volume',
  });
  expect(engine.calls).toContainEqual(expect.stringMatching(/^remove [0-9a-f]{64}$/));
  expect(await failure(containers.inspect('unfilled'))).toMatchObject({ class: 'NotFound' });
  await containers.create({ Image: 'busybox', Cmd: ['true'] }, { name: 'unfilled' });
});

test('everybody in a container may look at its root, also where it was looked into before it ran', async () => {
  const asUser = { Cmd: ['ls', '/'], User: '1000' };
  expect((await engine.run(asUser.Cmd, asUser)).output).toContain('full');
  const { Id } = await containers.create({ Image: 'busybox', ...asUser }, {});
  await containers.statPath(Id, '/full/file');
  const output = collect(await containers.attach(Id, all));
  await containers.start(Id);
  expect(await output).toContain('full');
});

test('a caller that waits for the end finds the volumes unmounted', async () => {
  const { unmountVolume } = engine;
  onTestFinished(() => void Object.assign(engine, { unmountVolume }));
  let unmounted = false;
  engine.unmountVolume = async () => {
    await sleep(100);
    unmounted = true;
  };
  await engine.run(['true'], { HostConfig: { Binds: ['data:/data'] } });
  expect(unmounted).toBe(true);
});

test('mounts are passed on only where the mount of the source does so', async () => {
  const target = join(engine.directory, 'pro pagates');
  const source = join(target, 'source');
  mkdirSync(target);
  mountTmpfs(target);
  makePrivate(target);
  const link = join(engine.directory, 'link');
  symlinkSync(source, link);
  mkdirSync(source);
  const start = async (path: string, Propagation: string) => {
    const Mounts = [{ Type: 'bind', Source: path, Target: '/m', BindOptions: { Propagation } }];
    return (await engine.run(['true'], { HostConfig: { Mounts } })).code;
  };
  expect(await failure(start(link, 'rshared'))).toMatchObject({
    class: 'System',
    message: `path ${link} is mounted on ${target} but it is not a shared mount`,
  });
  expect(await failure(start(source, 'slave'))).toMatchObject({
    message: `path ${source} is mounted on ${target} but it is not a shared or slave mount`,
  });
  expect(await start(source, 'private')).toBe(0);
  makeShared(target);
  expect([await start(source, 'shared'), await start(link, 'rslave')]).toEqual([0, 0]);
});

test('stop, kill, restart and pause', async () => {
  const trap = ['sh', '-c', 'trap "exit 5" TERM; while true; do sleep 0.05; done'];
  const { Id } = await containers.create({ Image: 'busybox', Cmd: trap }, { name: 'stopme' });
  await containers.start(Id);
  expect(await failure(containers.start(Id))).toMatchObject({ class: 'NotModified' });
  expect(await failure(containers.remove(Id, { force: false, volumes: false, link: false }))).toMatchObject({
    class: 'Conflict',
  });
  await containers.pause(Id);
  expect((await containers.inspect(Id)).State).toMatchObject({ Status: 'paused', Running: true });
  await containers.unpause(Id);
  await containers.stop(Id, {});
  expect((await containers.inspect(Id)).State).toMatchObject({ Status: 'exited', ExitCode: 5 });
  expect(await failure(containers.stop(Id, {}))).toMatchObject({ class: 'NotModified' });
  await containers.restart(Id, { timeout: 0 });
  await containers.pause(Id);
  await containers.kill(Id, '');
  expect((await containers.inspect(Id)).State).toMatchObject({ Status: 'exited', ExitCode: 137 });
  expect(await failure(containers.kill(Id, 'HUP'))).toMatchObject({ message: `container ${Id} is not running` });
  const actions = (await engine.history(Id)).map((event) => event.Action);
  expect(actions).toEqual('create start pause unpause kill die stop start restart pause kill die'.split(' '));
});

test('a container that is removed while it is restarted is not started again', async () => {
  const { Id } = await containers.create({ Image: 'busybox', Cmd: ['sleep', '60'] }, { name: 'torn' });
  await containers.start(Id);
  // It ignores SIGTERM: the restart waits, and so the removal comes in between.
  const restarted = containers.restart(Id, { timeout: 5 }).catch((error: unknown) => error);
  await expect.poll(async () => (await engine.history(Id)).at(-1)?.Action).toBe('kill');
  await containers.remove(Id, { force: true, volumes: true, link: false });
  expect(await restarted).toMatchObject({ class: 'Conflict' });
  expect((await engine.history(Id)).map(({ Action }) => Action)).toEqual(
    'create start kill kill die stop destroy'.split(' '),
  );
  expect(existsSync(join(engine.config.execRoot, 'containers', Id))).toBe(false);
});

test('restart policy: on-failure, as often as allowed', async () => {
  const { Id } = await containers.create(
    {
      Image: 'busybox',
      Cmd: ['sh', '-c', 'echo x >> /count; exit 1'],
      HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
    },
    {},
  );
  await containers.start(Id);
  for (let exits = 0; exits < 3; exits++) {
    await containers.wait(Id, 'next-exit', AbortSignal.timeout(10_000)).result;
  }
  expect(await containers.inspect(Id)).toMatchObject({ RestartCount: 2, State: { Status: 'exited', ExitCode: 1 } });
});

test('a volume that hangs hurts nobody else, and can be removed', async () => {
  engine.mountVolume = (name) =>
    name === 'hung' ? new Promise(() => {}) : Promise.resolve({ path: engine.directory, driver: 'x' });
  const { Id } = await containers.create({ Image: 'busybox', HostConfig: { Binds: ['hung:/h'] } }, {});
  const start = failure(containers.start(Id));
  const { code } = await engine.run(['true']);
  expect(code).toBe(0);
  await containers.remove(Id, { force: true, volumes: false, link: false });
  expect(await start).toMatchObject({ class: 'Cancelled' });
  expect(await failure(containers.inspect(Id))).toMatchObject({ class: 'NotFound' });
});

test('names: taken, bad, changed', async () => {
  const { Id } = await containers.create({ Image: 'busybox' }, { name: 'one' });
  expect(await failure(containers.create({ Image: 'busybox' }, { name: 'one' }))).toMatchObject({
    class: 'Conflict',
    message: `Conflict. The container name "/one" is already in use by container "${Id}". You have to remove (or rename) that container to be able to reuse that name.`,
  });
  expect(await failure(containers.create({ Image: 'busybox' }, { name: 'a b' }))).toMatchObject({
    class: 'InvalidParameter',
  });
  await containers.rename('one', 'two');
  expect((await containers.inspect('two')).Id).toBe(Id);
  expect(await failure(containers.inspect('one'))).toMatchObject({ message: 'No such container: one' });
  expect(await failure(containers.create({ Image: 'nothing' }, {}))).toMatchObject({
    message: 'No such image: nothing:latest',
  });
});

test('a running container survives the engine, and one that ended meanwhile has its code', async () => {
  await containers.create({ Image: 'busybox', Cmd: ['sleep', '60'] }, { name: 'lives' });
  const ends = await containers.create({ Image: 'busybox', Cmd: ['sh', '-c', 'sleep 0.3; exit 9'] }, { name: 'ends' });
  await containers.create({ Image: 'busybox', Cmd: ['sleep', '60'] }, { name: 'unwatched' });
  // The one that ends comes last: it is to end while nobody looks.
  for (const name of ['lives', 'unwatched', 'ends']) await containers.start(name);
  await containers.shutdown({ liveRestore: true, timeout: 0 });
  await expect.poll(() => existsSync(join(engine.config.execRoot, 'exits', ends.Id))).toBe(true);
  const leftOver = [
    join(engine.config.execRoot, 'containers', 'left-over'),
    join(engine.config.execRoot, 'archives', 'left-over'),
    join(engine.config.dataRoot, 'containers', 'left-over'),
  ];
  for (const directory of leftOver) mkdirSync(directory);
  mountTmpfs(leftOver[1] ?? '', { size: '64k' });
  mkdirSync(join(leftOver[2] ?? '', 'rw', 'upper'), { recursive: true });
  const precious = join(engine.config.dataRoot, 'containers', 'precious', 'data');
  mkdirSync(dirname(precious));
  writeFileSync(precious, 'x');
  const again = await engine.open();
  expect((await again.inspect('lives')).State).toMatchObject({ Status: 'running' });
  await expect
    .poll(async () => (await again.inspect('ends')).State)
    .toMatchObject({ Status: 'exited', ExitCode: 9, Running: false });
  expect(leftOver.filter((directory) => existsSync(directory))).toEqual([]);
  expect(existsSync(precious)).toBe(true);

  const { Id } = await again.inspect('unwatched');
  process.kill(Number(readFileSync(join(engine.config.execRoot, 'containers', Id, 'conmon.pid'), 'utf8')), 'SIGKILL');
  await expect
    .poll(async () => (await again.inspect('unwatched')).State)
    .toMatchObject({ Status: 'exited', ExitCode: 137, Error: expect.stringContaining('conmon') });
  await again.kill('lives', 'KILL');
  expect((await again.inspect('lives')).State).toMatchObject({ Status: 'exited', ExitCode: 137 });
});
