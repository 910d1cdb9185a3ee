import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { expect, test } from 'vitest';
import { lines, openBench } from '../images/images.fixture.js';
import { failure, steady } from './hostile.fixture.js';
import { environmentProxies, proxyFor, proxyHeaders, withoutCredentials } from './proxy.js';
import { fakeRegistry, offeredImage, servedImage } from './registry.fixture.js';

const { signal } = new AbortController();

/** A proxy that leads every name to `target`; what it was asked for is in `seen`. */
async function proxyTo(target: () => string): Promise<{ url: string; seen: string[] } & AsyncDisposable> {
  const seen: string[] = [];
  const server: Server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
    const { pathname, search } = new URL(request.url ?? '');
    http.get(`http://${target()}${pathname}${search}`, { headers: { host: request.headers.host } }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
  });
  server.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    if (request.url?.startsWith('refused'))
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const [host = '', port = ''] = target().split(':');
    const far = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      far.pipe(socket).pipe(far);
    });
    for (const end of [far, socket]) end.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('registries are reached through the proxy of the environment, by plain HTTP and by tunnels', async () => {
  const image = await offeredImage();
  await using registry = await fakeRegistry((seen) => servedImage(image, seen));
  await using proxy = await proxyTo(() => registry.host);
  const proxies = { http: `http://us%40r:pw@${proxy.url}`, https: proxy.url, no: '' };
  await using bench = await openBench({ insecureRegistries: ['registry.test'] }, { ...steady, proxies });
  await lines(bench.images.pull({ image: 'registry.test/x', tag: 'latest', signal }));
  expect(bench.images.count()).toBe(1);
  // HTTPS goes first, and there is no TLS behind the tunnel.
  expect(proxy.seen[0]).toBe('CONNECT registry.test:443');
  expect(proxy.seen).toContain(
    `GET http://registry.test/v2/x/manifests/latest Basic ${Buffer.from('us@r:pw').toString('base64')}`,
  );
  expect(registry.seen.some(({ authorization }) => authorization !== undefined)).toBe(false);
});

test('TLS is spoken with the registry through the tunnel, and its certificate is checked', async () => {
  const image = await offeredImage();
  await using plain = await fakeRegistry((seen) => servedImage(image, seen));
  const directory = mkdtempSync(join(tmpdir(), 'cleat-proxy-'));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const make = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=registry.test'];
  execFileSync('openssl', [...make, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const tls = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    const [host = '', port = ''] = plain.host.split(':');
    const far = connect(Number(port), host);
    far.pipe(socket).pipe(far);
    for (const end of [far, socket]) end.on('error', () => {});
  });
  rmSync(directory, { recursive: true });
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  await using proxy = await proxyTo(() => `127.0.0.1:${(tls.address() as AddressInfo).port}`);
  const reach = { ...steady, proxies: { http: '', https: proxy.url, no: '' } };
  await using strict = await openBench({}, reach);
  expect(await failure(strict, 'registry.test/x')).toContain('certificate signed by unknown authority');
  await using bench = await openBench({ insecureRegistries: ['registry.test'] }, reach);
  await lines(bench.images.pull({ image: 'registry.test/x', tag: 'latest', signal }));
  expect(bench.images.count()).toBe(1);
  expect(new Set(proxy.seen)).toEqual(new Set(['CONNECT registry.test:443']));
  tls.close();
});

test('an error of a proxy names it', async () => {
  await using proxy = await proxyTo(() => '127.0.0.1:1');
  const with_ = (url: string) => openBench({}, { ...steady, proxies: { http: '', https: url, no: '' } });
  await using bench = await with_(proxy.url);
  expect(await failure(bench, 'refused.test/x')).toBe(
    `Get "https://refused.test/v2/": proxyconnect tcp: ${proxy.url}: 407 Proxy Authentication Required`,
  );
  await using away = await with_('127.0.0.1:1');
  expect(await failure(away, 'x.test/x')).toContain('proxyconnect tcp: 127.0.0.1:1: connect ECONNREFUSED');
  await using strange = await with_('socks5://127.0.0.1:1');
  expect(await failure(strange, 'x.test/x')).toContain('socks5:// here, which is not supported');
});

