import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { expect, test } from 'vitest';
import { byKey, options } from './options/table.js';
import { type LiveConfig, reload } from './reload.js';
import { settingsOf } from './settings.js';

test('SIGHUP applies what the table marks, says so by the keys of the file, and leaves the rest', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-reload-'));
  const path = join(directory, 'daemon.json');
  const file = {
    audit: true,
    'audit-opts': { 'max-file': '3' },
    'authorization-plugins': ['guard'],
    'builder-driver': 'mason',
    debug: true,
    hooks: join(directory, 'hooks.yaml'),
    'default-runtime': 'mine',
    'events-max-age': '36h',
    'events-max-size': '1m',
    'insecure-registries': ['registry.test:5000'],
    labels: ['tier=gold'],
    'live-restore': true,
    'log-level': 'warn',
    'max-concurrent-downloads': 7,
    'plugin-trust': [{ name: '*', unsigned: true }],
    'registry-mirrors': ['https://mirror.test'],
    runtimes: { mine: { path: '/usr/bin/mine' } },
    'shutdown-timeout': 3,
  };
  // An option that is marked is in this test.
  const marked = options.flatMap(({ flag, reload }) => (reload === undefined ? [] : [flag]));
  expect(Object.keys(file).map((key) => byKey.get(key)?.flag)).toEqual(expect.arrayContaining(marked));
  expect(marked).toHaveLength(Object.keys(file).length);
  try {
    writeFileSync(file.hooks, 'hooks: [{name: owner}]');
    writeFileSync(path, JSON.stringify({ ...file, dns: ['192.0.2.1'], extensions: { 'volume-local': 'off' } }));
    const config: LiveConfig = { ...settingsOf(new Map()).engine, engineId: 'id' };
    const before = { ...config };
    const published: unknown[] = [];
    const levels: string[] = [];
    const wanted: unknown[] = [];
    await reload(new Map([['config-file', path]]), config, {
      log: { logger: silentLogger, setLevel: (level: string) => void levels.push(level) } as never,
      events: { publish: (event: unknown) => void published.push(event) } as never,
      extensions: {
        reconfigure: async (overrides) => {
          wanted.push(overrides);
          return ['volume-local was stopped'];
        },
      },
    });
    expect(wanted).toEqual([{ 'volume-local': { enabled: false } }]);
    expect(config).toEqual({
      ...before,
      audit: { maxBytes: 8 << 20, maxFiles: 3, maxAgeMs: 720 * 3_600_000 },
      authorizationPlugins: ['guard'],
      defaultBuilder: 'mason',
      debug: true,
      defaultRuntime: 'mine',
      eventsMaxAgeMs: 129_600_000,
      eventsMaxBytes: 1_048_576,
      hooks: {
        path: file.hooks,
        entries: [{ name: 'owner', match: undefined, deadlineMs: 5000, onFailure: 'closed', wins: [] }],
      },
      insecureRegistries: ['registry.test:5000'],
      labels: ['tier=gold'],
      liveRestore: true,
      maxConcurrentDownloads: 7,
      pluginTrust: [{ name: '*', unsigned: true, keys: [] }],
      registryMirrors: ['https://mirror.test'],
      runtimes: expect.objectContaining({ mine: { path: '/usr/bin/mine' } }),
      shutdownTimeout: 3,
    });
    expect(levels).toEqual(['debug']);
    expect(published).toEqual([
      {
        type: 'daemon',
        action: 'reload',
        id: 'id',
        attributes: {
          audit: '{"maxBytes":8388608,"maxFiles":3,"maxAgeMs":2592000000}',
          'authorization-plugins': '["guard"]',
          'builder-driver': 'mason',
          debug: 'true',
          'default-runtime': 'mine',
          'events-max-age': '129600000',
          'events-max-size': '1048576',
          hooks: file.hooks,
          'insecure-registries': '["registry.test:5000"]',
          labels: '["tier=gold"]',
          'live-restore': 'true',
          'max-concurrent-downloads': '7',
          name: config.name,
          'plugin-trust': '[{"name":"*","unsigned":true,"keys":[]}]',
          'registry-mirrors': '["https://mirror.test"]',
          runtimes: expect.stringMatching(/(^|, )mine:\{\/usr\/bin\/mine\}($|, )/),
          'shutdown-timeout': '3',
        },
      },
    ]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
