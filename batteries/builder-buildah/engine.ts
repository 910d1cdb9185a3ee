import { createReadStream, createWriteStream } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { systemError } from '@cleat/protocol/errors';

/** How long the engine may be silent, in ms. */
const patienceMs = 120_000;

/** The engine as a client sees it, on the socket for builders. */
export class EngineClient {
  readonly #socket: string;
  readonly #signal: AbortSignal;

  constructor(socket: string, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
  }

  /** The ID of an image that the engine has by that name. */
  async imageCalled(name: string): Promise<string | undefined> {
    const answer = await this.#ask('GET', `/images/${encodeURIComponent(name)}/json`);
    const text = await textOf(answer);
    if (answer.statusCode !== 200) return undefined;
    return (JSON.parse(text) as { Id: string }).Id;
  }

  /** An image as `docker save` writes it. */
  async save(name: string, file: string): Promise<void> {
    const answer = await this.#ask('GET', `/images/get?names=${encodeURIComponent(name)}`);
    if (answer.statusCode !== 200) throw systemError(`the engine does not give ${name}: ${await textOf(answer)}`);
    await pipeline(answer, createWriteStream(file, { mode: 0o600 }), { signal: this.#signal });
  }

  /** @returns the ID of the image of an archive */
  async load(file: string): Promise<string> {
    const answer = await this.#ask('POST', '/images/load?quiet=1', file);
    const said = await textOf(answer);
    const id = /Loaded image(?: ID)?: (sha256:[0-9a-f]{64})/.exec(said)?.[1];
    if (id === undefined) throw systemError(`the engine did not take the image: ${said.slice(0, 1000)}`);
    return id;
  }

  #ask(method: string, path: string, file?: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const asked = request(
        { socketPath: this.#socket, method, path, signal: this.#signal, timeout: patienceMs },
        resolve,
      );
      asked.on('error', reject);
      asked.on('timeout', () => asked.destroy(new Error(`the engine did not answer within ${patienceMs / 1000} s`)));
      if (file === undefined) asked.end();
      else pipeline(createReadStream(file), asked, { signal: this.#signal }).catch(reject);
    });
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
