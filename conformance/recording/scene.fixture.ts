import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import type { ExtensionModule } from '@cleat/sdk';
import { serve } from '@cleat/sdk';
import { reach } from '../reach.js';
import { parseRecording } from './parse.js';
import { record } from './recorder.js';
import type { RedactOptions } from './redact.js';

export interface Answered {
  status: number;
  type: string | undefined;
  text: string;
}

/** One call as an engine makes it; `hangUp` is how its caller goes away. */
export function call(socketPath: string, path: string, body = '{}', headers: Record<string, string> = {}) {
  const sent = request({ socketPath, path, method: 'POST', agent: false, headers });
  const answer = new Promise<Answered>((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'], text }),
      );
    });
  });
  // A test may look at it later, or never.
  answer.catch(() => {});
  sent.end(body);
  return Object.assign(answer, { hangUp: () => sent.destroy() });
}

/** A place for sockets, and what stands at them; ends with everything in it. */
export class Scene implements AsyncDisposable {
  readonly directory = mkdtempSync('/tmp/cleat-recording-');
  readonly #ends: (() => Promise<unknown>)[] = [];

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Serves a plugin. @returns its socket */
  async plugin(module: ExtensionModule, name: string, options: Record<string, unknown> = {}): Promise<string> {
    const socket = this.path(`${name}.sock`);
    const served = await serve(module, { name, socket, options, log: silentLogger, graceMs: 0 });
    this.#ends.push(() => served.close());
    return socket;
  }

  /** Records the plugin at a socket. `done` ends it; `text` is the recording. */
  async recorder(pluginSocket: string, redact?: RedactOptions) {
    const socket = this.path(`recorder-${this.#ends.length}.sock`);
    let text = '';
    const write = (more: string) => {
      text += more;
    };
    const recorder = await record({ plugin: reach(pluginSocket), socket, write, redact, graceMs: 100 });
    this.#ends.push(() => recorder.close());
    return {
      socket,
      done: () => recorder.close(),
      get text() {
        return text;
      },
      get recording() {
        return parseRecording(text);
      },
    };
  }

  /** To be ended with the scene. */
  with(one: AsyncDisposable): void {
    this.#ends.push(async () => one[Symbol.asyncDispose]());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
