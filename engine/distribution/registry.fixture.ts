import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../content/blobs.js';
import { tarOf } from '../images/images.fixture.js';

/** Debian's docker-registry on a free port of loopback, with its data in a temporary directory. */
export async function startRegistry(): Promise<{ host: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'cleat-registry-'));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const configuration = join(directory, 'config.yml');
  await writeFile(
    configuration,
    [
      'version: 0.1',
      'log: {level: error}',
      `storage: {filesystem: {rootdirectory: ${directory}/data}}`,
      `http: {addr: "${host}"}`,
    ].join('\n'),
  );
  const child: ChildProcess = spawn('docker-registry', ['serve', configuration], { stdio: 'ignore' });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (let attempt = 0; attempt < 100 && !(await answers(`http://${host}/v2/`)); attempt++) await delay(50);
  return {
    host,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    // Not up yet.
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface Seen {
  method: string;
  url: string;
  authorization: string | undefined;
}

/** A registry of a few lines, to misbehave on purpose. `answer` may return undefined for 404. */
export async function fakeRegistry(
  answer: (
    seen: Seen,
    host: string,
  ) => { status?: number; headers?: Record<string, string | undefined>; body?: string | Buffer } | undefined,
): Promise<{ host: string; seen: Seen[] } & AsyncDisposable> {
  const seen: Seen[] = [];
  let host = '';
  const server = http.createServer((request, response) => {
    const one = { method: request.method ?? '', url: request.url ?? '', authorization: request.headers.authorization };
    seen.push(one);
    request.resume();
    const { status = 200, headers = {}, body = '' } = answer(one, host) ?? { status: 404 };
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface OfferedImage {
  layer: Buffer;
  config: string;
  manifest: string;
  descriptor(content: string | Buffer, mediaType: string): { mediaType: string; digest: string; size: number };
}

/**
 * An image as a registry offers it, with one gzipped layer of about `size` bytes.
 * @param claimed the layer's size as the manifest has it
 */
export async function offeredImage(
  options: { config?: object; size?: number; claimed?: number } = {},
): Promise<OfferedImage> {
  const content = randomBytes(options.size ?? 1);
  const tar = await tarOf([{ name: 'f', content: options.size === undefined ? 'f' : content }]);
  const layer = gzipSync(tar);
  const config = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    ...options.config,
  });
  const descriptor = (content: string | Buffer, mediaType: string) => ({
    mediaType,
    digest: digestOf(content),
    size: Buffer.byteLength(content),
  });
  const layers = [descriptor(layer, 'application/vnd.oci.image.layer.v1.tar+gzip')];
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((each) => ({ ...each, ...(options.claimed !== undefined && { size: options.claimed }) })),
  });
  return { layer, config, manifest, descriptor };
}

/** Answers as a registry that has this image alone. */
export function servedImage(image: { layer: Buffer; config: string; manifest: string }, { url }: Seen) {
  if (url === '/v2/') return {};
  if (url.includes('/manifests/'))
    return { headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }, body: image.manifest };
  if (url.endsWith(digestOf(image.config))) return { body: image.config };
  if (url.endsWith(digestOf(image.layer))) return { body: image.layer };
  return undefined;
}
