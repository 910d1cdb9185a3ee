import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { allBlocks, type Block } from '../support/documents.js';
import { runShell } from '../support/shell.js';

/**
 * Tests run each block as it stands in the documents. They replace only what must be their own, and each says what.
 * A new block needs a test, which takes it by `shown`, or a line in `notRun`.
 */
const blocks = allBlocks();
const here = fileURLToPath(new URL('.', import.meta.url));
const json = blocks.filter(({ language }) => language === 'json');

/** Blocks that no test runs, and why. */
const notRun: Record<string, string> = {
  'README.md: ./try      # sets everything up, starts an engine, runs a first container, and keeps serving until Ctrl-C':
    '`./check` is what runs this test; what `./try` starts is run by tour.test.ts',
  'ARCHITECTURE.md: docker, Compose, dockerode, curl                        plugins: any language, any time':
    'a drawing; test/unit/arrows.test.ts holds its arrows',
  'examples/owner-and-limits/README.md: cleatd --hooks examples/owner-and-limits/hooks.yaml':
    'test/e2e/examples/request-hooks.test.ts tells the story of both hooks, in one chain',
  'examples/owner-and-limits/README.md: node examples/owner-and-limits/dist/main.js --memory 256 --cpus 0.5':
    'test/e2e/examples/request-hooks.test.ts tells the story of both hooks, in one chain',
  'examples/owner-and-limits/README.md: docker run -d --name greedy --label com.cleat.owner=somebody-else busybox sleep 1000':
    'test/e2e/examples/request-hooks.test.ts tells the story of both hooks, in one chain',
  'examples/image-mirror/README.md: node examples/image-mirror/dist/main.js --mirror mirror.example:5000':
    'test/e2e/examples/request-hooks.test.ts tells the story of both hooks, in one chain',
  'examples/image-mirror/README.md: cleatd --hooks examples/image-mirror/hooks.yaml':
    'test/e2e/examples/request-hooks.test.ts tells the story of both hooks, in one chain',
  'examples/image-mirror/README.md: docker run --rm busybox true':
    'test/e2e/examples/request-hooks.test.ts tells the story of both hooks, in one chain',
  'examples/compose-app/README.md: host 127.0.0.1:8080':
    'a drawing; test/e2e/examples/compose-app.test.ts runs what it shows',
  'examples/overlay/README.md: host a                                 host b':
    'a drawing; test/e2e/examples/overlay.test.ts has three such hosts',
  'ARCHITECTURE.md: connection ─▶ front ─▶ route ─▶ web pages are refused':
    'a drawing; api/hooks/check.test.ts holds its order',
  "docs/guide/request-hooks.md: client ─▶ hooks, in the file's order ─▶ authorization plugins, selectors ─▶ the engine":
    'a drawing; api/hooks/check.test.ts holds its order',
  "docs/guide/first-plugin.md: npm run pack          # the kit's packages; not needed once they are in the registry":
    'first-plugin.test.ts runs the guide as a whole',
  'docs/guide/first-plugin.md: npm start &': 'first-plugin.test.ts',
  "docs/guide/first-plugin.md: sed -i 's|const volumes = new VolumeDirectories(options.root);|const volumes = new VolumeDirectories(`${options.root}/${process.pid}`);|' plugin.ts":
    'first-plugin.test.ts',
  'docs/guide/authorization.md: CLEAT_EXTENSION=\'{"name": "authz-policy", "options": {"policy": "/etc/docker/authz-policy.yaml"}}\' \\':
    'authz-policy.test.ts starts it like this for a stock dockerd of its own',
  'docs/guide/installing.md: ./packaging/install          # below /usr/local; --prefix DIR for another place, --uninstall removes it':
    'packaging.test.ts, in a copy of the system',
  'docs/guide/installing.md: apt-get install debhelper dpkg-dev    # what Debian builds packages with':
    'packaging.test.ts',
  'docs/guide/installing.md: docker -H unix:///run/cleat.sock info':
    'needs systemd; the unit is that of packaging.test.ts',
  'docs/guide/moving-from-dockerd.md: export OLD=unix:///run/docker.sock NEW=unix:///run/cleat.sock': 'moving.test.ts',
  'docs/guide/moving-from-dockerd.md: cleatd --validate --config-file /etc/docker/daemon.json': 'moving.test.ts',
  'docs/guide/moving-from-dockerd.md: docker -H $OLD save busybox | docker -H $NEW load': 'moving.test.ts',
  'docs/guide/moving-from-dockerd.md: docker -H $NEW volume create data': 'moving.test.ts',
  'docs/guide/moving-from-dockerd.md: systemctl disable --now docker.socket docker.service':
    'needs systemd, and would end the dockerd of this host',
  'docs/guide/policy-in-front-of-dockerd.md: cleat proxy --upstream unix:///var/run/docker.sock -H unix:///run/docker-guarded.sock --authorization-plugin policy':
    'proxy.test.ts, on sockets of its own',
  'docs/guide/policy-in-front-of-dockerd.md: cleat proxy --upstream tcp://build1:2376 --upstream-tlsverify --upstream-tlscacert ca.pem --upstream-tlscert cert.pem \\':
    'proxy.test.ts, with certificates of its own',
  'docs/guide/kinds/network.md: engine -> plugin  NetworkDriver.AllocateNetwork {NetworkID: <net>, Options: {colour: red, io.cleat.network.name: shared}, IPv4Data: […], IPv6Data: []}':
    'global-networks.test.ts holds these calls; dockerd makes none of them, so it cannot act them',
  'docs/guide/kinds/network.md: engine -> plugin  NetworkDriver.CreateEndpoint {NetworkID: <net>, EndpointID: <one>, Interface: {Address: 10.66.0.2/24, …}, Options: {io.cleat.endpoint.names: [one, 4f1c5a8e0d21], …}}':
    'examples/overlay.test.ts and engine/networks/elsewhere hold these calls; dockerd makes none of them',
  'bench/README.md: npm run bench                             # everything, a few minutes':
    'takes minutes, and wants the machine for itself; bench/ has tests of its own',
};

