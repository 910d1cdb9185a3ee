import { expect } from 'vitest';
import type { Corner, Operation } from './stage.js';

/** Where its memory's limit is, as cgroups have it. */
const limitFiles = '/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max';
const small = 32 << 20;
const large = 64 << 20;

/** It runs, and does what it is told. */
async function works(corner: Corner): Promise<void> {
  expect((await corner.state()).State.Status).toBe('running');
  expect(await corner.exec(corner.name, 'echo', 'hi')).toBe('hi');
}

async function restarts(corner: Corner): Promise<void> {
  await corner.must('POST', `/containers/${corner.name}/start`);
  await works(corner);
}

/** Its state is one of these, or what it is when the command was answered. */
async function stateIs(corner: Corner, done: boolean, after: string, ...before: string[]): Promise<string> {
  const { Status } = (await corner.state()).State;
  expect(done ? [after] : [after, ...before]).toContain(Status);
  return Status;
}

const running = (corner: Corner) => corner.container();
const both = (drivers: { volume: string; network: string }, name: string) => ({
  NetworkMode: `net-${name}`,
  Mounts: [
    { Type: 'volume', Source: `vol-${name}`, Target: '/d', VolumeOptions: { DriverConfig: { Name: drivers.volume } } },
  ],
});
const withNetwork = (corner: Corner) =>
  corner.must('POST', '/networks/create', { Name: `net-${corner.name}`, Driver: corner.stage.drivers.network });

async function logRuns(corner: Corner): Promise<void> {
  const text = await corner.must('GET', `/containers/${corner.name}/logs?stdout=1`);
  const told = (text.match(/\d{6}(?=\n)/g) ?? []).map(Number);
  // A start that was not answered may have been undone after it had printed: then there are two runs.
  const jumps = told.filter((number, at) => at > 0 && number !== (told[at - 1] ?? 0) + 1);
  expect(jumps.length === 0 ? [100_000] : jumps).toEqual([100_000]);
  expect(told.length).toBeGreaterThan(10);
}

