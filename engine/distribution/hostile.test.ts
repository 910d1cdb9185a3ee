import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { digestOf } from '../content/blobs.js';
import { openBench } from '../images/images.fixture.js';
import {
  expectNothingLeft,
  failure,
  type Handler,
  isLayer,
  manifestType,
  quick,
  registryOf,
  serve,
  steady,
} from './hostile.fixture.js';
import { offeredImage } from './registry.fixture.js';

test.each([
  ['empty pages', () => ({ tags: [], link: (n: number) => `</v2/x/tags/list?n=${n}>; rel="next"` }), 3],
  ['one page again and again', () => ({ tags: ['a'], link: () => '</v2/x/tags/list>; rel="next"' }), 1],
  [
    'new tags without end',
    (n: number) => ({ tags: [`t${n}`], link: (m: number) => `</v2/x/tags/list?n=${m}>; rel="next"` }),
    20,
  ],
])('a list of tags that does not end: %s', async (_what, page, pages) => {
  let n = 0;
  await using registry = await registryOf((_request, response) => {
    const { tags, link } = page(++n);
    response.setHeader('link', link(n));
    response.end(JSON.stringify({ tags }));
  });
  await using bench = await openBench({}, { ...steady, limits: { ...steady.limits, tagPages: 20 } });
  expect(await failure(bench, `${registry.host}/x`, '')).toBe(
    `the registry's list of tags does not end: given up after ${pages} pages`,
  );
  expect(registry.count('/tags/list')).toBe(pages);
});

test('a next page on another host, or none that is a URL, ends the list or says so', async () => {
  let link = '';
  await using registry = await registryOf((request, response) => {
    response.setHeader('link', `<${link}>; rel="next"`);
    if (request.url?.includes('/tags/list')) response.end('{"tags":["a"]}');
    else response.writeHead(404).end();
  });
  await using bench = await openBench({}, steady);
  link = 'http://[::1';
  expect(await failure(bench, `${registry.host}/x`, '')).toBe('parse "http://[::1": invalid URL');
  link = 'http://127.0.0.2:1/v2/x/tags/list';
  expect(await failure(bench, `${registry.host}/x`, '')).toContain('manifest: received unexpected HTTP status: 404');
});

test('a body that stalls ends, tries included', async () => {
  const image = await offeredImage();
  for (const stalls of ['/manifests/', digestOf(image.config), digestOf(image.layer)]) {
    await using registry = await registryOf((request, response) => {
      if (!request.url?.includes(stalls)) return serve(image, request, response);
      const length =
        stalls === '/manifests/'
          ? image.manifest.length
          : stalls === digestOf(image.layer)
            ? image.layer.length
            : image.config.length;
      response.writeHead(200, { ...manifestType, 'content-length': String(length) }).write('{');
    });
    await using bench = await openBench({}, quick);
    expect(await failure(bench, `${registry.host}/x`)).toMatch(
      /^Get "http:\/\/127.0.0.1:\d+\/v2\/x\/.*": net\/http: request canceled \(no data within 0.15 s\)$/,
    );
    // No more tries fit into the patience.
    expect(registry.count(stalls)).toBeLessThanOrEqual(2);
    await expectNothingLeft(bench);
  }
});

test('a body that drips is one that stalls', async () => {
  const image = await offeredImage({ size: 5000 });
  const timers = new Set<NodeJS.Timeout>();
  await using registry = await registryOf((request, response) => {
    if (!isLayer(image, request)) return serve(image, request, response);
    response.writeHead(200, { 'content-length': String(image.layer.length) });
    timers.add(setInterval(() => response.write('x'), 20));
  });
  await using bench = await openBench({}, quick);
  expect(await failure(bench, `${registry.host}/x`)).toContain('request canceled (no data within');
  expect(registry.count(digestOf(image.layer))).toBeLessThanOrEqual(2);
  for (const timer of timers) clearInterval(timer);
});

test('a server that takes the request and says nothing', async () => {
  await using registry = await registryOf(() => {});
  await using bench = await openBench({}, quick);
  expect(await failure(bench, `${registry.host}/x`)).toMatch(
    /^Get "http:.*manifests\/latest": net\/http: request canceled \(Client.Timeout exceeded while awaiting headers\)$/,
  );
  expect(registry.count('/manifests/')).toBeLessThanOrEqual(2);
});