/** The tests of this folder, and those of the examples. */
const tests = [here, join(here, '../examples')].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name !== 'every-block.test.ts' && name.endsWith('.test.ts'))
    .map((name) => join(folder, name)),
);

/** The calls of `shown` in a test: document, and how the block begins. */
function shownIn(file: string): [document: string, first: string][] {
  const code = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const calls = [...code.matchAll(/\bshown\(\s*'([^'\\]+)',\s*'([^'\\]+)',?\s*\)/g)];
  // The search would not see a call that is written in another way.
  expect({ file, calls: code.match(/\bshown\(/g)?.length ?? 0 }).toEqual({ file, calls: calls.length });
  return calls.map(([, document = '', first = '']) => [document, first]);
}

test('every block of every document is run, or a reason says why not', () => {
  const beginnings = tests.flatMap(shownIn).map(([document, first]) => `${document}: ${first}`);
  const run = ({ name, language }: Block) =>
    language === 'json' ||
    // Acted by kind-pages.test.ts, on this engine and on a stock dockerd.
    language === 'sequence' ||
    beginnings.some((beginning) => name.startsWith(beginning));
  const unknown = blocks.filter((block) => !run(block) && !(block.name in notRun)).map(({ name }) => name);
  expect(unknown).toEqual([]);
  const gone = Object.keys(notRun).filter((name) => !blocks.some((block) => block.name === name));
  expect(gone).toEqual([]);
});

test.each(json)('daemon.json is valid: $name', async ({ text }) => {
  expect(JSON.parse(text)).toBeTypeOf('object');
  const directory = mkdtempSync('/tmp/cleat-shown-');
  try {
    const file = join(directory, 'shown.json');
    writeFileSync(file, text);
    expect(await runShell(`cleatd --validate --config-file ${file}`, directory)).toContain('OK');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
