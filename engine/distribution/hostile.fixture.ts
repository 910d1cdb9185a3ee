import { readdir } from 'node:fs/promises';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import { digestOf } from '../content/blobs.js';
import { type Bench, lines } from '../images/images.fixture.js';
import { registryLimits } from './limits.js';
import type { OfferedImage } from './registry.fixture.js';
import { defaultReach, type Reach } from './transport.js';

/** As patient as the real ones, in hundredths of the time. */
export const limits = {
  ...registryLimits,
  answer: 150,
  uploadAnswer: 600,
  stall: 150,
  retryStep: 10,
  longestRetryAfter: 1500,
  patience: 300,
};
export const quick: Reach = { ...defaultReach, limits };
/** Nothing stalls, however busy this machine is; only the waits between tries are short. */
export const steady: Reach = { ...defaultReach, limits: { ...registryLimits, retryStep: 10 } };
const { signal } = new AbortController();

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A registry that does as it pleases. */
export async function registryOf(handler: Handler, address = '127.0.0.1') {
  const seen: string[] = [];
  const headers: http.IncomingHttpHeaders[] = [];
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    headers.push(request.headers);
    // A stream that we destroy on purpose is no news.
    request.on('error', () => {});
    response.on('error', () => {});
    if (request.url === '/v2/') response.end();
    else handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `${address}:${port}`,
    port,
    seen,
    headers,
    count: (part: string) => seen.filter((each) => each.includes(part)).length,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const pull = (bench: Bench, image: string, tag = 'latest') => lines(bench.images.pull({ image, tag, signal }));

/** The text that a user reads, thrown or as the last line. */
export async function failure(bench: Bench, image: string, tag?: string): Promise<string> {
  return await pull(bench, image, tag).then(
    (all) => all.at(-1)?.error ?? `no error: ${JSON.stringify(all.at(-1))}`,
    (error: Error) => error.message,
  );
}

export async function expectNothingLeft(bench: Bench): Promise<void> {
  expect(bench.images.count()).toBe(0);
  for (const directory of ['layers', 'blobs/sha256', 'blobs/tmp']) {
    expect(await readdir(join(bench.root, directory))).toEqual([]);
  }
}

export const manifestType = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };

export function serve(image: OfferedImage, request: IncomingMessage, response: ServerResponse): void {
  const url = request.url ?? '';
  if (url.includes('/manifests/')) response.writeHead(200, manifestType).end(image.manifest);
  else if (url.endsWith(digestOf(image.config))) response.end(image.config);
  else if (url.endsWith(digestOf(image.layer))) response.end(image.layer);
  else response.writeHead(404).end();
}

export const isLayer = (image: OfferedImage, request: IncomingMessage) => request.url?.endsWith(digestOf(image.layer));
