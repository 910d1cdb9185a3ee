import { renameSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { describe, expect, test } from 'vitest';
import {
  answer,
  extensions,
  get,
  type Handler,
  plugin,
  plugins,
  registryForTests,
  withClass,
} from './registry.fixture.js';

registryForTests();

describe('connections', () => {
  /** The connections of each call, numbered as they came. */
  function numbered(calls: string[]): Handler {
    const known: unknown[] = [];
    return (path, _body, response, { socket }) => {
      if (!known.includes(socket)) known.push(socket);
      calls.push(`${path.split('.')[1]} on ${known.indexOf(socket) + 1}`);
      response.end('{}');
    };
  }

  test('a connection that was closed meanwhile is replaced in silence', async () => {
    const calls: string[] = [];
    const handle = numbered(calls);
    await plugin(join(plugins, 'p.sock'), (path, body, response, request) => {
      if (calls.length !== 1) return handle(path, body, response, request);
      calls.push('broken');
      request.socket.destroy();
    });
    const driver = await get('p');
    await driver.Get({ Name: 'v' });
    await driver.Get({ Name: 'v' });
    expect(calls).toEqual(['Get on 1', 'broken', 'Get on 2']);
    expect(extensions.list()).toMatchObject([{ name: 'p', state: 'active', health: 'healthy', lastError: undefined }]);
  });
});

describe('discovery', () => {
  test('a socket that appears later is found, speaks the v1.2 protocol, and wins over a spec', async () => {
    await expect(get('late')).rejects.toEqual(
      withClass('NotFound', 'plugin "late" not found (known for VolumeDriver: none)'),
    );
    writeFileSync(join(plugins, 'late.spec'), 'tcp://127.0.0.1:1');
    const { seen } = await plugin(join(plugins, 'late.sock'), answer({ Mountpoint: '/m' }));
    const driver = await get('late');
    expect(await driver.Mount({ Name: 'v', ID: 'i' })).toEqual({ Mountpoint: '/m' });
    expect(seen.map(({ path }) => path)).toEqual(['/Plugin.Activate', '/VolumeDriver.Mount']);
    expect(seen[1]).toMatchObject({
      body: '{"Name":"v","ID":"i"}',
      accept: 'application/vnd.docker.plugins.v1.2+json',
    });
    expect(extensions.names(volumeKind)).toEqual(['late']);
  });

  test('a subdirectory, a .spec and a .json are found; what cannot be read says so', async () => {
    await mkdir(join(plugins, 'sub'));
    await plugin(join(plugins, 'sub', 'sub.sock'), answer({ Mountpoint: '/sub' }));
    const { port } = await plugin(0, answer({ Mountpoint: '/tcp' }));
    writeFileSync(join(plugins, 'spec.spec'), `tcp://127.0.0.1:${port}\n`);
    writeFileSync(join(plugins, 'json.json'), JSON.stringify({ name: 'x', addr: `http://127.0.0.1:${port}` }));
    writeFileSync(join(plugins, 'bad.json'), '{');
    for (const [name, path] of [
      ['sub', '/sub'],
      ['spec', '/tcp'],
      ['json', '/tcp'],
    ] as const) {
      expect(await (await get(name)).Path({ Name: 'v' })).toEqual({ Mountpoint: path });
    }
    await expect(get('bad')).rejects.toEqual(withClass('InvalidParameter', /not JSON/));
    expect(extensions.list().map(({ name }) => name)).toEqual(expect.arrayContaining(['sub', 'spec', 'json', 'bad']));
    await expect(get('../plugins/sub')).rejects.toEqual(withClass('NotFound', /not found/));
  });

  test('a plugin that starts listening two seconds after it was asked for is waited for', async () => {
    const { port, close } = await plugin(0, answer({}));
    await close();
    writeFileSync(join(plugins, 'slow.spec'), `tcp://127.0.0.1:${port}`);
    const wanted = get('slow');
    await sleep(2000);
    await plugin(port, answer({ Mountpoint: '/slow' }));
    expect(await (await wanted).Path({ Name: 'v' })).toEqual({ Mountpoint: '/slow' });
  });

  test('a stale socket is reported, and does not hold up others', async () => {
    const path = join(plugins, 'stale.sock');
    const child = createServer().listen(path);
    await sleep(50);
    // As a kill leaves it: the file stays, nobody listens.
    await abandon(child, path);
    const stale = get('stale').catch((error: unknown) => error);
    await plugin(join(plugins, 'fine.sock'), answer({ Mountpoint: '/fine' }));
    expect(await (await get('fine')).Path({ Name: 'v' })).toEqual({ Mountpoint: '/fine' });
    expect(await stale).toEqual(withClass('Unavailable', /plugin "stale" does not answer: nobody listens/));
    expect(extensions.list().find(({ name }) => name === 'stale')).toMatchObject({ state: 'unreachable' });
  });

  test('a plugin that implements something else is refused by name', async () => {
    await plugin(join(plugins, 'net.sock'), answer({}), ['NetworkDriver']);
    await expect(get('net')).rejects.toEqual(withClass('InvalidParameter', /does not implement VolumeDriver/));
  });
});

describe('answers', () => {
  const cases: [string, unknown, number, string, RegExp][] = [
    ['an error with a status', { Err: 'no space' }, 500, 'System', /^VolumeDriver\.Create: no space$/],
    ['an error without a status', { err: 'no space' }, 200, 'System', /^no space$/],
    ['an error with a class', { Err: 'taken', Class: 'Conflict' }, 500, 'Conflict', /^taken$/],
    [
      'a class that is not its to claim',
      { Err: 'x', Class: 'Unauthorized' },
      500,
      'System',
      /^VolumeDriver\.Create: x$/,
    ],
    ['plain text', 'out of order', 500, 'System', /^VolumeDriver\.Create: out of order$/],
    ['nothing', '', 500, 'System', /answered status 500/],
    ['a missing method', 'nope', 404, 'NotImplemented', /does not implement VolumeDriver\.Create/],
    ['garbage', '<html>', 200, 'Unavailable', /not a JSON object/],
  ];
  test.each(cases)('%s', async (_what, value, status, errorClass, message) => {
    await plugin(join(plugins, 'p.sock'), answer(value, status));
    const driver = await get('p');
    await expect(driver.Create({ Name: 'v' })).rejects.toEqual(withClass(errorClass, message));
  });

  test('an empty body and null are success; a missing optional method is undefined; keys match in any case', async () => {
    await plugin(join(plugins, 'p.sock'), (path, _body, response) => {
      if (path.endsWith('Create')) response.end();
      else if (path.endsWith('Remove')) response.end('null');
      else if (path.endsWith('Get')) response.end('{"volume":{"name":"v","MountPoint":"/m","extra":1}}');
      else response.writeHead(404).end('404 page not found');
    });
    const driver = await get('p');
    expect(await driver.Create({ Name: 'v' })).toEqual({});
    expect(await driver.Remove({ Name: 'v' })).toEqual({});
    expect(await driver.Get({ Name: 'v' })).toEqual({ Volume: { Name: 'v', Mountpoint: '/m' } });
    expect(await driver.Capabilities({})).toBeUndefined();
  });

  test('a shape that the protocol does not have, and an endless answer', async () => {
    await plugin(join(plugins, 'p.sock'), (path, _body, response) => {
      if (path.endsWith('Path')) response.end('{"Mountpoint":["/m"]}');
      else {
        const more = () => {
          while (response.write('x'.repeat(1 << 20)));
        };
        response.on('drain', more);
        more();
      }
    });
    const driver = await get('p');
    await expect(driver.Path({ Name: 'v' })).rejects.toEqual(withClass('Unavailable', /in a shape/));
    await expect(driver.Mount({ Name: 'v', ID: 'i' })).rejects.toEqual(withClass('Unavailable', /more than \d+ bytes/));
  });
});

/** Leaves the socket file behind without a listener. */
async function abandon(server: ReturnType<typeof createServer>, path: string): Promise<void> {
  renameSync(path, `${path}.kept`);
  await new Promise((resolve) => server.close(resolve));
  renameSync(`${path}.kept`, path);
}
