import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { authzKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import noPrivileges from './no-privileges.js';

let directory: string;
let server: Server;
const answers: Record<string, object> = {
  '/volumes/data': { Name: 'data', Driver: 'local', Options: null },
  '/volumes/door': { Name: 'door', Driver: 'local', Options: { type: 'none', o: 'bind', device: '/' } },
  '/containers/db/json': { Id: 'd', Name: '/db', Mounts: [{ Type: 'volume', Source: '/data' }] },
  '/containers/admins/json': { Id: 'a', Name: '/admins', Mounts: [{ Type: 'bind', Source: '/etc', RW: false }] },
};
beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-no-privileges-');
  server = createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    response.writeHead(answer ? 200 : 404).end(JSON.stringify(answer ?? { message: 'No such thing' }));
  });
  await new Promise<void>((resolve) => server.listen(join(directory, 'e.sock'), resolve));
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

describe.each(['in-process', 'socket'] as const)('no-privileges, %s', (carrier) => {
  async function say(line: string, body?: object): Promise<string> {
    const options = { engine: `unix://${directory}/e.sock` };
    await using plugin = await startForTest(noPrivileges, { name: 'no-privileges', carrier, options });
    const [RequestMethod, RequestUri] = line.split(' ');
    const RequestBody = body && Buffer.from(JSON.stringify(body)).toString('base64');
    const { Allow, Msg } = await plugin.client(authzKind).AuthZReq({ RequestMethod, RequestUri, RequestBody });
    return Allow ? 'yes' : `no: ${Msg}`;
  }
  const create = 'POST /v1.44/containers/create';

  test('a container within its walls is allowed', async () => {
    const HostConfig = {
      Binds: ['data:/d', 'new:/n'],
      VolumesFrom: ['db'],
      CapAdd: ['NET_BIND_SERVICE'],
      SecurityOpt: ['no-new-privileges'],
      Tmpfs: { '/t': '' },
      PortBindings: { '80/tcp': [{ HostPort: '80' }] },
    };
    expect(await say(create, { Image: 'x', Volumes: { '/v': {} }, HostConfig })).toBe('yes');
    for (const request of [
      'GET /info',
      'GET /containers/json',
      'POST /containers/db/stop',
      'POST /build',
      'POST /images/load',
    ]) {
      expect(await say(request), request).toBe('yes');
    }
  });

  test.each([
    { HostConfig: { Privileged: true } },
    { HostConfig: { Binds: ['/:/h'] } },
    { HostConfig: { Mounts: [{ Type: 'bind', Source: '/etc', Target: '/h', ReadOnly: true }] } },
    {
      HostConfig: {
        Mounts: [{ Type: 'volume', Target: '/h', VolumeOptions: { DriverConfig: { Options: { device: '/' } } } }],
      },
    },
    { HostConfig: { Binds: ['door:/h'] } },
    { HostConfig: { VolumesFrom: ['admins:ro'] } },
    { HostConfig: { VolumeDriver: 'other' }, Volumes: { '/v': {} } },
    { Volumes: { '/:/h': {} } },
    { HostConfig: { Devices: [{ PathOnHost: '/dev/sda' }] } },
    { HostConfig: { DeviceCgroupRules: ['a *:* rwm'] } },
    { HostConfig: { PidMode: 'host' } },
    { HostConfig: { NetworkMode: 'host' } },
    { NetworkingConfig: { EndpointsConfig: { host: {} } } },
    { HostConfig: { CapAdd: ['all'] } },
    { HostConfig: { SecurityOpt: ['seccomp:unconfined'] } },
    { HostConfig: { MaskedPaths: [] } },
    { HostConfig: { Annotations: { 'run.oci.seccomp_bpf_data': 'x' } } },
    { Privileged: true },
    { Binds: ['/:/h'] },
    { HostConfig: { NewDoor: { Path: '/' } } },
  ])('nobody may create %j', async (body) => {
    expect(await say(create, { Image: 'x', ...body })).toMatch(/^no: /);
  });

  test.each<[string, object?]>([
    ['POST /v1.23/containers/db/start', { Binds: ['/:/h'] }],
    ['POST /containers/db/exec', { Privileged: true, Cmd: ['sh'] }],
    ['POST /containers/db/update', { Devices: [{ PathOnHost: '/dev/sda' }] }],
    ['POST /volumes/create', { Name: 'v', DriverOpts: { type: 'none', o: 'bind', device: '/' } }],
    ['POST /build?networkmode=host'],
    ['POST /plugins/pull?remote=x'],
    ['POST /plugins/no-privileges/disable'],
    ['POST /services/create', {}],
    ['POST /grpc'],
    [`${create}?hostconfig`],
  ])('nobody may %s', async (request, body) => {
    expect(await say(request, body)).toMatch(/^no: /);
  });
});
