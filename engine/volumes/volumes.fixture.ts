/** Volumes of an engine's room, and plugins as others write them, for tests. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Extensions, openExtensions } from '@cleat/extensions/index';
import { anyVariables } from '@cleat/extensions/variables.fixture';
import { invalidParameter, notFound } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach } from 'vitest';
import type { Events, NewEvent } from '../events/service.js';
import { openOutbox } from '../outbox/index.js';
import type { Outbox } from '../outbox/service.js';
import { openStore, type Store } from '../store/index.js';
import { openVolumes, type VolumeHost, type Volumes, type VolumeUse } from './index.js';

export let directory: string;
export let store: Store;
let extensions: Extensions;
export let volumes: Volumes & VolumeHost;
export let outbox: Outbox;
export let published: NewEvent[];
export let users: Record<string, string[]>;
export const cleanups: (() => unknown)[] = [];

/** For the tests of a file: each has a room of its own. */
export function roomForTests(): void {
  beforeEach(() => {
    directory = mkdtempSync('/tmp/cleat-vol-');
    for (const name of ['store', 'plugins']) mkdirSync(join(directory, name));
    store = openStore(join(directory, 'store'));
    const manifest = fileURLToPath(new URL('../../batteries/manifest.yaml', import.meta.url));
    extensions = openExtensions({
      manifestPaths: [manifest],
      overrides: {},
      variables: { ...anyVariables(manifest), containerRoot: '0:0' },
      pluginDirectories: [join(directory, 'plugins')],
      dataRoot: directory,
      execRoot: directory,
      hostPath: '',
      log: silentLogger,
    });
    published = [];
    users = {};
    openRoom();
  });

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    outbox.close();
    await extensions.close();
    await store.close();
    rmSync(directory, { recursive: true });
  });
}

/** As an engine does that starts; what was there before is as after a kill. */
export function openRoom(): void {
  outbox = openOutbox({ store, extensions, log: silentLogger });
  outbox.start();
  volumes = openVolumes({
    config: { defaultVolumeDriver: 'local', dataRoot: directory, execRoot: directory },
    log: silentLogger,
    store,
    events: {
      publish: (event: NewEvent) => published.push(event),
      together: (work: () => unknown) => work(),
    } as unknown as Events,
    extensions,
    outbox,
    helper: { call: fakeHelper as never },
    references: (name) => users[name] ?? [],
  });
}

/** Every path is there and leads to itself, but for those that say otherwise; each is 7 bytes large. */
async function fakeHelper(operation: string, { path }: { path: string }) {
  if (operation === 'diskUsage') return { bytes: 7 };
  if (path === '/missing') throw notFound('no such file or directory');
  if (path === '/socket') throw invalidParameter('not a directory');
  return { real: path.replace('/sly', directory).replace(/^\/link\/?/, '/') };
}

export type Answers = Record<string, unknown>;

/** A plugin that answers each method with a fixed value; `hang` never does, an Error is a 500. */
export async function plugin(name: string, answers: Answers): Promise<string[]> {
  const calls: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const method = (request.url ?? '').replace('/VolumeDriver.', '');
      if (method === '/Plugin.Activate') return response.end('{"Implements":["VolumeDriver"]}');
      calls.push(`${method} ${body}`);
      const answer = answers[method];
      if (answer === 'hang') return;
      if (answer instanceof Error) response.statusCode = 500;
      response.end(JSON.stringify(answer instanceof Error ? { Err: answer.message } : (answer ?? {})));
    });
  });
  await new Promise<void>((resolve) => server.listen(join(directory, 'plugins', `${name}.sock`), resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return calls;
}

export const use = (mountId: string): VolumeUse => ({
  containerId: 'c1',
  mountId,
  destination: '/data',
  readOnly: false,
  propagation: '',
  holdAt: '/held',
  context: () => ({
    Container: { ID: 'c1', Name: 'web', Labels: { a: 'b' }, User: 'www', UID: 33, GID: 33 },
    Options: { as: '1000' },
  }),
});

export const named = (list: { Volumes: { Name: string }[] }) => list.Volumes.map(({ Name }) => Name);
