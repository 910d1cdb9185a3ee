import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs';
import { open as openFile, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CleatError, invalidParameter, messageOf, unavailable } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { ask, open, read } from '../engine/ask.js';
import type { Endpoint } from '../engine/endpoint.js';
import { layoutTar } from '../package/archive.js';

/** Archives are as large as a disk is; what hangs is ended by the one who waits. */
const archiveMs = 24 * 3_600_000;
/** The longest text of a refusal, in bytes. */
const maxRefusal = 64 * 1024;

/**
 * Writes a plugin of an engine into a file, or to standard output where that is `-`: what `load` takes, here and, unpacked,
 * if it is not an OCI layout, `docker plugin create` of any engine. A file is there whole or not at all.
 * @throws NotFound, Unavailable
 */
export async function save(
  endpoint: Endpoint,
  name: string,
  { output, format }: { output: string; format: 'docker' | 'oci' },
  signal: AbortSignal,
): Promise<void> {
  const path = `/cleat/plugins/${encodeURIComponent(name)}/archive?format=${format}`;
  const archive = await answerOf(endpoint, path, signal);
  if (output === '-') return await pipeline(archive, process.stdout, { end: false, signal });
  const whole = `${output}.part`;
  try {
    await pipeline(archive, createWriteStream(whole, { mode: 0o644, flush: true }), { signal });
    await rename(whole, output);
  } catch (error) {
    await rm(whole, { force: true });
    throw error;
  }
}

/**
 * Makes a plugin of an archive, or of a directory with an OCI layout.
 * @param file `-` for standard input
 * @throws what the engine answers; InvalidParameter for any other directory
 */
export async function load(endpoint: Endpoint, name: string, file: string): Promise<void> {
  const stream = file === '-' ? process.stdin : await streamOf(file);
  const path = `/plugins/create?${new URLSearchParams({ name })}`;
  await ask(endpoint, path, { method: 'POST', body: { stream, type: 'application/x-tar' }, deadlineMs: archiveMs });
}

async function streamOf(file: string): Promise<Readable> {
  if (!statSync(file).isDirectory()) return createReadStream('', { fd: await openFile(file) });
  if (existsSync(join(file, 'index.json'))) return owned(Readable.from(layoutTar(file, 0), { objectMode: false }));
  throw invalidParameter(
    `${file} is no OCI layout; a directory with config.json and rootfs/ is for docker plugin create`,
  );
}

async function answerOf(endpoint: Endpoint, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const { sent, failure } = open(endpoint, path, {});
  const stop = () => void sent.destroy();
  signal.addEventListener('abort', stop, { once: true });
  sent.end();
  try {
    const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage];
    if (response.statusCode === 200) return response;
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) if (text.length < maxRefusal) text += chunk;
    read(endpoint.text, response.statusCode ?? 0, text);
    throw unavailable(`${endpoint.text} answered ${response.statusCode}`);
  } catch (error) {
    if (error instanceof CleatError || signal.aborted) throw error;
    throw (await failure?.()) ?? unavailable(`no engine answers on ${endpoint.text} (${messageOf(error)})`);
  }
}