export const containerOperations: readonly Operation[] = [
  {
    name: 'create',
    act: (corner) => corner.create(),
    async holds(corner, done) {
      if (!(await corner.exists(`/containers/${corner.name}/json`))) {
        expect(done).toBe(false);
        await corner.container();
      } else await corner.must('POST', `/containers/${corner.name}/start`);
      await works(corner);
    },
  },
  {
    name: 'create, volume and network of plugins',
    prepare: withNetwork,
    act: (corner) => corner.create({ host: both(corner.stage.drivers, corner.name) }),
    async holds(corner, done) {
      if (!(await corner.exists(`/containers/${corner.name}/json`))) {
        expect(done).toBe(false);
        await corner.container({ host: both(corner.stage.drivers, corner.name) });
        await works(corner);
      } else await restarts(corner);
    },
  },
  {
    name: 'start, volume and network of plugins',
    async prepare(corner) {
      await withNetwork(corner);
      await corner.container({ run: false, host: both(corner.stage.drivers, corner.name) });
    },
    act: (corner) => corner.ask('POST', `/containers/${corner.name}/start`),
    async holds(corner, done) {
      const status = await stateIs(corner, done, 'running', 'created', 'exited');
      if (status !== 'running') await restarts(corner);
      await works(corner);
    },
  },
  {
    name: 'start on the bridge, with a port',
    prepare: (corner) =>
      corner.container({
        run: false,
        host: { NetworkMode: 'bridge', PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } },
      }),
    act: (corner) => corner.ask('POST', `/containers/${corner.name}/start`),
    async holds(corner, done) {
      const status = await stateIs(corner, done, 'running', 'created', 'exited');
      if (status !== 'running') await restarts(corner);
      await works(corner);
    },
  },
  {
    name: 'stop, volume and network of plugins',
    async prepare(corner) {
      await withNetwork(corner);
      await corner.container({ host: both(corner.stage.drivers, corner.name) });
    },
    act: (corner) => corner.ask('POST', `/containers/${corner.name}/stop?t=5`),
    async holds(corner, done) {
      if ((await stateIs(corner, done, 'exited', 'running')) === 'exited') await restarts(corner);
      else await works(corner);
    },
  },
  {
    name: 'kill',
    prepare: running,
    act: (corner) => corner.ask('POST', `/containers/${corner.name}/kill`),
    async holds(corner) {
      // It was answered with the signal sent, not with the end.
      if ((await corner.state()).State.Status === 'exited') await restarts(corner);
    },
  },
  {
    name: 'restart',
    prepare: running,
    act: (corner) => corner.ask('POST', `/containers/${corner.name}/restart?t=1`),
    async holds(corner, done) {
      if ((await stateIs(corner, done, 'running', 'exited')) === 'exited') await restarts(corner);
      await works(corner);
    },
  },
  {
    name: 'rm -f, volume and network of plugins',
    async prepare(corner) {
      await withNetwork(corner);
      await corner.container({ host: both(corner.stage.drivers, corner.name) });
    },
    act: (corner) => corner.ask('DELETE', `/containers/${corner.name}?force=1`),
    async holds(corner, done) {
      if (await corner.exists(`/containers/${corner.name}/json`)) expect(done).toBe(false);
    },
  },
  {
    name: 'rm',
    prepare: (corner) => corner.container({ run: false }),
    act: (corner) => corner.ask('DELETE', `/containers/${corner.name}`),
    async holds(corner, done) {
      if (!(await corner.exists(`/containers/${corner.name}/json`))) return;
      expect(done).toBe(false);
      await restarts(corner);
    },
  },
  {
    name: 'run --rm',
    async act(corner) {
      const created = await corner.create({ host: { AutoRemove: true } });
      return created.status === 201 ? corner.ask('POST', `/containers/${corner.name}/start`) : created;
    },
    async holds(corner, done) {
      if (done) await works(corner);
    },
  },
  {
    name: 'rename',
    prepare: running,
    act: (corner) => corner.ask('POST', `/containers/${corner.name}/rename?name=${corner.name}-new`),
    async holds(corner, done) {
      const old = await corner.exists(`/containers/${corner.name}/json`);
      expect(await corner.exists(`/containers/${corner.name}-new/json`)).toBe(!old);
      if (done) expect(old).toBe(false);
      else if (!old) await corner.must('POST', `/containers/${corner.name}-new/rename?name=${corner.name}`);
      expect(await corner.exec(done ? `${corner.name}-new` : corner.name, 'echo', 'hi')).toBe('hi');
    },
  },
  {
    name: 'update',
    prepare: (corner) => corner.container({ host: { Memory: large, MemorySwap: large } }),
    act: (corner) =>
      corner.ask('POST', `/containers/${corner.name}/update`, {
        Memory: small,
        MemorySwap: small,
        RestartPolicy: { Name: 'on-failure' },
      }),
    async holds(corner, done) {
      const { Memory } = (await corner.state()).HostConfig;
      expect(done ? [small] : [small, large]).toContain(Memory);
      const shown = await corner.exec(corner.name, 'sh', '-c', `cat ${limitFiles} 2>/dev/null; true`);
      expect(shown).toBe(`${Memory}`);
    },
  },
  {
    name: 'pause',
    prepare: running,
    act: (corner) => corner.ask('POST', `/containers/${corner.name}/pause`),
    async holds(corner, done) {
      if ((await stateIs(corner, done, 'paused', 'running')) === 'paused') {
        await corner.must('POST', `/containers/${corner.name}/unpause`);
      }
      await works(corner);
    },
  },
  {
    name: 'unpause',
    async prepare(corner) {
      await corner.container();
      await corner.must('POST', `/containers/${corner.name}/pause`);
    },
    act: (corner) => corner.ask('POST', `/containers/${corner.name}/unpause`),
    async holds(corner, done) {
      if ((await stateIs(corner, done, 'running', 'paused')) === 'paused') {
        await corner.must('POST', `/containers/${corner.name}/unpause`);
      }
      await works(corner);
    },
  },
  {
    name: 'exec',
    prepare: running,
    async act(corner) {
      const created = await corner.ask('POST', `/containers/${corner.name}/exec`, {
        AttachStdout: true,
        Cmd: ['sh', '-c', 'echo on >> /file'],
      });
      if (created.status !== 201) return created;
      const { Id } = JSON.parse(created.text) as { Id: string };
      return corner.ask('POST', `/exec/${Id}/start`, {});
    },
    async holds(corner, done) {
      await works(corner);
      // It may have begun, once; what the next engine does not know of goes on in its container.
      if (done) expect(await corner.exec(corner.name, 'cat', '/file')).toBe('on');
    },
  },
  {
    name: 'cp in',
    prepare: running,
    act: (corner) => corner.ask('PUT', `/containers/${corner.name}/archive?path=/tmp`, corner.stage.tree),
    async holds(corner, done) {
      const { path, content } = corner.stage.witness;
      await works(corner);
      if (done) expect(await corner.exec(corner.name, 'cat', `/tmp/${path}`)).toBe(content.trim());
    },
  },
  {
    name: 'cp out',
    prepare: (corner) => corner.container({ run: false }),
    act: (corner) => corner.ask('GET', `/containers/${corner.name}/archive?path=/bin`),
    holds: restarts,
  },
  {
    name: 'export',
    prepare: (corner) => corner.container({ run: false }),
    act: (corner) => corner.ask('GET', `/containers/${corner.name}/export`),
    holds: restarts,
  },
  {
    name: 'a log that is rotated',
    async prepare(corner) {
      const LogConfig = { Type: 'json-file', Config: { 'max-size': '20k', 'max-file': '3' } };
      // Bounded, and in pieces: the machine is others', too.
      const script = 'i=100000; while [ $i -lt 104000 ]; do echo $i; i=$((i+1)); done; exec sleep 1000';
      await corner.container({ run: false, host: { LogConfig }, cmd: ['sh', '-c', script] });
    },
    act: (corner) => corner.ask('POST', `/containers/${corner.name}/start`),
    async holds(corner) {
      if ((await corner.state()).State.Status !== 'running')
        await corner.must('POST', `/containers/${corner.name}/start`);
      await expect
        .poll(() => corner.must('GET', `/containers/${corner.name}/logs?stdout=1&tail=1`))
        .toContain('103999');
      await logRuns(corner);
    },
  },
  {
    name: 'container prune',
    alone: true,
    prepare: (corner) => corner.container({ run: false }),
    act: (corner) => corner.ask('POST', '/containers/prune'),
    async holds(corner, done) {
      if (done) expect(await corner.exists(`/containers/${corner.name}/json`)).toBe(false);
    },
  },
];
