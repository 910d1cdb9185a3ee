import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { unmount } from '@cleat/linux/mount/mount';
import { mount } from '@cleat/linux/syscall/mount';

/** A volume back end that hangs: a FUSE mount whose server takes requests and never answers. */
export class SilentMount implements AsyncDisposable {
  readonly path: string;
  readonly #directory: string;
  readonly #server: number;

  private constructor(directory: string) {
    this.#directory = directory;
    this.path = join(directory, 'silent');
    mkdirSync(this.path);
    this.#server = openSync('/dev/fuse', constants.O_RDWR);
    mount('silent', this.path, 'fuse', 0, `fd=${this.#server},rootmode=40000,user_id=0,group_id=0`);
  }

  static async make(): Promise<SilentMount> {
    return new SilentMount(await mkdtemp('/tmp/cleat-silent-'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    unmount(this.path);
    closeSync(this.#server);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/**
 * A volume plugin whose every volume is at one path. `hang` takes methods that are never answered; what was called is
 * kept in `calls`.
 */
export class FixedVolumePlugin implements AsyncDisposable {
  readonly calls: string[] = [];
  readonly hang = new Set<string>();
  readonly #server: Server;

  constructor(socket: string, mountpoint: string) {
    const volumes = new Set<string>();
    const answers: Record<string, (name: string) => unknown> = {
      '/Plugin.Activate': () => ({ Implements: ['VolumeDriver'] }),
      '/VolumeDriver.Create': (name) => volumes.add(name) && {},
      '/VolumeDriver.Remove': (name) => ({ Err: volumes.delete(name) ? '' : 'no such volume' }),
      '/VolumeDriver.Mount': () => ({ Mountpoint: mountpoint }),
      '/VolumeDriver.Unmount': () => ({}),
      '/VolumeDriver.Path': () => ({ Mountpoint: mountpoint }),
      '/VolumeDriver.Get': (name) => (volumes.has(name) ? { Volume: { Name: name } } : { Err: 'no such volume' }),
      '/VolumeDriver.List': () => ({ Volumes: [...volumes].map((Name) => ({ Name })) }),
      '/VolumeDriver.Capabilities': () => ({ Capabilities: { Scope: 'local' } }),
    };
    this.#server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request.setEncoding('utf8')) body += chunk;
      const path = request.url ?? '';
      const method = path.slice(path.indexOf('.') + 1);
      this.calls.push(method);
      if (this.hang.has(method)) return;
      const { Name = '' } = JSON.parse(body || '{}') as { Name?: string };
      const answer = answers[path]?.(Name);
      response.statusCode = answer === undefined ? 404 : 200;
      response.end(JSON.stringify(answer ?? {}));
    }).listen(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}