test('a size that cannot be right is tried once', async () => {
  const image = await offeredImage();
  for (const [body, message] of [
    [Buffer.concat([image.layer, image.layer]), /^the registry offers \d+ bytes where the manifest announces \d+$/],
    [image.layer.subarray(1), /^the registry offers \d+ bytes where the manifest announces \d+$/],
  ] as const) {
    await using registry = await registryOf((request, response) => {
      if (isLayer(image, request)) response.end(body);
      else serve(image, request, response);
    });
    await using bench = await openBench({}, steady);
    expect(await failure(bench, `${registry.host}/x`)).toMatch(message);
    expect(registry.count(digestOf(image.layer))).toBe(1);
    await expectNothingLeft(bench);
  }
  // Without a length: in chunks, ended properly, or never.
  for (const extra of [0, 1_000_000]) {
    await using registry = await registryOf((request, response) => {
      if (!isLayer(image, request)) return serve(image, request, response);
      response.write(image.layer.subarray(1));
      response.end(Buffer.alloc(extra));
    });
    await using bench = await openBench({}, steady);
    expect(await failure(bench, `${registry.host}/x`)).toMatch(
      /^unexpected EOF: \d+ of \d+ bytes came$|^more than the \d+ bytes that were announced$/,
    );
    expect(registry.count(digestOf(image.layer))).toBe(1);
  }
  const huge = await offeredImage({ claimed: Number.MAX_SAFE_INTEGER });
  await using registry = await registryOf((request, response) => serve(huge, request, response));
  await using bench = await openBench({}, steady);
  expect(await failure(bench, `${registry.host}/x`)).toContain('no space left on device');
  expect(registry.count(digestOf(huge.layer))).toBe(0);
});

test('everything that a registry may make large has a bound', async () => {
  const large = (response: ServerResponse, status = 200) => {
    response.writeHead(status, manifestType);
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65536, ' ')));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  };
  for (const [handler, message] of [
    [(_: IncomingMessage, response: ServerResponse) => large(response), /^the manifest is larger than 4194304 bytes$/],
    [
      (_: IncomingMessage, response: ServerResponse) => large(response, 404),
      /^manifest for .* not found|unexpected HTTP status: 404 Not Found$/,
    ],
    [
      (request: IncomingMessage, response: ServerResponse) =>
        request.url?.startsWith('/token')
          ? large(response)
          : response
              .writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` })
              .end(),
      /^the answer of the token server is larger than 1048576 bytes$/,
    ],
    [
      (_: IncomingMessage, response: ServerResponse) => response.setHeader('x-large', 'x'.repeat(100_000)).end(),
      /net\/http: server response headers exceeded the limit; aborted$/,
    ],
    [
      (_: IncomingMessage, response: ServerResponse) =>
        response.writeHead(200, manifestType).end(
          JSON.stringify({
            schemaVersion: 2,
            config: { digest: `sha256:${'0'.repeat(64)}`, size: 1 },
            layers: Array.from({ length: 1000 }, (_each, at) => ({
              mediaType: 'application/vnd.oci.image.layer.v1.tar',
              digest: digestOf(String(at)),
              size: 1,
            })),
          }),
        ),
      /^max depth exceeded$/,
    ],
    [
      (_: IncomingMessage, response: ServerResponse) =>
        response.writeHead(200, manifestType).end(
          JSON.stringify({
            schemaVersion: 2,
            config: { digest: `sha256:${'0'.repeat(64)}`, size: 10 ** 9 },
            layers: [],
          }),
        ),
      /^the image configuration is larger than 8388608 bytes$/,
    ],
  ] as const) {
    await using registry = await registryOf(handler);
    await using bench = await openBench({}, steady);
    expect(await failure(bench, `${registry.host}/x`)).toMatch(message);
    await expectNothingLeft(bench);
  }
});

test('an error on the way is told in words that users of Docker know', async () => {
  const raw =
    (text: string): Handler =>
    (request) =>
      void request.socket.end(text);
  for (const [handler, message] of [
    [raw('nonsense\r\n\r\n'), 'net/http: HTTP/1.x transport connection broken: malformed HTTP response'],
    [raw(''), 'EOF'],
    [raw('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'), 'unexpected EOF'],
    [raw('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'), 'unexpected EOF'],
    [raw('HTTP/1.1 307 Go\r\nlocation: http://[\r\ncontent-length: 0\r\n\r\n'), 'parse "http://[": invalid URL'],
    [raw('HTTP/1.1 307 Go\r\nlocation: ftp://x/\r\ncontent-length: 0\r\n\r\n'), 'refusing a redirect from'],
    [
      raw('HTTP/1.1 307 Go\r\nlocation: /v2/x/manifests/latest\r\ncontent-length: 0\r\n\r\n'),
      'stopped after 5 redirects',
    ],
  ] as const) {
    await using registry = await registryOf(handler);
    await using bench = await openBench({}, steady);
    const said = await failure(bench, `${registry.host}/x`);
    expect(said).toContain(message);
    expect(said).not.toMatch(/aborted|Invalid URL|ECONN|Parse Error|socket hang up/);
  }
});
