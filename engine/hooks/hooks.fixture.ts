import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { openExtensions } from '@cleat/extensions/index';
import type { Extensions } from '@cleat/extensions/service';
import { type Logger, silentLogger } from '@cleat/protocol/log';
import { parseHooks } from './config.js';
import { openHooks } from './index.js';
import type { Hooks } from './service.js';

type Message = Record<string, unknown>;
/** An answer: JSON, or a text as it is. */
type Reply = unknown | ((message: Message, response: ServerResponse) => unknown);

export interface Spoken {
  readonly Capabilities?: Reply;
  readonly Request?: Reply;
  readonly Response?: Reply;
}

/** Hooks on sockets, in no language in particular, and the chain that asks them. */
export class HookBench implements AsyncDisposable {
  readonly directory = mkdtempSync('/tmp/cleat-hooks-');
  readonly asked: { readonly hook: string; readonly method: string; readonly message: Message }[] = [];
  readonly warned: { readonly message: string; readonly fields: Record<string, unknown> | undefined }[] = [];
  readonly config: { hooks?: ReturnType<typeof parseHooks> } = {};
  readonly extensions: Extensions;
  readonly hooks: Hooks;
  readonly #closers = new Map<string, () => void>();

  /** @param manifest of extensions that are loaded here */
  constructor(manifest?: string) {
    const { directory } = this;
    if (manifest) writeFileSync(join(directory, 'manifest.yaml'), manifest);
    this.extensions = openExtensions({
      manifestPaths: manifest ? [join(directory, 'manifest.yaml')] : [],
      overrides: {},
      variables: {},
      pluginDirectories: [directory],
      dataRoot: directory,
      execRoot: directory,
      hostPath: '',
      log: silentLogger,
    });
    const log: Logger = {
      ...silentLogger,
      warn: (message, fields) => void this.warned.push({ message, fields }),
    };
    this.hooks = openHooks({ config: this.config, extensions: this.extensions, log, lookMs: 50 });
  }

  /** The file of hooks from now on. */
  file(text: string): void {
    this.config.hooks = parseHooks(text, 'hooks.yaml');
  }

  async hook(name: string, { Capabilities = { Request: 'body' }, ...rest }: Spoken): Promise<void> {
    const replies: Record<string, Reply> = { Capabilities, ...rest };
    const server = createServer(async (request: IncomingMessage, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      const [, method = ''] = /^\/RequestHook\.(\w+)$/.exec(request.url ?? '') ?? [];
      if (method === '') return void response.end('{"Implements":["RequestHook"]}');
      const message = JSON.parse(text || '{}') as Message;
      if (method !== 'Capabilities') this.asked.push({ hook: name, method, message });
      const reply = replies[method];
      if (reply === undefined) return void response.writeHead(404).end();
      const said: unknown = typeof reply === 'function' ? await reply(message, response) : reply;
      if (said === undefined) return;
      response.end(typeof said === 'string' ? said : JSON.stringify(said));
    });
    await new Promise<void>((resolve) => server.listen(join(this.directory, `${name}.sock`), resolve));
    this.#closers.set(name, () => {
      server.closeAllConnections();
      server.close();
    });
  }

  /** Its process ends. */
  end(name: string): void {
    this.#closers.get(name)?.();
    this.#closers.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hooks.close();
    await this.extensions.close();
    for (const close of this.#closers.values()) close();
    rmSync(this.directory, { recursive: true });
  }
}
