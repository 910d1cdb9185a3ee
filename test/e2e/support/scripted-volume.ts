import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { join } from 'node:path';

type Body = Record<string, unknown>;
/** An answer: a value, or a function that makes it; a string is an error in the kind's own words. */
export type Answer = Body | ((body: Body) => Body | string) | string;

export interface Call {
  /** For example `Mount`; `Plugin.Activate` for the handshake. */
  method: string;
  /** The body as it came; undefined when there was none. */
  body: Body | undefined;
  /** The verb, and what the headers say of the body and of the answer that is requested for. */
  verb: string;
  headers: Pick<IncomingHttpHeaders, 'accept' | 'content-type'>;
}

/**
 * A volume plugin over a real socket that answers as told and keeps every call as it came. Its volumes are directories
 * under `root`.
 */
export class ScriptedVolumePlugin implements AsyncDisposable {
  readonly calls: Call[] = [];
  /** Overrides, by method. */
  readonly answers = new Map<string, Answer>();
  readonly volumes = new Map<string, unknown>();
  /** Mounts that were not taken back: `NAME ID`. */
  readonly held = new Set<string>();
  readonly #server: Server;

  constructor(
    readonly socket: string,
    readonly root: string,
  ) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const method = (request.url ?? '').replace(/^\/(VolumeDriver\.)?/, '');
        const text = Buffer.concat(chunks).toString();
        const body = text ? (JSON.parse(text) as Body) : undefined;
        const { accept, 'content-type': contentType } = request.headers;
        const headers = { accept, 'content-type': contentType };
        this.calls.push({ method, body, verb: request.method ?? '', headers });
        const said = this.#answer(method, body ?? {});
        const isError = typeof said === 'string';
        response.writeHead(isError ? 500 : 200, { 'content-type': 'application/vnd.docker.plugins.v1.2+json' });
        response.end(JSON.stringify(isError ? { Err: said } : said));
      });
    }).listen(socket);
  }

  /** As if it were new. */
  clear(): void {
    this.calls.length = 0;
    this.answers.clear();
    this.volumes.clear();
    this.held.clear();
    rmSync(this.root, { recursive: true, force: true });
    mkdirSync(this.root);
  }

  /** The calls since the last time, for a comparison. */
  taken(): Call[] {
    return this.calls.splice(0);
  }

  /** Where a volume's data is. */
  path(name: string): string {
    return join(this.root, name);
  }

  /** Makes a volume that no engine asked for. */
  make(name: string, options: unknown = null): void {
    this.volumes.set(name, options);
    mkdirSync(this.path(name), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(method: string, body: Body): Body | string {
    const told = this.answers.get(method);
    if (typeof told === 'function') return told(body);
    return told ?? this.usual(method, body);
  }

  /** Does the usual work and answers, unless a test told the plugin otherwise. */
  usual(method: string, { Name, ID, Opts }: Body): Body | string {
    const name = String(Name);
    switch (method) {
      case 'Plugin.Activate':
        return { Implements: ['VolumeDriver'] };
      case 'Capabilities':
        return { Capabilities: { Scope: 'local' } };
      case 'List':
        return { Volumes: [...this.volumes.keys()].map((each) => this.#shown(each)) };
      case 'Create':
        this.make(name, Opts);
        return {};
    }
    if (!this.volumes.has(name)) return `no such volume: ${name}`;
    switch (method) {
      case 'Get':
        return { Volume: this.#shown(name) };
      case 'Path':
        return { Mountpoint: this.path(name) };
      case 'Mount':
        this.held.add(`${name} ${ID}`);
        return { Mountpoint: this.path(name) };
      case 'Unmount':
        this.held.delete(`${name} ${ID}`);
        return {};
      case 'Remove':
        this.volumes.delete(name);
        rmSync(this.path(name), { recursive: true });
        return {};
      default:
        return `no such method: ${method}`;
    }
  }

  #shown(name: string): Body {
    return {
      Name: name,
      Mountpoint: this.path(name),
      CreatedAt: '2020-01-02T03:04:05Z',
      Status: { options: this.volumes.get(name) },
    };
  }
}
