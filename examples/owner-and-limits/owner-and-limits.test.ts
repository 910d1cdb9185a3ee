import { hookKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { describe, expect, test } from 'vitest';
import ownerAndLimits from './owner-and-limits.js';

const MiB = 1024 * 1024;
const host = { Method: 'unix', User: 'alice', Within: 'host' };
const common = { ID: 'x', Method: 'POST', Params: {}, Version: '1.51', Query: {}, Headers: {} };
const label = (Value: string) => ({ Path: 'Body.Labels["com.cleat.owner"]', Value });
const memory = (mib: number, at = 'Body.HostConfig') => ({ Path: `${at}.Memory`, Value: mib * MiB });
const cpus = (number: number, at = 'Body.HostConfig') => ({ Path: `${at}.NanoCpus`, Value: number * 1e9 });

describe.each(['in-process', 'socket'] as const)('owner-and-limits, %s', (carrier) => {
  const start = (options = {}) => startForTest(ownerAndLimits, { name: 'owner-and-limits', carrier, options });

  test('labels what is created with its caller, and gives it limits', async () => {
    await using plugin = await start({ memory: '64', cpus: '0.5' });
    const ask = (Body: object, Caller: object = host) =>
      plugin.client(hookKind).Request({ ...common, Route: '/containers/create', Body, Caller: Caller as typeof host });
    expect(await plugin.client(hookKind).Capabilities({})).toMatchObject({ Request: 'body' });
    const all = { Set: [label('unix:alice'), memory(64), cpus(0.5)], Remove: [] };
    expect(await ask({ Image: 'x' })).toEqual(all);
    expect(await ask({ HostConfig: { Memory: 65 * MiB, NanoCpus: 2e9 } })).toEqual(all);
    expect(await ask({ HostConfig: { Memory: 32 * MiB, NanoCpus: 1e8 } })).toEqual({
      Set: [label('unix:alice')],
      Remove: [],
    });
    expect(await ask({ HostConfig: { MemorySwap: -1, CpuQuota: 900_000 } })).toEqual({
      ...all,
      Remove: ['Body.HostConfig.MemorySwap', 'Body.HostConfig.CpuQuota', 'Body.HostConfig.CpuPeriod'],
    });
    const inside = { Method: 'unix', User: '0', Within: 'container', Container: { ID: 'c', Name: 'ci' } };
    expect(await ask({}, inside)).toMatchObject({ Set: [label('container:c'), {}, {}] });
    expect(await ask({}, { Method: 'none', User: '' })).toMatchObject({ Set: [label('nobody'), {}, {}] });
  });

  test('an update cannot raise them', async () => {
    await using plugin = await start({ memory: '64' });
    const ask = (Body: object) =>
      plugin.client(hookKind).Request({ ...common, Route: '/containers/*/update', Body, Caller: host });
    expect(await ask({ Memory: 100 * MiB })).toEqual({ Set: [memory(64, 'Body')], Remove: [] });
    expect(await ask({ RestartPolicy: { Name: 'always' } })).toEqual({ Set: [], Remove: [] });
  });

  test('limits that are none are refused at the start', async () => {
    await expect(start({ memory: 'much' })).rejects.toThrow('numbers above 0');
  });
});
