import { readdirSync, readFileSync } from 'node:fs';
import { callResults, type ExtensionStatus, extensionHealths, extensionStates } from '@cleat/extensions/status';
import { metricComplaint } from '@cleat/protocol/metric-name';
import { expect, test } from 'vitest';
import { parseMetricsAddress } from './address.js';
import { Metrics } from './metrics.js';
import type { MetricsSources } from './sources.js';

const volumes: ExtensionStatus = {
  name: 'local',
  entry: 'volume-local',
  kinds: ['VolumeDriver'],
  carrier: 'process',
  origin: '/manifest',
  state: 'active',
  reason: '',
  since: new Date(1_000),
  health: 'healthy',
  lastError: { method: 'VolumeDriver.Mount', result: 'timeout', message: 'late', at: new Date(2_000) },
  deadlines: {},
  underWay: 1,
  retries: 4,
  process: { pid: 1, since: new Date(), restarts: 2, lastEnd: 'exit code 1' },
  methods: [
    {
      method: 'VolumeDriver.Mount',
      results: { ok: 3, error: 0, timeout: 1, unreachable: 0, blocked: 0, cancelled: 0 },
      latency: { count: 4, sumMs: 1250, maxMs: 1200, atMostMs: { '1': 0, '100': 3, '3000': 4, '+Inf': 4 } },
    },
  ],
};

class Extensions {
  readonly #all: readonly ExtensionStatus[];
  constructor(all: readonly ExtensionStatus[]) {
    this.#all = all;
  }
  list(): ExtensionStatus[] {
    return [...this.#all];
  }
}

function sources(extensions: readonly ExtensionStatus[]): MetricsSources {
  const engine = {
    system: { info: async () => ({ ServerVersion: '1.2', NCPU: 4, MemTotal: 1024, OSType: 'linux' }) },
    containers: {
      counts: () => ({ total: 6, running: 3, paused: 1, stopped: 2 }),
      start: async () => {},
      remove: async () => {
        throw new Error('in use');
      },
    },
    health: { counts: () => ({ total: 7, failed: 5 }) },
    spool: {
      deliveries: () => [
        {
          driver: 'lake',
          dropped: { lines: 12, bytes: 345 },
          containers: [{ id: 'c', behind: 6, dropped: { lines: 1, bytes: 2 }, reason: '' }],
        },
      ],
    },
    events: { stats: () => ({ count: 100, published: 11, subscribers: 2 }) },
  };
  return { engine: engine as unknown as MetricsSources['engine'], extensions: new Extensions(extensions) };
}

test('the engine’s counts have dockerd’s names; each reading is of that moment', async () => {
  const metrics = new Metrics(sources([]));
  for (let reading = 0; reading < 2; reading++) {
    const lines = (await metrics.text()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'engine_daemon_container_states_containers{state="running"} 3',
        'cleat_log_dropped_lines_total{driver="lake"} 12',
        'cleat_log_dropped_bytes_total{driver="lake"} 345',
        'cleat_log_behind_bytes{driver="lake"} 6',
        'engine_daemon_container_states_containers{state="paused"} 1',
        'engine_daemon_container_states_containers{state="stopped"} 2',
        'engine_daemon_engine_cpus_cpus 4',
        'engine_daemon_engine_memory_bytes 1024',
        'engine_daemon_events_total 11',
        'engine_daemon_events_subscribers_total 2',
        'engine_daemon_health_checks_total 7',
        'engine_daemon_health_checks_failed_total 5',
        'engine_daemon_container_actions_seconds_count{action="start"} 0',
      ]),
    );
    expect(lines.find((line) => line.startsWith('engine_daemon_engine_info{'))).toMatch(
      /version="1.2".*os_type="linux"/,
    );
  }
});

test('actions that succeed are timed', async () => {
  const metrics = new Metrics(sources([]));
  await metrics.containers.start('before anybody wanted to know');
  await metrics.text();
  await metrics.containers.start('c');
  await expect(metrics.containers.remove('c', { force: false, volumes: false, link: false })).rejects.toThrow('in use');
  const text = await metrics.text();
  expect(text).toContain('engine_daemon_container_actions_seconds_count{action="start"} 1\n');
  expect(text).toContain('engine_daemon_container_actions_seconds_count{action="delete"} 0\n');
});

