import { closeSync, constants, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { constants as osConstants } from 'node:os';
import { join } from 'node:path';
import { unmount } from '@cleat/linux/mount/mount';
import { mount } from '@cleat/linux/syscall/mount';

/** A volume back end that hangs: a FUSE mount whose server never answers, or never again from the first look-up on. */
export class SilentMount implements AsyncDisposable {
  readonly path: string;
  /** A look-up was taken, and will not be answered: who asked cannot even be killed. */
  stalled = false;
  readonly #directory: string;
  readonly #server: number;
  readonly #polling: NodeJS.Timeout | undefined;
  #gone = false;

  private constructor(directory: string, answers: boolean) {
    this.#directory = directory;
    this.path = join(directory, 'silent');
    mkdirSync(this.path);
    this.#server = openSync('/dev/fuse', constants.O_RDWR | constants.O_NONBLOCK);
    mount('silent', this.path, 'fuse', 0, `fd=${this.#server},rootmode=40000,user_id=0,group_id=0`);
    if (answers) this.#polling = setInterval(() => this.#serve(), 5);
  }

  /** `answers`: the root directory can be mounted and looked at; anything in it makes the server stall. */
  static async make({ answers = false } = {}): Promise<SilentMount> {
    return new SilentMount(await mkdtemp('/tmp/cleat-silent-'), answers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#gone) return;
    this.#gone = true;
    clearInterval(this.#polling);
    unmount(this.path);
    closeSync(this.#server);
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** As much of FUSE (linux/fuse.h, 7.31) as a directory needs that is only looked at. */
  #serve(): void {
    const request = Buffer.alloc(132 * 1024);
    for (;;) {
      try {
        readSync(this.#server, request);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return;
        throw error;
      }
      const opcode = request.readUInt32LE(4);
      if (opcode === opcodes.lookup) this.stalled = true;
      if (this.stalled || opcode === opcodes.forget || opcode === opcodes.batchForget) continue;
      const body = opcode === opcodes.init ? initAnswer() : opcode === opcodes.getattr ? rootAttributes() : undefined;
      const head = Buffer.alloc(16);
      head.writeUInt32LE(16 + (body?.length ?? 0), 0);
      head.writeInt32LE(body ? 0 : -osConstants.errno.ENOSYS, 4);
      request.copy(head, 8, 8, 16);
      writeSync(this.#server, Buffer.concat([head, body ?? Buffer.alloc(0)]));
    }
  }
}

const opcodes = { lookup: 1, forget: 2, getattr: 3, init: 26, batchForget: 42 };

function initAnswer(): Buffer {
  const answer = Buffer.alloc(64);
  answer.writeUInt32LE(7, 0);
  answer.writeUInt32LE(31, 4);
  answer.writeUInt32LE(65_536, 20); // max_write
  return answer;
}

function rootAttributes(): Buffer {
  const answer = Buffer.alloc(104);
  answer.writeBigUInt64LE(1n, 16); // inode
  answer.writeUInt32LE(0o40755, 16 + 60);
  answer.writeUInt32LE(2, 16 + 64); // links
  return answer;
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
