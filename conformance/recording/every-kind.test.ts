import { readFile } from 'node:fs/promises';
import { kinds } from '@cleat/protocol/kinds/index';
import { encodeLogEntry } from '@cleat/protocol/log-entry';
import {
  authzKind,
  defineExtension,
  type ExtensionModule,
  type Implementation,
  implement,
  ipamKind,
  logKind,
  metricsKind,
  networkKind,
  secretKind,
  volumeKind,
} from '@cleat/sdk';
import { describe, expect, test } from 'vitest';
import { replay } from './replay.js';
import { call, Scene } from './scene.fixture.js';
import { standIn } from './stand-in.js';

const of = (...implementations: Implementation[]): ExtensionModule =>
  defineExtension({ start: () => ({ implementations }) });
const nothing = () => ({});
const id = 'ab'.repeat(32);
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');

/** Of each kind an extension that makes things anew each time, and what an engine asks it; IDs are the engine's. */
const scripts: Record<
  string,
  { module: () => ExtensionModule; asks: (id: string) => [method: string, body: object][] }
> = {
  VolumeDriver: {
    module: () => {
      const root = `/m/${Math.random()}`;
      return of(
        implement(volumeKind, {
          ...{ Create: nothing, Remove: nothing, Unmount: nothing, List: () => ({ Volumes: null }) },
          Mount: ({ Name }) => ({ Mountpoint: `${root}/${Name}` }),
          Path: ({ Name }) => ({ Mountpoint: `${root}/${Name}` }),
          Get: ({ Name }) => ({ Volume: { Name, Mountpoint: `${root}/${Name}`, CreatedAt: new Date().toISOString() } }),
        }),
      );
    },
    asks: (ID) => [
      ['Create', { Name: 'v', Opts: { password: 'x' } }],
      ['Get', { Name: 'v' }],
      ['Mount', { Name: 'v', ID }],
      ['Path', { Name: 'v' }],
      ['Unmount', { Name: 'v', ID }],
      ['List', {}],
      ['Capabilities', {}],
    ],
  },
  NetworkDriver: {
    module: () => {
      let made = 0;
      const from = Math.floor(Math.random() * 1e6);
      return of(
        implement(networkKind, {
          ...{ CreateNetwork: nothing, DeleteNetwork: nothing, DeleteEndpoint: nothing, Leave: nothing },
          GetCapabilities: () => ({ Scope: 'local' }),
          CreateEndpoint: () => ({ Interface: { MacAddress: `02:${from + made++}` } }),
          EndpointOperInfo: ({ EndpointID }) => ({ Value: { about: `endpoint ${EndpointID}` } }),
          Join: () => ({ InterfaceName: { SrcName: `veth${from + made++}`, DstPrefix: 'eth' } }),
        }),
      );
    },
    asks: (NetworkID) => [
      ['GetCapabilities', {}],
      ['CreateNetwork', { NetworkID, Options: {}, IPv4Data: [{ Pool: '10.0.0.0/24' }], IPv6Data: [] }],
      ['CreateEndpoint', { NetworkID, EndpointID: NetworkID.replace(/^../, '00') }],
      ['Join', { NetworkID, EndpointID: NetworkID.replace(/^../, '00'), SandboxKey: `/ns/${NetworkID.slice(0, 12)}` }],
      ['EndpointOperInfo', { NetworkID, EndpointID: NetworkID.replace(/^../, '00') }],
      ['ProgramExternalConnectivity', { NetworkID, EndpointID: NetworkID.replace(/^../, '00') }],
      ['DeleteNetwork', { NetworkID }],
    ],
  },
  IpamDriver: {
    module: () => {
      const PoolID = `pool ${Math.random()}`;
      const check = (given: string) => {
        if (given !== PoolID) throw new Error(`no pool ${given}`);
      };
      return of(
        implement(ipamKind, {
          GetDefaultAddressSpaces: () => ({ LocalDefaultAddressSpace: 'l', GlobalDefaultAddressSpace: 'g' }),
          RequestPool: ({ Pool }) => ({ PoolID, Pool }),
          ReleasePool: (request) => check(request.PoolID),
          RequestAddress: (request) => {
            check(request.PoolID);
            return { Address: '10.0.0.2/24' };
          },
          ReleaseAddress: (request) => check(request.PoolID),
        }),
      );
    },
    asks: () => [
      ['GetDefaultAddressSpaces', {}],
      ['RequestPool', { AddressSpace: 'l', Pool: '10.0.0.0/24', SubPool: '', V6: false }],
      ['RequestAddress', { PoolID: '<pool>', Address: '' }],
      ['ReleaseAddress', { PoolID: '<pool>', Address: '10.0.0.2' }],
      ['ReleasePool', { PoolID: '<pool>' }],
    ],
  },
  LogDriver: {
    module: () => {
      const read = new Map<string, Promise<unknown>>();
      return of(
        implement(logKind, {
          Capabilities: () => ({ Cap: { ReadLogs: true } }),
          StartLogging({ File }) {
            // There is none when it is recorded.
            read.set(
              File,
              readFile(File, 'utf8').catch(() => ''),
            );
          },
          async StopLogging({ File }) {
            // The end of the FIFO comes, or nobody would be answered.
            if ((await read.get(File)) !== '') throw new Error('something was printed');
          },
          async *ReadLogs() {
            const timeNano = BigInt(Date.now()) * 1_000_000n + 1n;
            yield encodeLogEntry({ source: 'stdout', timeNano, line: Buffer.from('hello'), partial: false });
          },
        }),
      );
    },
    asks: (ContainerID) => [
      ['Capabilities', {}],
      ['ReadLogs', { Info: { ContainerID, ContainerName: '/c' }, Config: { Tail: -1 } }],
      ['StartLogging', { File: `/nowhere/${ContainerID}`, Info: { ContainerID, ContainerName: '/c' } }],
      ['StopLogging', { File: `/nowhere/${ContainerID}` }],
    ],
  },
  authz: {
    module: () =>
      of(
        implement(authzKind, {
          AuthZReq: ({ RequestUri }) => ({ Allow: RequestUri === '/info', Msg: 'look only' }),
          AuthZRes: () => ({ Allow: true }),
        }),
      ),
    asks: (Id) => [
      ['AuthZReq', { RequestUri: '/info', RequestHeaders: { 'User-Agent': Id.slice(0, 5) } }],
      ['AuthZReq', { RequestUri: `/containers/${Id}/start`, RequestBody: base64({ Id, Env: ['API_TOKEN=x'] }) }],
      ['AuthZRes', { RequestUri: '/info', ResponseStatusCode: 200, ResponseBody: base64({ ID: Id }) }],
    ],
  },
  MetricsCollector: {
    module: () => of(implement(metricsKind, { StartMetrics: nothing, StopMetrics: nothing })),
    asks: () => [
      ['StartMetrics', {}],
      ['StopMetrics', {}],
    ],
  },
  secretprovider: {
    module: () => of(implement(secretKind, { GetSecret: () => ({ Value: Buffer.from('s').toString('base64') }) })),
    asks: (TaskID) => [['GetSecret', { SecretName: 'password', TaskID, ServiceName: 'web' }]],
  },
};

