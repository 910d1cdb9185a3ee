import { type IncomingMessage, request } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { systemError } from '@cleat/protocol/errors';
import { isRecord, parseJson } from '@cleat/protocol/json';

/** How long the engine may be silent, in ms. */
const patienceMs = 300_000;
/** Length of its answer, which is a few lines. */
const maxAnswer = 1024 * 1024;

/**
 * Loads the archive of an image on the engine's socket for builders, where it is a build record.
 * @returns its ID @throws System in the engine's words
 */
export async function loadImage(socketPath: string, archive: Readable, signal: AbortSignal): Promise<string> {
  const said = await new Promise<string>((resolve, reject) => {
    const headers = { 'Content-Type': 'application/x-tar' };
    const options = { socketPath, method: 'POST', path: '/images/load?quiet=1', headers, signal, timeout: patienceMs };
    const asked = request(options, (answer) => textOf(answer).then(resolve, reject));
    asked.on('error', reject);
    asked.on('timeout', () => asked.destroy(new Error(`the engine did not answer within ${patienceMs / 1000} s`)));
    pipeline(archive, asked, { signal }).catch(reject);
  });
  const id = /Loaded image(?: ID)?: (sha256:[0-9a-f]{64})/.exec(said)?.[1];
  if (id !== undefined) return id;
  throw systemError(`the engine did not take the image: ${reasonIn(said)}`);
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= maxAnswer) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The `message` of a refusal, or the `error` of the last line. */
function reasonIn(said: string): string {
  for (const line of said.trim().split('\n').reverse()) {
    try {
      const value = parseJson(line);
      const reason = isRecord(value) ? (value.message ?? value.error) : undefined;
      if (typeof reason === 'string') return reason;
    } catch {
      // It is no line of JSON.
    }
  }
  return said.slice(0, 1000);
}
