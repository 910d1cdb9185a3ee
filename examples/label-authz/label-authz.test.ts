import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { authzKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import labelAuthz from './label-authz.js';

let directory: string;
let policy: string;
let server: Server;

/** As much of an engine as is asked: three containers, and an exec in one of them. */
const answers: Record<string, object> = {
  '/containers/shop/json': { Config: { Labels: { team: 'web' } } },
  '/containers/db1/json': { Config: { Labels: { team: 'db' } } },
  '/containers/old/json': { Config: { Labels: null } },
  '/exec/e1/json': { ContainerID: 'db1' },
};

beforeEach(async () => {
  directory = mkdtempSync('/tmp/cleat-label-authz-');
  policy = join(directory, 'policy.json');
  writeFileSync(policy, JSON.stringify({ teams: { web: ['alice', 'ann'], db: ['bob', 'ann'] }, admins: ['root'] }));
  server = createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    response.writeHead(answer ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(answer ?? { message: 'No such container' }));
  });
  await new Promise<void>((resolve) => server.listen(join(directory, 'engine.sock'), resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

describe.each(['in-process', 'socket'] as const)('label-authz, %s', (carrier) => {
  async function asking() {
    const engine = `unix://${join(directory, 'engine.sock')}`;
    const plugin = await startForTest(labelAuthz, { name: 'label-authz', carrier, options: { policy, engine } });
    /** The answer to a user who may not; `yes` to one who may. A body is JSON, or text as it is. */
    async function ask(User: string | undefined, request: string, body?: object | string): Promise<string> {
      const [RequestMethod, RequestUri] = request.split(' ');
      const text = typeof body === 'object' ? JSON.stringify(body) : (body ?? '');
      const RequestBody = text === '' ? undefined : Buffer.from(text).toString('base64');
      const { Allow, Msg } = await plugin.client(authzKind).AuthZReq({ User, RequestMethod, RequestUri, RequestBody });
      return Allow ? 'yes' : `no: ${Msg}`;
    }
    return Object.assign(ask, { [Symbol.asyncDispose]: () => plugin.close() });
  }

  test('a container is its team’s, however it is addressed; to others and to nobody it is to look at', async () => {
    await using ask = await asking();
    for (const request of [
      'POST /containers/shop/stop',
      'DELETE /v1.41/containers/shop?force=1',
      'GET /containers/shop/logs',
    ]) {
      expect(await ask('alice', request)).toBe('yes');
      expect(await ask('ann', request)).toBe('yes');
      expect(await ask('root', request)).toBe('yes');
      expect(await ask('bob', request)).toBe('no: bob of db may not touch shop: it is of team web');
      expect(await ask(undefined, request)).toBe('no: somebody without a name may only look');
      expect(await ask('eve', request)).toBe('no: the policy does not name eve');
    }
    for (const request of ['GET /containers/json', 'GET /v1.41/containers/db1/json', 'HEAD /_ping', 'GET /events']) {
      expect(await ask('alice', request)).toBe('yes');
      expect(await ask(undefined, request)).toBe('yes');
    }
    expect(await ask('alice', 'POST /containers/old/stop')).toContain('it has no label team');
    expect(await ask('alice', 'POST /containers/none/stop')).toContain('No such container');
    expect(await ask('alice', 'POST /exec/e1/start')).toContain('may not touch db1');
    expect(await ask('bob', 'POST /exec/e1/start')).toBe('yes');
  });

  test.each([
    'POST /containers/%64b1/stop',
    'POST /v1.41/containers/db1%2Fstop',
    'GET /containers/db1/export',
    'GET /containers/json/export',
    'GET /containers/db1/archive?path=/',
    'GET /containers/db1/attach/ws',
    'GET /containers//db1/json',
    'GET /containers/x/../db1/export',
    'POST /containers/%zz/stop',
    'POST /v1.23/containers/shop/start',
    'POST /containers/prune',
    'POST /containers/shop/checkpoints',
    'DELETE /containers/shop/checkpoints/one',
    'PUT /containers/db1/archive?path=/',
    'POST /volumes/create',
    'POST /images/create?fromImage=x',
    'POST /build',
    'POST /commit?container=db1',
    'POST /plugins/label-authz/disable',
    'OPTIONS /info',
  ])('alice may not %s', async (request) => {
    await using ask = await asking();
    expect(await ask('alice', request)).toMatch(/^no: /);
  });

  test('a container is made with a label of one’s team', async () => {
    await using ask = await asking();
    const create = 'POST /v1.41/containers/create?name=new';
    const said = 'no: alice may make containers of their own team only: add --label team=web';
    expect(await ask('alice', create, { Image: 'x' })).toBe(said);
    expect(await ask('alice', create, { Labels: { team: 'db' } })).toBe(said);
    expect(await ask('ann', create, {})).toContain('--label team=web or --label team=db');
    const asClientsDo = {
      HostConfig: {
        NetworkMode: 'bridge',
        Memory: 1,
        Binds: null,
        Privileged: false,
        MemorySwappiness: -1,
        Devices: [],
      },
    };
    expect(await ask('alice', create, { Labels: { team: 'web' }, ...asClientsDo })).toBe('yes');
    expect(await ask('alice', create, { labels: { team: 'web' }, HOSTCONFIG: {} })).toBe('yes');
    expect(await ask('root', create, { HostConfig: { Privileged: true } })).toBe('yes');
    expect(await ask('alice', create)).toContain('did not show the body');
  });

  test.each([
    { Privileged: true },
    { privileged: true },
    { Binds: ['/:/host'] },
    { Binds: ['data:/data'] },
    { Mounts: [{ Type: 'bind', Source: '/', Target: '/host' }] },
    { Mounts: [{ type: 'volume', source: 'data', target: '/data' }] },
    { VolumesFrom: ['db1'] },
    { NetworkMode: 'container:db1' },
    { NetworkMode: 'host' },
    { PidMode: 'host' },
    { IpcMode: 'container:db1' },
    { CapAdd: ['ALL'] },
    { SecurityOpt: ['seccomp=unconfined'] },
    { Devices: [{ PathOnHost: '/dev/sda' }] },
    { Runtime: 'mine' },
    { LogConfig: { Type: 'syslog' } },
    { SomethingNew: { Deep: [1] } },
  ])('alice may not make a container with %o', async (HostConfig) => {
    await using ask = await asking();
    const body = { Labels: { team: 'web' }, HostConfig };
    expect(await ask('alice', 'POST /containers/create', body)).toContain('leads out of the container');
  });

  test.each([
    '{"Labels":{"team":"web"},"HostConfig":{"Privileged":true},"HostConfig":{}}',
    '{"Labels":{"team":"web"},"HostConfig":{"Privileged":true},"hostConfig":{}}',
    '{"Labels":{"team":"web"},"HostConfig":{"Privileged":true},"Ho\\u0073tConfig":{}}',
    '{"Labels":{"team":"web"},"Ho\\u017ftConfig":{"Privileged":true}}',
    '{"Labels":{"team":"web"}} {"HostConfig":{"Privileged":true}}',
    '["Labels"]',
    'null',
  ])('a body that can be read in two ways is refused: %s', async (body) => {
    await using ask = await asking();
    expect(await ask('alice', 'POST /containers/create', body)).toMatch(/^no: .*body/);
  });

  test('exec is for the team, and without privileges; so are updates', async () => {
    await using ask = await asking();
    expect(await ask('alice', 'POST /containers/shop/exec', { Cmd: ['sh'] })).toBe('yes');
    expect(await ask('bob', 'POST /containers/shop/exec', { Cmd: ['sh'] })).toContain('may not touch');
    expect(await ask('alice', 'POST /containers/shop/exec', { privileged: true })).toContain('with privileges');
    const update = 'POST /containers/shop/update';
    expect(await ask('alice', update, { Memory: 1, Devices: null })).toBe('yes');
    expect(await ask('alice', update, { Devices: [{ PathOnHost: '/dev/sda' }] })).toContain('may not set Devices');
  });

  test('the policy counts as it is now; without one nothing is allowed, and without an engine nothing is known', async () => {
    await using ask = await asking();
    writeFileSync(policy, '{"label":"owner","teams":{"web":["alice"]},"unnamed":"admin"}');
    expect(await ask(undefined, 'POST /containers/shop/stop')).toBe('yes');
    expect(await ask('alice', 'POST /containers/shop/stop')).toContain('it has no label owner');
    writeFileSync(policy, '{"teams":');
    expect(await ask('root', 'GET /info')).toMatch(/^no: the policy .* cannot be read, so that nothing is allowed/);
    rmSync(policy);
    expect(await ask('root', 'GET /info')).toContain('no such file or directory');
    writeFileSync(policy, '{"teams":{"web":["alice"]}}');
    server.close();
    server.closeAllConnections();
    await expect.poll(() => ask('alice', 'POST /containers/shop/stop')).toMatch(/^no: the engine .* cannot be reached/);
  });
});
