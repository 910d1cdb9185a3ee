import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseConfig } from './file.js';
import { helpText } from './help.js';
import { parseFlags } from './parse.js';
import { byKey, options, withDefaults } from './table.js';

describe('flags', () => {
  test('are read in every notation of pflag', () => {
    const set = parseFlags([
      '-DH',
      'unix:///a',
      '--host=tcp://127.0.0.1:1',
      '-Hfd://',
      '--iptables=false',
      '-l=warn',
      '--add-runtime',
      'Custom=/bin/x',
      '--log-opt',
      'max-size=10m',
      '--default-ulimit=nofile=1024:2048',
      '--default-address-pool=base=10.99.0.0/16,size=24',
      '--default-shm-size=1g',
      '--extension=volume-local=process',
      '--extension=log-json-file=off',
    ]);
    expect(Object.fromEntries(set)).toEqual({
      debug: true,
      host: ['unix:///a', 'tcp://127.0.0.1:1', 'fd://'],
      iptables: false,
      'log-level': 'warn',
      'add-runtime': { custom: { path: '/bin/x' } },
      'log-opt': { 'max-size': '10m' },
      'default-ulimit': { nofile: { Name: 'nofile', Soft: 1024, Hard: 2048 } },
      'default-address-pool': [{ base: '10.99.0.0/16', size: 24 }],
      'default-shm-size': 1024 ** 3,
      extension: {
        'volume-local': { enabled: true, carrier: 'process' },
        'log-json-file': { enabled: false },
      },
    });
  });

  test('a boolean does not swallow the next word', () => {
    expect(() => parseFlags(['--iptables', 'false'])).toThrow('accepts no arguments');
  });

  test.each([
    [['--data-rot', '/x'], 'unknown flag: --data-rot (did you mean --data-root?)'],
    [['--hosts=x'], 'unknown flag: --hosts (did you mean --host?)'],
    [['--features=x'], 'unknown flag: --features'],
    [['-X'], "unknown shorthand flag: 'X' in -X"],
    [['--data-root'], 'flag needs an argument: --data-root'],
    [['--mtu=big'], 'invalid argument "big" for "--mtu" flag'],
    [['--icc=perhaps'], 'strconv.ParseBool'],
    [['--extension=volume-local=remote'], 'in-process, process or off'],
    [['--default-ulimit=nofile=2:1'], 'ulimit soft limit must be less than or equal to hard limit: 2 > 1'],
  ])('%s is refused', (argv, message) => {
    expect(() => parseFlags(argv)).toThrow(message);
  });
});