test('each extension has a state, a health, calls by result and a histogram', async () => {
  const namesake: ExtensionStatus = { ...volumes, name: 'volume-local', entry: undefined, process: undefined };
  const metrics = new Metrics(sources([volumes, namesake]));
  await metrics.text();
  const lines = (await metrics.text()).split('\n');
  const mount = 'extension="volume-local",kind="VolumeDriver",method="Mount"';
  expect(lines).toEqual(
    expect.arrayContaining([
      'cleat_extension_state{extension="volume-local",carrier="process",state="active"} 1',
      'cleat_extension_state{extension="volume-local",carrier="process",state="unreachable"} 0',
      'cleat_extension_health{extension="volume-local",health="healthy"} 1',
      'cleat_extension_since_timestamp_seconds{extension="volume-local"} 1',
      'cleat_extension_last_error_timestamp_seconds{extension="volume-local"} 2',
      'cleat_extension_calls_under_way{extension="volume-local"} 1',
      'cleat_extension_retries_total{extension="volume-local"} 4',
      'cleat_extension_restarts_total{extension="volume-local"} 2',
      `cleat_extension_calls_total{${mount},result="ok"} 3`,
      `cleat_extension_calls_total{${mount},result="timeout"} 1`,
      '# TYPE cleat_extension_call_duration_seconds histogram',
      `cleat_extension_call_duration_seconds_bucket{${mount},le="0.1"} 3`,
      `cleat_extension_call_duration_seconds_bucket{${mount},le="+Inf"} 4`,
      `cleat_extension_call_duration_seconds_sum{${mount}} 1.25`,
      `cleat_extension_call_duration_seconds_count{${mount}} 4`,
    ]),
  );
  const series = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.replace(/ \S+$/, ''));
  expect(new Set(series).size, 'no series twice').toBe(series.length);
});

test('they are served at /metrics, and nothing else is', async () => {
  const metrics = new Metrics(sources([]));
  try {
    const address = await metrics.listen(parseMetricsAddress('127.0.0.1:0'));
    const answer = await fetch(`http://${address}/metrics`);
    expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(await answer.text()).toContain('engine_daemon_events_total 11');
    expect((await fetch(`http://${address}/`)).status).toBe(404);
    expect((await fetch(`http://${address}/metrics`, { method: 'POST' })).status).toBe(405);
    await expect(metrics.listen(parseMetricsAddress(address))).rejects.toMatchObject({ class: 'Unavailable' });
  } finally {
    await metrics.close();
  }
});

test.each([
  ['127.0.0.1:9323', { host: '127.0.0.1', port: 9323 }],
  [':9323', { host: undefined, port: 9323 }],
  ['[::1]:9323', { host: '::1', port: 9323 }],
  ['tcp://localhost:1', { host: 'localhost', port: 1 }],
])('--metrics-addr %s', (text, address) => {
  expect(parseMetricsAddress(text)).toEqual(address);
});

test.each(['127.0.0.1', '9323', 'host:99999', '::1:9323', 'http://a:1/x'])('--metrics-addr %s is refused', (text) => {
  expect(() => parseMetricsAddress(text)).toThrow(`invalid metrics-addr '${text}'`);
});

/** Metrics of dockerd, under the names that its dashboards know, against the rules of Prometheus. */
const ofDockerd = [
  'engine_daemon_container_actions_seconds',
  'engine_daemon_container_states_containers',
  'engine_daemon_engine_cpus_cpus',
  'engine_daemon_engine_info',
  'engine_daemon_engine_memory_bytes',
  'engine_daemon_events_subscribers_total',
  'engine_daemon_events_total',
  'engine_daemon_health_checks_failed_total',
  'engine_daemon_health_checks_total',
];

test('every metric that is not dockerd’s has a name as Prometheus asks, and is explained in a guide', async () => {
  const page = await new Metrics(sources([volumes])).text();
  const types = new Map([...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]));
  const helps = new Map([...page.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = '', help = '']) => [name, help]));
  const names = [...types.keys()].filter((name) => !/^(process|nodejs)_/.test(name));
  expect(names.filter((name) => name.startsWith('engine_daemon_')).sort()).toEqual(ofDockerd);
  const own = names.filter((name) => !ofDockerd.includes(name));
  expect(own.length).toBeGreaterThan(10);
  const guide = new URL('../../../docs/guide/', import.meta.url);
  const pages = readdirSync(guide).filter((page) => page.endsWith('.md'));
  const explained = pages.map((page) => readFileSync(new URL(page, guide), 'utf8')).join('');
  expect(own.filter((name) => !explained.includes(`\`${name}\``))).toEqual([]);
  const complaints = own.map((name) =>
    metricComplaint({ name, type: types.get(name) ?? '', help: helps.get(name) ?? '' }, 'cleat'),
  );
  expect(complaints.filter(Boolean)).toEqual([]);
});

test('the guide explains each state, health and result', () => {
  const guide = readFileSync(new URL('../../../docs/guide/watching-extensions.md', import.meta.url), 'utf8');
  const rows = [...guide.matchAll(/^\| `(\w+)` \|/gm)].map(([, word = '']) => word);
  const words = [...extensionStates, ...extensionHealths, ...callResults];
  expect(rows.filter((word) => !word.startsWith('cleat_'))).toEqual(words);
});
