import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { open as openFile, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { CleatError, messageOf, unavailable } from '@cleat/protocol/errors';
import { ask, open, read } from '../engine/ask.js';
import type { Endpoint } from '../engine/endpoint.js';

/** Archives are as large as a disk is; what hangs is ended by the one who waits. */
const archiveMs = 24 * 3_600_000;
/** The longest text of a refusal, in bytes. */
const maxRefusal = 64 * 1024;

/**
 * Writes a plugin of an engine into a file, or to standard output where that is `-`: what `load` takes, here and, unpacked,
 * `docker plugin create` of any engine. A file is there whole or not at all.
 * @throws NotFound, Unavailable
 */
export async function save(endpoint: Endpoint, name: string, output: string, signal: AbortSignal): Promise<void> {
  const archive = await answerOf(endpoint, `/cleat/plugins/${encodeURIComponent(name)}/archive`, signal);
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

/** Makes a plugin of an archive. @param file `-` for standard input @throws what the engine answers */
export async function load(endpoint: Endpoint, name: string, file: string): Promise<void> {
  const stream = file === '-' ? process.stdin : createReadStream('', { fd: await openFile(file) });
  const path = `/plugins/create?${new URLSearchParams({ name })}`;
  await ask(endpoint, path, { method: 'POST', body: { stream, type: 'application/x-tar' }, deadlineMs: archiveMs });
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
