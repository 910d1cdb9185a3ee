import { execFile } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BuildLine, BuildVertex } from '@cleat/protocol/kinds/builder';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { clientOf, removeAll } from '../support/client.js';
import { type Engine, startEngine } from '../support/engine.js';
import { ScriptedBuilder } from '../support/scripted-builder.js';

/** One engine, with a builder that does as each test says. */
export let engine: Engine;
export let builder: ScriptedBuilder;
/** A directory with a Dockerfile and a file. */
export let context: string;
/** The ID of the image. */
export let busybox: string;
export const { ok } = clientOf(() => engine);
export const classic = { DOCKER_BUILDKIT: '0' };
export const docker = (...args: string[]) => engine.docker(...args, { env: classic });
/** Directories of contexts that exist now. */
export const contexts = () => readdirSync(join(engine.dataRoot, 'builds/new'));

/** For the tests of a file. */
export function benchForTests(): void {
  beforeAll(async () => {
    engine = await startEngine({ flags: ['--builder-driver=script'] });
    builder = await ScriptedBuilder.start(engine.pluginDirectory, 'script');
    context = await mkdtemp('/tmp/cleat-e2e-build-');
    writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\n');
    writeFileSync(join(context, 'file'), 'content');
    busybox = await ok('inspect', '-f', '{{.Id}}', 'busybox');
  });
  afterAll(async () => {
    await builder?.[Symbol.asyncDispose]();
    await engine?.[Symbol.asyncDispose]();
    await rm(context, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await removeAll(engine);
    builder.orders.length = builder.prunes.length = 0;
    builder.known.clear();
    builder.script = async function* () {
      yield { Result: { Image: busybox } };
    };
  });
}

export const at = '2026-11-29T18:00:00.000000000Z';
export const step = (ID: string, Step: number, Name: string, more: Partial<BuildVertex> = {}): BuildLine => ({
  Vertex: { ID, Name, Step, Steps: 4, Started: at, ...more },
});
export const log = (Vertex: string, Stream: 1 | 2, text: string): BuildLine => ({
  Log: { Vertex, Stream, Data: Buffer.from(text).toString('base64') },
});
export const image = (digit: string) => `sha256:${digit.repeat(64)}`;

export interface Sent {
  query?: string;
  body?: Buffer;
  headers?: Record<string, string>;
}

/** `POST /build` as it goes over the wire. */
export async function post({ query = '', body = Buffer.alloc(0), headers = {} }: Sent) {
  const sent = ['-s', '-w', '\n%{http_code}', '--unix-socket', engine.socket, '-X', 'POST', '--data-binary', '@-'];
  const named = Object.entries({ 'Content-Type': 'application/x-tar', ...headers }).map(
    ([key, value]) => `-H${key}: ${value}`,
  );
  const child = promisify(execFile)('curl', [...sent, ...named, `http://engine/build?${query}`]);
  child.child.stdin?.on('error', () => {}).end(body);
  const { stdout } = await child;
  const at = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(at + 1)), text: stdout.slice(0, at) };
}

export type Entry = {
  name: string;
  type?: 'symlink' | 'link' | 'character-device';
  linkname?: string;
  content?: string;
};
export async function tarOf(...entries: Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) archive.entry(header, content ?? '');
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
export const dockerfile: Entry = { name: 'Dockerfile', content: 'FROM busybox\n' };
