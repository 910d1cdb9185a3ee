import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** What `./try --once` shows once everything is set up, on an engine of this test's own. */
const main = fileURLToPath(new URL('../../cli/dist/tour/main.js', import.meta.url));

test.each([
  ['through the docker CLI', [], 'docker -H unix:///run/NAME.sock run --rm --name first busybox'],
  ['through the API', ['--without-cli'], 'Without a docker CLI'],
])('the tour runs a first container %s, shows its events, and leaves nothing', async (_, flags, how) => {
  const name = `cle-t${process.pid}`;
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--once', '--name', name, ...flags]);
  expect(stdout).toContain(how.replace('NAME', name));
  expect(stdout).toMatch(/^Hello from a container!$/m);
  const events = [...stdout.matchAll(/^ {4}((?:container|network) .*)$/gm)].map(([, event]) => event);
  expect(events).toEqual([
    'container create (first)',
    ...(flags.length === 0 ? ['container attach (first)'] : []),
    'network connect (bridge)',
    'container start (first)',
    'container die (first, exit code 0)',
    'network disconnect (bridge)',
    'container destroy (first)',
  ]);
  for (const path of [
    `/run/${name}`,
    `/run/${name}.sock`,
    `/run/${name}.pid`,
    `/run/${name}.log`,
    `/var/lib/${name}`,
  ]) {
    expect(existsSync(path), path).toBe(false);
  }
  expect(Object.keys(networkInterfaces())).not.toContain(name);
});
