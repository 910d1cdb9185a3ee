import type { Caller } from '@cleat/protocol/caller';
import { hookKind } from '@cleat/protocol/kinds/hook';
import { startForTest } from '@cleat/sdk/testing';
import { describe, expect, test } from 'vitest';
import agentSandbox from './agent-sandbox.js';

const agent: Caller = { Method: 'unix', User: '0', Within: 'container', Container: { ID: 'abc', Name: 'agent' } };
const label = { Path: 'Body.Labels["com.cleat.owner"]', Value: 'container:abc' };

describe.each(['in-process', 'socket'] as const)('agent-sandbox, %s', (carrier) => {
  async function changes(line: string, { Query = {}, Body }: { Query?: object; Body?: object } = {}, Caller = agent) {
    await using hook = await startForTest(agentSandbox, { name: 'agent-sandbox', carrier });
    const [Method = '', Route = ''] = line.split(' ');
    const request = {
      ID: '1',
      Method,
      Route,
      Params: {},
      Version: '1.44',
      Headers: {},
      Query: { ...Query },
      Body,
      Caller,
    };
    return (await hook.client(hookKind).Request(request))?.Set;
  }

  test('it wants to see requests of containers, and no others', async () => {
    await using hook = await startForTest(agentSandbox, { name: 'agent-sandbox', carrier });
    const { Match = [], Request } = await hook.client(hookKind).Capabilities({});
    expect(Request).toBe('body');
    expect(Match.every(({ Callers }) => Callers?.Containers?.includes('*'))).toBe(true);
    expect(Match.map(({ Methods, Routes }) => `${Methods} ${Routes}`)).toContain('POST /containers/create');
  });

  test('a container gets the label, bounds and the network', async () => {
    expect(await changes('POST /containers/create', { Body: { Image: 'x' } })).toEqual([
      label,
      { Path: 'Body.HostConfig.Memory', Value: 512 << 20 },
      { Path: 'Body.HostConfig.NanoCpus', Value: 1e9 },
      { Path: 'Body.HostConfig.PidsLimit', Value: 256 },
      { Path: 'Body.HostConfig.NetworkMode', Value: 'sandbox-agent' },
    ]);
    const HostConfig = { Memory: 1, NanoCpus: 1, PidsLimit: 1, NetworkMode: 'host' };
    expect(await changes('POST /containers/create', { Body: { HostConfig } })).toEqual([label]);
    expect(await changes('POST /volumes/create', { Body: {} })).toEqual([label]);
    expect(await changes('POST /networks/create', { Body: { Labels: { 'com.cleat.owner': 'other' } } })).toEqual([
      label,
    ]);
  });

  test('a build, too; a list is filtered', async () => {
    const given = {
      labels: '{"a":"b"}',
      buildargs: '{"BUILDKIT_CACHE_MOUNT_NS":"other","X":"y"}',
      t: 'x',
      memory: '5',
    };
    expect(await changes('POST /build', { Query: given })).toEqual([
      { Path: 'Query.labels', Value: '{"a":"b","com.cleat.owner":"container:abc"}' },
      { Path: 'Query.buildargs', Value: '{"BUILDKIT_CACHE_MOUNT_NS":"container:abc","X":"y"}' },
      { Path: 'Query.forcerm', Value: '1' },
      { Path: 'Query.cpuquota', Value: '100000' },
      { Path: 'Query.cpuperiod', Value: '100000' },
      { Path: 'Query.networkmode', Value: 'sandbox-agent' },
    ]);
    const filtered = (filters: object) => [{ Path: 'Query.filters', Value: filters }];
    const own = 'com.cleat.owner=container:abc';
    expect(await changes('GET /events')).toEqual(filtered({ label: [own] }));
    expect(await changes('GET /containers/json', { Query: { filters: { status: ['exited'], label: ['a'] } } })).toEqual(
      filtered({ status: ['exited'], label: ['a', own] }),
    );
  });

  test('a caller who cannot be told is left to the policy', async () => {
    expect(await changes('GET /events', {}, { Method: 'unix', User: 'root', Within: 'unknown' })).toBeUndefined();
  });
});
