import { cgroupInfo } from '@cleat/linux/cgroup/info';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** `docker update`: what it says is in the kernel, or nothing has changed. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());
const { ok, refused } = clientOf(() => engine);

const two = cgroupInfo().version === 2;
const kernel = (one: string, unified: string) => ok('exec', 'cc', 'cat', `/sys/fs/cgroup/${two ? unified : one}`);
const pids = () => kernel('pids/pids.max', 'pids.max');
const memory = () => kernel('memory/memory.limit_in_bytes', 'memory.max');
const quota = async () => (two ? (await kernel('', 'cpu.max')).split(' ')[0] : kernel('cpu/cpu.cfs_quota_us', ''));
const shown = (what: string) => ok('inspect', '--format', what, 'cc');
const change = (body: object) => engine.api('POST', '/containers/cc/update', body);

beforeEach(async () => {
  await engine.docker('rm', '-f', 'cc');
  await ok('run', '-d', '--name', 'cc', '--pids-limit', '50', '-m', '100m', 'busybox', 'sleep', '1000');
});

test.each([
  ['the client’s -1', () => ok('update', '--pids-limit', '-1', 'cc')],
  ['the API’s 0', () => change({ PidsLimit: 0 })],
  ['the API’s -7', () => change({ PidsLimit: -7 })],
])('the limit of processes is lifted by %s', async (_how, lift) => {
  expect(await pids()).toBe('50');
  await lift();
  expect(await pids()).toBe('max');
  expect(await shown('{{.HostConfig.PidsLimit}}')).toBe('0');
  await ok('update', '--pids-limit', '60', 'cc');
  expect(await pids()).toBe('60');
  await ok('update', '--pids-limit', '-1', 'cc');
  await ok('restart', '-t', '0', 'cc');
  expect(await pids()).toBe('max');
});

test('null, zero and empty leave things as they are', async () => {
  const body = { PidsLimit: null, Memory: 0, CpusetCpus: '', Devices: [], Ulimits: null, OomKillDisable: false };
  expect(await change(body)).toMatchObject({ status: 200, body: '{"Warnings":null}\n' });
  expect([await pids(), await memory()]).toEqual(['50', '104857600']);
});

test('memory, swap, processors and the restart policy', async () => {
  await ok('update', '-m', '200m', '--memory-swap', '-1', '--cpu-quota', '50000', '--restart', 'on-failure:3', 'cc');
  expect([await memory(), await quota()]).toEqual(['209715200', '50000']);
  expect(await shown('{{.HostConfig.MemorySwap}} {{json .HostConfig.RestartPolicy}}')).toBe(
    '-1 {"Name":"on-failure","MaximumRetryCount":3}',
  );
  await ok('update', '--cpu-quota', '-1', 'cc');
  expect(await quota()).toBe(two ? 'max' : '-1');
  await ok('update', '--cpus', '1', 'cc');
  expect(await quota()).toBe('100000');
});

test('an update that the runtime refuses changes nothing, in the kernel and in inspect', async () => {
  const before = await shown('{{json .HostConfig}}');
  const { status, body } = await change({ PidsLimit: 7, MemorySwap: 10 * 1024 * 1024 });
  expect(status).toBe(500);
  expect(body).toMatch(/^{"message":"Cannot update container [0-9a-f]{64}: /);
  expect(await pids()).toBe('50');
  expect(await shown('{{json .HostConfig}}')).toBe(before);
});

test.each([
  [
    ['--restart', 'bad'],
    `invalid restart policy: unknown policy 'bad'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
  ],
  [['--restart', 'always:3'], "invalid restart policy: maximum retry count can only be used with 'on-failure'"],
  [['-m', '1m'], 'Minimum memory limit allowed is 6MB'],
  [
    ['-m', '300m'],
    'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
  ],
  [['-m', '50m', '--memory-swap', '10m'], 'Minimum memoryswap limit should be larger than memory limit, see usage'],
  [['--cpuset-cpus', '9999'], 'Requested CPUs are not available - requested 9999, available: '],
  [['--cpu-period', '5'], 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
  [['--cpus', '9999'], 'ange of CPUs is from 0.01 to '],
])('%s is refused', async (flags, text) => {
  expect(await refused('update', ...flags, 'cc')).toContain(text);
});

test('an option that only a start can set is refused while it runs, and kept for the next start', async () => {
  const limit = { Ulimits: [{ Name: 'nofile', Soft: 64, Hard: 64 }] };
  expect(await change(limit)).toMatchObject({ status: 400 });
  await ok('stop', '-t', '0', 'cc');
  expect(await change(limit)).toMatchObject({ status: 200 });
  await ok('start', 'cc');
  expect(await ok('exec', 'cc', 'sh', '-c', 'ulimit -n')).toBe('64');
  expect(await change({ CpuPercent: 5 })).toMatchObject({
    status: 200,
    body: '{"Warnings":["linux does not support CPU percent. Percent discarded."]}\n',
  });
});
