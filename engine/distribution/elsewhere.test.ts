import { isIP, type LookupFunction } from 'node:net';
import { expect, test } from 'vitest';
import { lines, openBench } from '../images/images.fixture.js';
import { failure, type Handler, registryOf, serve, steady } from './hostile.fixture.js';
import { offeredImage } from './registry.fixture.js';
import type { Reach } from './transport.js';

const { signal } = new AbortController();

/** A registry on 127.0.0.2, of which the engine believes that it is elsewhere, and a victim on 127.0.0.1. */
async function remoteAndLocal(handler: (victim: string) => Handler) {
  const victim = await registryOf((_request, response) => response.end('{"token":"stolen"}'));
  const registry = await registryOf(handler(victim.host), '127.0.0.2');
  const lookup: LookupFunction = (hostname, options, callback) => {
    const address = names.get(hostname)?.shift() ?? '127.0.0.1';
    if (options.all) callback(null, [{ address, family: isIP(address) }]);
    else callback(null, address, isIP(address));
  };
  /** The addresses of a name, one time after the other. */
  const names = new Map<string, string[]>();
  const reach: Reach = { ...steady, lookup, isHostAddress: (address) => address !== '127.0.0.2' };
  return {
    victim,
    registry,
    reach,
    names,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await victim[Symbol.asyncDispose]();
    },
  };
}

const credentials = { username: 'u', password: 'p' };

test.each([
  [
    'a redirect',
    (target: string): Handler =>
      (_request, response) =>
        response.writeHead(307, { location: target }).end(),
  ],
  [
    'a token server',
    (target: string): Handler =>
      (_request, response) =>
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${target}",service="s"` }).end(),
  ],
])('a registry elsewhere leads to nothing on this host by %s', async (_what, handlerFor) => {
  for (const host of ['127.0.0.1', 'some.name', 'localhost', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]']) {
    await using world = await remoteAndLocal((victim) => handlerFor(`http://${host}:${victim.split(':')[1]}/x`));
    const image = `${world.registry.host}/x`;
    await using bench = await openBench({ insecureRegistries: [world.registry.host] }, world.reach);
    await expect(lines(bench.images.pull({ image, tag: 'latest', auth: credentials, signal }))).rejects.toMatchObject({
      class: 'Forbidden',
      message: expect.stringContaining('refusing to follow the server to'),
    });
    expect(world.victim.seen).toEqual([]);
  }
});

test('a registry whose own name comes to mean this host is left', async () => {
  await using world = await remoteAndLocal(() => (request, response) => {
    // So that a new connection, and a new look at the name, is needed.
    response.writeHead(503, { connection: 'close' }).end();
    void request;
  });
  const host = `rebind.test:${world.registry.port}`;
  world.names.set('rebind.test', ['127.0.0.2', '127.0.0.2', '127.0.0.2']);
  await using bench = await openBench({ insecureRegistries: [host] }, world.reach);
  expect(await failure(bench, `${host}/x`)).toContain('refusing to follow the server to rebind.test');
});

test('credentials go to no other host, whatever a registry elsewhere says', async () => {
  const image = await offeredImage();
  await using storage = await registryOf((request, response) => serve(image, request, response), '127.0.0.2');
  await using registry = await registryOf((request, response) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    } else response.writeHead(307, { location: `http://${storage.host}${request.url}` }).end();
  }, '127.0.0.2');
  const reach: Reach = { ...steady, isHostAddress: () => false };
  await using bench = await openBench({ insecureRegistries: [registry.host] }, reach);
  await lines(bench.images.pull({ image: `${registry.host}/x`, tag: 'latest', auth: credentials, signal }));
  expect(bench.images.count()).toBe(1);
  expect(storage.headers.length).toBe(3);
  expect(storage.headers.filter((each) => each.authorization !== undefined)).toEqual([]);
});

test('no registry leads to the metadata of a cloud, not even one on this host', async () => {
  await using registry = await registryOf((_request, response) =>
    response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data' }).end(),
  );
  await using bench = await openBench({}, steady);
  expect(await failure(bench, `${registry.host}/x`)).toContain('refusing to follow the server to 169.254.169.254');
});