test('every kind has a script', () => {
  expect(Object.keys(scripts).sort()).toEqual(kinds.map(({ name }) => name).sort());
});

describe.each(kinds)('$name', (kind) => {
  const { module, asks } = scripts[kind.name] ?? { module: () => of(), asks: () => [] };
  const prefix = 'prefix' in kind ? kind.prefix : kind.name;

  /** Asks all of it, as an engine that has `id`; @returns the statuses. */
  async function askAll(socket: string, engineId: string): Promise<number[]> {
    const statuses = [(await call(socket, '/Plugin.Activate', '')).status];
    let pool = '';
    for (const [method, body] of asks(engineId)) {
      const { status, text } = await call(socket, `/${prefix}.${method}`, JSON.stringify(body).replace('<pool>', pool));
      statuses.push(status);
      pool = /"PoolID":"([^"]+)"/.exec(text)?.[1] ?? pool;
    }
    return statuses;
  }

  test.each(['recorded, and asked of another one', 'recorded, and answered to another engine'])('%s', async (what) => {
    await using scene = new Scene();
    const recorder = await scene.recorder(await scene.plugin(module(), 'one'));
    const statuses = await askAll(recorder.socket, id);
    await recorder.done();
    if (what.endsWith('one')) {
      const another = await scene.plugin(module(), 'another');
      expect((await replay(recorder.recording, another)).differences).toEqual([]);
      return;
    }
    const socket = scene.path('stand-in.sock');
    const one = await standIn({ recording: recorder.recording, socket });
    scene.with(one);
    expect(await askAll(socket, 'cd'.repeat(32))).toEqual(statuses);
    expect([...one.strange, ...one.neverAsked]).toEqual([]);
  });
});
