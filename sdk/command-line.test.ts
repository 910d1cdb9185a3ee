import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { activatedSocket } from './activation.js';
import { readCommandLine, usage } from './command-line.js';
import { calledAt, placeOf } from './place.js';

let directory: string;
const file = (name: string) => join(directory, name);
beforeAll(() => {
  directory = mkdtempSync('/tmp/cleat-command-');
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  for (const name of ['ca', 'self']) {
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
  }
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=server');
  const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', ...by);
});
afterAll(() => rmSync(directory, { recursive: true }));

const declared = { root: { default: '/srv/x', help: 'where data goes' }, token: { required: true } } as const;
const read = (...args: string[]) => readCommandLine(args, declared);

test('flags of run and options of the extension are told apart, in both ways of writing', () => {
  expect(read('--root', '/a', '--socket=/s', '--debug', '--token=a=b', '-h')).toEqual({
    flags: { socket: '/s', debug: '', help: '' },
    options: { root: '/a', token: 'a=b' },
  });
  expect(readCommandLine(['--anything', 'x'], undefined).options).toEqual({ anything: 'x' });
});

test.each([
  [['--rot', 'x'], 'unknown option --rot: there are --root, --token, --socket, '],
  [['--root'], '--root needs a value'],
  [['--debug=yes'], '--debug takes no value'],
  [['root'], "expected --NAME VALUE, not 'root'"],
])('%j is refused', (args, message) => {
  expect(() => read(...args)).toThrow(message);
});

test('usage tells of the extension’s own options', () => {
  const text = usage('mine', declared);
  expect(text).toMatch(/^ {2}--root VALUE {11}where data goes; default: \/srv\/x$/m);
  expect(text).toMatch(/^ {2}--token VALUE {10}required$/m);
  expect(text).toContain('default: /run/docker/plugins/mine.sock');
  expect(usage('mine', undefined)).toContain('Every other --NAME VALUE');
});

const place = (args: Record<string, string>) => placeOf('mine', args);
const pem = (cert: string) => ({ tcp: ':0', 'tls-cert': file(`${cert}.pem`), 'tls-key': file(`${cert}.key`) });

test('the place: a socket by default, TCP, TLS, and what engines are told of it', () => {
  expect(place({})).toEqual({ socket: '/run/docker/plugins/mine.sock' });
  expect(place({ tcp: '[::1]:7', spec: '/e/mine.spec' }).tcp).toMatchObject({ host: '::1', port: 7 });
  expect(place({ ...pem('self'), spec: '/e/x.json' }).tcp?.specTls).toEqual({ caFile: file('self.pem') });
  const asking = { ...pem('server'), 'tls-ca': file('ca.pem'), 'spec-cert': '/c.pem', 'spec-key': '/k.pem' };
  expect(place({ ...asking, spec: '/e/x.json' }).tcp?.specTls).toEqual({
    caFile: file('ca.pem'),
    certFile: '/c.pem',
    keyFile: '/k.pem',
  });
});

test.each<[Record<string, string> | (() => Record<string, string>), string]>([
  [{ socket: '/s', tcp: ':1' }, 'give either --socket or --tcp'],
  [{ tcp: 'here' }, "--tcp takes HOST:PORT, not 'here'"],
  [{ tcp: ':70000' }, "--tcp takes HOST:PORT, not ':70000'"],
  [{ spec: '/x.spec' }, '--spec makes no sense without --tcp'],
  [{ 'tls-cert': '/c', 'tls-key': '/k' }, '--tls-cert makes no sense without --tcp'],
  [{ tcp: ':1', 'tls-cert': '/c' }, '--tls-cert makes no sense without --tls-key'],
  [{ tcp: ':1', 'tls-ca': '/c' }, '--tls-ca makes no sense without --tls-cert'],
  [
    { tcp: ':1', 'tls-cert': '/none', 'tls-key': '/none' },
    '--tls-cert cannot be read: open /none: no such file or directory',
  ],
  [
    () => ({ ...pem('ca'), 'tls-key': file('server.csr').replace('server.csr', 'ca.srl') }),
    '--tls-key: there is no PEM',
  ],
  [() => ({ ...pem('server'), 'tls-key': file('self.key') }), 'TLS cannot be spoken with '],
  [() => ({ ...pem('server'), spec: '/x.json' }), 'say by --spec-ca which CA has signed the certificate'],
  [() => ({ ...pem('server'), spec: '/x.spec', 'spec-ca': '/ca' }), 'with --spec-ca, --spec must end in .json'],
  [() => ({ ...pem('self'), spec: '/x.json', 'tls-ca': file('ca.pem') }), 'engines must show a certificate'],
])('%# is refused: %s', (given, message) => {
  expect(() => place(typeof given === 'function' ? given() : given)).toThrow(
    expect.objectContaining({ class: 'InvalidParameter', message: expect.stringContaining(message) }),
  );
});

test('a passed socket is taken only by the process that it is meant for, and no child is told of it', () => {
  const mine = { LISTEN_PID: String(process.pid), LISTEN_FDS: '1', LISTEN_FDNAMES: 'x', PATH: '/bin' };
  expect(activatedSocket(mine)).toBe(3);
  expect(mine).toEqual({ PATH: '/bin' });
  expect(activatedSocket({ LISTEN_PID: '1', LISTEN_FDS: '1' })).toBeUndefined();
  expect(activatedSocket({})).toBeUndefined();
  expect(() => activatedSocket({ LISTEN_PID: String(process.pid), LISTEN_FDS: '2' })).toThrow('pass one');
});

test('a plugin is called as its socket or its file is, as engines call it', () => {
  expect(calledAt('overlay', {})).toBe('overlay');
  expect(calledAt('overlay', { socket: '/run/docker/plugins/span.sock' })).toBe('span');
  expect(calledAt('overlay', { socket: './a.b.sock' })).toBe('a.b');
  expect(calledAt('overlay', { socket: '/tmp/socket' })).toBe('overlay');
  expect(calledAt('overlay', { socket: '/tmp/.sock' })).toBe('overlay');
  expect(calledAt('overlay', { tcp: ':0', spec: '/etc/docker/plugins/far.json' })).toBe('far');
  expect(calledAt('overlay', { tcp: ':0', spec: '/etc/docker/plugins/far.spec' })).toBe('far');
});
