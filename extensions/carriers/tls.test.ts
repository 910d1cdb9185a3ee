import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createPlainServer, type RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { silentLogger } from '@cleat/protocol/log';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Extensions, openExtensions } from '../index.js';

/**
 * The CAs that a plugin's description makes us trust. Each case was put to Docker's daemon 20.10 as well; it does the same,
 * except for the one that says otherwise.
 */

let directory: string;
let extensions: Extensions;
const ports: Record<string, number> = {};
const closers: (() => void)[] = [];
const file = (name: string): string => join(directory, name);

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-tls-');
  certificate('ca', '');
  certificate('named', 'DNS:localhost');
  certificate('elsewhere', 'DNS:elsewhere.example');
  certificate('numbered', 'IP:127.0.0.1,IP:::1');
  writeFileSync(file('garbage.pem'), 'no certificate');
  const listener: RequestListener = (request, response) => {
    request.resume();
    const { authorized, servername } = request.socket as Partial<TLSSocket>;
    const Mountpoint = `${authorized ? 'known' : 'unknown'} ${servername || 'no name'}`;
    response.end(
      JSON.stringify(request.url === '/Plugin.Activate' ? { Implements: ['VolumeDriver'] } : { Mountpoint }),
    );
  };
  const identity = (name: string) => ({
    key: readFileSync(file(`${name}.key`)),
    cert: readFileSync(file(`${name}.pem`)),
  });
  const secure = (name: string): Server =>
    createServer(
      { ...identity(name), ca: readFileSync(file('ca.pem')), requestCert: true, rejectUnauthorized: false },
      listener,
    );
  const servers = { named: secure('named'), elsewhere: secure('elsewhere'), numbered: secure('numbered') };
  for (const [name, server] of Object.entries({ ...servers, plain: createPlainServer(listener) })) {
    await new Promise<void>((resolve) => server.listen(0, '::', resolve));
    ports[name] = (server.address() as AddressInfo).port;
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
  }
  extensions = openExtensions({
    manifestPaths: [],
    overrides: {},
    variables: {},
    pluginDirectories: [directory],
    dataRoot: directory,
    execRoot: directory,
    hostPath: '',
    log: silentLogger,
  });
});
afterAll(async () => {
  await extensions.close();
  for (const close of closers) close();
  rmSync(directory, { recursive: true });
});

/** A certificate that names what `names` says, signed by the one called `ca`, which signs itself. */
function certificate(name: string, names: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file(`${name}.key`)];
  const signer =
    names === '' ? [] : ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-addext', `subjectAltName=${names}`];
  const subject = ['-subj', `/CN=${name}`, '-days', '2', '-out', file(`${name}.pem`)];
  execFileSync('openssl', ['req', '-x509', ...key, ...subject, ...signer], { stdio: 'ignore' });
}

type Case = [
  what: string,
  scheme: string,
  host: string,
  server: string,
  tls: object | 'spec' | undefined,
  expected: string | RegExp,
];
const ca = { CAFile: 'ca.pem' };
const identity = { CertFile: 'named.pem', KeyFile: 'named.key' };

test.each<Case>([
  ['a CA that signed it', 'https', 'localhost', 'named', ca, 'unknown localhost'],
  ['and a certificate of our own', 'https', 'localhost', 'named', { ...ca, ...identity }, 'known localhost'],
  ['a name that it does not have', 'https', 'localhost', 'elsewhere', ca, /elsewhere\.example/],
  ['the same, unverified', 'https', 'localhost', 'elsewhere', { ...ca, InsecureSkipVerify: true }, 'unknown localhost'],
  ['no CA: unverified', 'https', 'localhost', 'elsewhere', {}, 'unknown localhost'],
  ['an IPv4 address', 'https', '127.0.0.1', 'numbered', ca, 'unknown no name'],
  ['an IPv6 address', 'https', '[::1]', 'numbered', ca, 'unknown no name'],
  ['an address that it does not name', 'https', '127.0.0.1', 'named', ca, /127\.0\.0\.1/],
  ['no word of TLS: the system decides', 'https', 'localhost', 'named', undefined, /certificate/],
  ['a .spec with https: unverified', 'https', 'localhost', 'elsewhere', 'spec', 'unknown localhost'],
  ['a .spec with tcp: plain', 'tcp', '127.0.0.1', 'plain', 'spec', 'unknown no name'],
  ['a .spec with tcp over IPv6', 'tcp', '[::1]', 'plain', 'spec', 'unknown no name'],
  ['a .json with http: plain', 'http', 'localhost', 'plain', undefined, 'unknown no name'],
  // Docker's daemon sends plain text here, which the server cannot read.
  ['tcp with a CA: TLS, as is meant', 'tcp', 'localhost', 'named', ca, 'unknown localhost'],
  ['files that are not there', 'https', 'localhost', 'named', { CAFile: 'none.pem' }, /there is no .*none\.pem/],
  [
    'files with something else',
    'https',
    'localhost',
    'named',
    { ...ca, CertFile: 'garbage.pem' },
    /cannot be used: .*PEM/,
  ],
])('%s', async (what, scheme, host, server, tls, expected) => {
  const name = what.replaceAll(/\W+/g, '-');
  const address = `${scheme}://${host}:${ports[server]}`;
  if (tls === 'spec') writeFileSync(file(`${name}.spec`), `${address}\n`);
  else {
    const absolute =
      tls && Object.entries(tls).map(([key, value]) => [key, typeof value === 'string' ? file(value) : value]);
    const TLSConfig = absolute && Object.fromEntries(absolute);
    writeFileSync(file(`${name}.json`), JSON.stringify({ Name: 'ignored', Addr: address, TLSConfig }));
  }
  const asked = extensions.get(volumeKind, name).then((driver) => driver.Path({ Name: 'v' }));
  if (typeof expected === 'string') expect(await asked).toEqual({ Mountpoint: expected });
  else {
    await expect(asked).rejects.toMatchObject({ message: expect.stringMatching(expected) });
    await expect(asked).rejects.toMatchObject({ message: expect.stringContaining(`plugin "${name}" `) });
  }
});
