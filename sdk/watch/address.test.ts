import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addressOf } from './address.js';

test.each([
  ['unix:///run/x.sock', {}, { socketPath: '/run/x.sock' }],
  ['tcp://host:99', {}, { host: 'host', port: 99 }],
  ['tcp://host', {}, { host: 'host', port: 2375 }],
  ['tcp://[::1]:99/', {}, { host: '::1', port: 99 }],
  ['http://host', { DOCKER_TLS_VERIFY: '1' }, { host: 'host', port: 2375 }],
  ['https://host', {}, { host: 'host', port: 2376 }],
  [undefined, { DOCKER_HOST: 'tcp://host:99' }, { host: 'host', port: 99 }],
  [undefined, { DOCKER_HOST: '' }, { socketPath: '/var/run/docker.sock' }],
])('%s with %o leads to %o', (text, env, where) => {
  expect(addressOf(text, undefined, env).where).toEqual(where);
});

test.each(['', 'x', 'unix://', 'ftp://host', 'tcp://host:1:2', 'tcp://ho/st', 'fd://', 'ssh://host'])(
  "'%s' is no address",
  (text) => {
    expect(() => addressOf(text, undefined, { DOCKER_HOST: 'nowhere' })).toThrow('is no engine');
  },
);

test('certificates come from where Docker’s clients look', () => {
  const directory = mkdtempSync('/tmp/cleat-certificates-');
  try {
    writeFileSync(join(directory, 'ca.pem'), 'the CA');
    const verifying = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: directory };
    const tls = { ca: 'the CA', cert: undefined, key: undefined };
    expect(addressOf('tcp://host', undefined, verifying)).toMatchObject({
      where: { port: 2376 },
      tls: { ...tls, rejectUnauthorized: true },
    });
    const trusting = { DOCKER_CERT_PATH: directory };
    expect(addressOf('tcp://host', undefined, trusting).tls).toEqual({ ...tls, rejectUnauthorized: false });
    expect(addressOf('unix:///s', undefined, verifying).tls).toBeUndefined();
    expect(addressOf('tcp://host', { ca: 'mine' }, verifying).tls).toEqual({ ca: 'mine' });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