test('an address of this host is not reached by way of a proxy that a registry was reached through', async () => {
  await using registry = await fakeRegistry(({ url }) =>
    url === '/v2/' ? {} : { status: 307, headers: { location: 'http://10.255.0.1/x' } },
  );
  await using proxy = await proxyTo(() => registry.host);
  const proxies = { http: proxy.url, https: '', no: '' };
  const isHostAddress = (address: string) => ['127.0.0.1', '10.255.0.1'].includes(address);
  const reach = { ...steady, proxies, isHostAddress };
  await using bench = await openBench({ insecureRegistries: ['registry.test'] }, reach);
  expect(await failure(bench, 'registry.test/x')).toContain('refusing to follow the server to 10.255.0.1');
});

test.each([
  ['https://registry.test/v2/', 'p:1', '', 'http://p:1/'],
  ['https://registry.test/', 'https://p', '', 'https://p/'],
  ['http://registry.test/', 'p:1', '', undefined],
  ['https://localhost:5000/', 'p:1', '', undefined],
  ['https://127.4.4.4/', 'p:1', '', undefined],
  ['https://[::1]:5000/', 'p:1', '', undefined],
  ['https://a.registry.test/', 'p:1', 'other,registry.test', undefined],
  ['https://registry.test/', 'p:1', '.registry.test', 'http://p:1/'],
  ['https://a.registry.test/', 'p:1', '*.registry.test', undefined],
  ['https://myregistry.test/', 'p:1', 'registry.test', 'http://p:1/'],
  ['https://registry.test/', 'p:1', 'registry.test:5000', 'http://p:1/'],
  ['https://registry.test:5000/', 'p:1', ' Registry.test:5000 ', undefined],
  ['https://10.1.2.3/', 'p:1', '10.0.0.0/8', undefined],
  ['https://10.1.2.3/', 'p:1', '10.1.2.3', undefined],
  ['https://[fd00::5]/', 'p:1', 'fd00::/8', undefined],
  ['https://11.1.2.3/', 'p:1', '10.0.0.0/8,fd00::/8', 'http://p:1/'],
  ['https://registry.test/', 'p:1', '*', undefined],
])('for %s with HTTPS_PROXY=%s and NO_PROXY=%s it is %s', (url, https, no, proxy) => {
  expect(proxyFor(new URL(url), { http: '', https, no })?.href).toBe(proxy);
});

test('large letters go first', () => {
  const environment = { http_proxy: 'a', HTTPS_PROXY: 'b', https_proxy: 'c', no_proxy: 'd' };
  expect(environmentProxies(environment)).toEqual({ http: 'a', https: 'b', no: 'd' });
});

test.each([
  ['', ''],
  ['http://proxy:3128', 'http://proxy:3128'],
  ['http://user:word@proxy:3128/', 'http://xxxxx:xxxxx@proxy:3128/'],
  ['user:word@proxy:3128', 'xxxxx:xxxxx@proxy:3128'],
  ['http://user:w@r/d@proxy:3128', 'http://xxxxx:xxxxx@proxy:3128'],
  ['http://user@proxy', 'http://xxxxx:xxxxx@proxy'],
])('%j is shown as %j', (proxy, shown) => {
  expect(withoutCredentials(proxy)).toBe(shown);
});

test.each([
  ['http://us%40er:wo%2Frd@proxy', 'us@er:wo/rd'],
  ['http://user:100%@proxy', 'user:100%'],
])('%s: the proxy is told %j', (proxy, pair) => {
  expect(proxyHeaders(new URL(proxy))).toEqual({
    'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}`,
  });
});
