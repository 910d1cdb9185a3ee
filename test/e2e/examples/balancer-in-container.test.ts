import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { balancerKinds } from '../support/balancer.js';
import { clientOf } from '../support/client.js';
import { checkout } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';

/** examples/balancer in an ordinary container that was given the engine's socket, as Interlock was run. */
let engine: Engine;
const { ok } = clientOf(() => engine);

beforeAll(async () => {
  engine = await startEngine();
  await Promise.all(['front', 'back'].map((name) => ok('network', 'create', name)));
  const shop = ['--label', 'interlock.hostname=shop', '--label', 'interlock.port=80'];
  await ok(
    'run',
    '-d',
    '--name',
    'one',
    '--network',
    'back',
    '--label',
    'interlock.network=back',
    ...shop,
    'busybox',
    'httpd',
    '-f',
    '-p',
    '80',
  );
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

/** Programs and libraries of this host, and this checkout: the image has nothing but busybox. */
const programs = ['/usr', '/lib', '/lib64', '/etc/ssl', '/etc/passwd', '/etc/group', checkout].flatMap((path) => [
  '-v',
  `${path}:${path}:ro`,
]);

test.skipIf(balancerKinds.length === 0).each(balancerKinds)('%s serves a network that it is not in', async (kind) => {
  const socket = ['-v', `${engine.socket}:/var/run/docker.sock`];
  const command = ['node', `${checkout}/examples/balancer/dist/main.js`, '--balancer', kind, '--port', '8080'];
  await ok('run', '-d', '--name', kind, '--network', 'front', ...socket, ...programs, 'busybox', ...command);
  const address = await ok('inspect', '-f', '{{.NetworkSettings.Networks.front.IPAddress}}', kind);
  const late = Date.now() + 60_000;
  // A page that is missing answers 404, and a name that nobody serves 503.
  for (let status = 0; status === 0 || status >= 500; status = await statusOf(address)) {
    if (Date.now() > late) throw new Error((await engine.docker('logs', kind)).stderr);
    await sleep(100);
  }
  const networks = await ok('inspect', '-f', '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}', kind);
  expect(networks.trim()).toBe('back front');
});

/** 0: nothing answers yet. */
function statusOf(host: string): Promise<number> {
  return new Promise((resolve) => {
    const asked = request({ host, port: 8080, headers: { host: 'shop.local' }, agent: false, timeout: 30_000 });
    asked.on('response', (response) => resolve(response.resume().statusCode ?? 0));
    asked.on('timeout', () => asked.destroy()).on('error', () => resolve(0));
    asked.end();
  });
}