describe('daemon.json', () => {
  const none = new Map<string, unknown>();

  test('holds the same options under the names of dockerd', () => {
    const { set } = parseConfig(
      JSON.stringify({
        hosts: ['unix:///a'],
        labels: ['a=b'],
        runtimes: { custom: { path: '/bin/x', runtimeArgs: ['--debug'] } },
        'default-ulimits': { nofile: { Name: 'nofile', Hard: 2, Soft: 1 } },
        'host-gateway-ip': '10.0.0.1',
        'live-restore': true,
        features: { 'containerd-snapshotter': true },
        extensions: { 'volume-local': { carrier: 'process', options: { root: '/x' } } },
      }),
      none,
    );
    expect(withDefaults(set)).toMatchObject({
      host: ['unix:///a'],
      label: ['a=b'],
      'add-runtime': { custom: { path: '/bin/x', runtimeArgs: ['--debug'] } },
      'host-gateway-ip': ['10.0.0.1'],
      'live-restore': true,
      'log-driver': 'json-file',
      extension: { 'volume-local': { carrier: 'process', options: { root: '/x' } } },
    });
  });

  test('an empty file and a byte order mark do no harm', () => {
    expect(parseConfig('\uFEFF \n', none).set.size).toBe(0);
    expect(parseConfig('\uFEFF{"debug":true}', none).set.get('debug')).toBe(true);
    expect(parseConfig('{"debug":null,"hosts":null}', parseFlags(['-D'])).set.size).toBe(0);
    expect(() => parseConfig('{"runtimes":{"x":{"path":""}}}', none)).toThrow('expected an object with a path');
  });

  test('the same option in flag and file is refused in the text of dockerd', () => {
    expect(() => parseConfig('{"labels":["a=b"],"debug":true}', parseFlags(['--label=c=d', '-D=false']))).toThrow(
      'the following directives are specified both as a flag and in the configuration file: labels: (from flag: [c=d], from file: [a=b]), debug: (from flag: false, from file: true)',
    );
  });

  test('runtimes of both are merged, the command line first', () => {
    const flags = parseFlags(['--add-runtime=a=/flag']);
    expect(parseConfig('{"runtimes":{"a":{"path":"/file"},"b":{"path":"/b"}}}', flags).set.get('add-runtime')).toEqual({
      a: { path: '/flag' },
      b: { path: '/b' },
    });
  });

  test.each([
    ['{', 'invalid JSON'],
    ['[]', 'an object is expected'],
    ['{"colour":1,"shade":2}', "the following directives don't match any configuration option: colour, shade"],
    ['{"debug":"yes"}', 'debug: expected a boolean, found "yes"'],
    ['{"host-gateway-ip":"1.1.1.1","host-gateway-ips":["1.1.1.1"]}', 'must not both be specified'],
    ['{"config-file":"/x"}', "don't match any configuration option: config-file"],
  ])('%s is refused', (text, message) => {
    expect(() => parseConfig(text, none)).toThrow(message);
  });
});

test('flags, letters and keys are unique', () => {
  const flags = options.map(({ flag }) => flag);
  expect(new Set(flags).size).toBe(flags.length);
  const letters = options.flatMap(({ short }) => short ?? []);
  expect(new Set(letters).size).toBe(letters.length);
  expect(byKey.size).toBe(
    options.filter(({ key }) => key !== null).length + options.flatMap((o) => o.oldKeys ?? []).length,
  );
});

test('help shows every flag and stays within its width', () => {
  const text = helpText(100);
  for (const { flag, type } of options) if (type !== 'json') expect(text).toContain(`--${flag}`);
  expect(text.split('\n').filter((line) => line.length > 120)).toEqual([]);
});

test('the daemon.json of the guide to extensions is understood', () => {
  const guide = readFileSync(new URL('../../../docs/guide/extensions.md', import.meta.url), 'utf8');
  const examples = [...guide.matchAll(/```json\n(.*?)```/gs)].map(([, text = '']) => parseConfig(text, new Map()).set);
  expect(examples.map((set) => set.get('extension'))).toMatchObject([
    { 'volume-local': { carrier: 'process' }, 'log-json-file': { enabled: false } },
    { 'slow-storage': { deadlines: { Mount: 600_000, '*': 30_000 } } },
  ]);
});

test('the help fits a narrow terminal, in lines that can be read', () => {
  for (const width of [100, 80, 50]) {
    const lines = helpText(width).split('\n');
    // An option's own name and type stay on one line.
    expect(lines.filter((line) => line.length > width && !line.startsWith('      --'))).toEqual([]);
    expect(lines.length).toBeLessThan(600);
  }
});

test('every option is read, or says why it has no effect', () => {
  const folder = new URL('../', import.meta.url);
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /(?<!\.test)\.ts$/.test(file) && !file.startsWith('options/'))
    .map((file) => readFileSync(new URL(file, folder), 'utf8'))
    .join('');
  const isRead = (flag: string) =>
    new RegExp(`'${flag}'|\\bvalues\\.${flag}\\b|\\{[^}]*\\b${flag}\\b[^}]*\\} = values`).test(sources);
  const unread = options.filter(({ flag, ignored }) => ignored === undefined && !isRead(flag));
  expect(unread.map(({ flag }) => flag)).toEqual([]);
  expect(isRead('no-such-option')).toBe(false);
});
