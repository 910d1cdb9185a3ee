import { expect, test } from 'vitest';
import { interlockText, readInterlockFile } from './interlock-file.js';
import { listenFlags } from './listen-flags.js';
import { options, settingsOf } from './settings.js';

const example = `
ListenAddr = ":8080"
DockerURL = "unix:///var/run/docker.sock"
TLSCACert = ""
TLSCert = ""
TLSKey = ""
AllowInsecure = false
EnableMetrics = true
PollInterval = "10s"

[[Extensions]]
  Name = "nginx"
  ConfigPath = "/etc/nginx/nginx.conf"
  PidPath = "/var/run/nginx.pid"
  TemplatePath = ""
  BackendOverrideAddress = "172.17.0.1"
  MaxConn = 1024
  Port = 8000
  SSLCertPath = "/etc/certificates"
  SSLPort = 0
  User = "www-data"
  WorkerProcesses = 3
  ProxyConnectTimeout = 2
  ProxyReadTimeout = 30
  NginxPlusEnabled = false
`;

const defaults = { directory: '/run/b', 'at-end': 'stop' } as Parameters<typeof settingsOf>[0];

test('the file of its documentation', () => {
  const file = readInterlockFile(example, undefined);
  expect(file).toMatchObject({ listenAddress: '0.0.0.0:8080', relistMs: 10_000, balancer: 'nginx' });
  expect(file.notices).toEqual([
    'AllowInsecure in the file does nothing here: TLS of the engine is as the certificates say',
    'EnableMetrics in the file does nothing here: figures are always there',
    'ConfigPath in the file does nothing here: the configuration is in --directory',
    'PidPath in the file does nothing here: the balancer knows the process that it started',
  ]);
  expect(settingsOf(defaults, file, true)).toMatchObject({
    balancer: 'nginx',
    engine: 'unix:///var/run/docker.sock',
    certificates: '/etc/certificates',
    backendAddress: '172.17.0.1',
    workers: 3,
    listening: {
      port: 8_000,
      tlsPort: undefined,
      connectMs: 2_000,
      serverMs: 30_000,
      maxConnections: 1_024,
      user: 'www-data',
    },
  });
});

test('HAProxy’s timeouts are in milliseconds, and options win', () => {
  const file = readInterlockFile(
    '[[Extensions]]\nName = "haproxy"\nConnectTimeout = 5000\nSSLCert = "/c/x.pem"\nSSLPort = 443\n',
    'haproxy',
  );
  const settings = settingsOf({ ...defaults, 'server-timeout': '70', port: '81' }, file, false);
  expect(settings).toMatchObject({
    certificates: '/c',
    certificate: '/c/x.pem',
    listening: { connectMs: 5_000, serverMs: 70, port: 81, tlsPort: 443, user: undefined },
  });
});

test.each([
  ['x = ', 'the configuration is no TOML'],
  ['PollInterval = "1s"', 'it takes 2s or more'],
  ['[[Extensions]]\nName = "nginx"\n[[Extensions]]\nName = "haproxy"', 'say which with --balancer'],
  ['[[Extensions]]\nName = "nginx"\nTemplatePath = "/x"', 'TemplatePath in the file: templates are of another program'],
  ['[[Extensions]]\nName = "nginx"\nNginxPlusEnabled = true', 'it is the free nginx'],
  ['[[Extensions]]\nName = "nginx"\nPort = "80"', 'Port in the file must be a number'],
  ['[[Extensions]]\nName = "nginx"\nUser = "a; b"', 'User in the file must be a name'],
])('%s is refused', (text, message) => {
  expect(() => readInterlockFile(text, undefined)).toThrow(message);
});

test.each([
  [{ balancer: 'traefik' }, 'say --balancer nginx or --balancer haproxy'],
  [{ port: '443', 'tls-port': '443' }, 'HTTP and TLS cannot both have port 443'],
  [{ port: '0' }, '--port takes a number'],
  [{ address: 'localhost' }, '--address takes an IP address'],
  [{ directory: '/run/a b' }, 'is not an absolute path'],
  [{ 'at-end': 'maybe' }, '--at-end is stop or leave'],
  [{ 'backend-address': 'host' }, 'must be an IP address'],
])('%o is refused', (given, message) => {
  expect(() => settingsOf({ ...defaults, balancer: 'nginx', ...given }, { listening: {}, notices: [] }, true)).toThrow(
    message,
  );
});

test('INTERLOCK_CONFIG has the text; a file wins', () => {
  expect(interlockText(undefined, { INTERLOCK_CONFIG: 'a' })).toBe('a');
  expect(() => interlockText('/nowhere.toml', {})).toThrow('nowhere.toml cannot be read');
  expect(Object.keys(options)).toContain('config');
});

test('where figures are served comes from the file, unless a flag says it', () => {
  const env = { INTERLOCK_CONFIG: example };
  expect(listenFlags([], env)).toEqual(['--tcp', '0.0.0.0:8080']);
  expect(listenFlags(['--balancer', 'nginx'], env)).toEqual(['--tcp', '0.0.0.0:8080']);
  expect(listenFlags(['--tcp=127.0.0.1:1'], env)).toEqual([]);
  expect(listenFlags(['--socket', '/x'], env)).toEqual([]);
  expect(listenFlags([], {})).toEqual([]);
  expect(listenFlags(['--config', '/nowhere'], {})).toEqual([]);
});
