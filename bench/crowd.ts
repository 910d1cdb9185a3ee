import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { defineExtension, implement, type Served, serve, volumeKind } from '@cleat/sdk';

/** How many extensions there are beside an engine's own; one of them hangs. */
const size = 20;

const idle = defineExtension({
  start: () => ({
    implementations: [
      implement(volumeKind, {
        Create: () => {},
        Remove: () => {},
        Mount: () => ({ Mountpoint: '/nonexistent' }),
        Unmount: () => {},
        Path: () => ({}),
        Get: () => ({ Volume: null }),
        List: () => ({ Volumes: [] }),
      }),
    ],
  }),
});

/** Extensions that a bystander must not notice: healthy ones, and one that takes every call and answers none. */
export class Crowd {
  readonly #directory: string;
  readonly #served: Served[] = [];
  readonly #hanging = new Set<Socket>();
  #hung: Server | undefined;

  /** @param directory where an engine discovers plugins */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async start(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true });
    for (let index = 1; index < size; index++) {
      const name = `crowd-${index}`;
      this.#served.push(await serve(idle, { name, socket: join(this.#directory, `${name}.sock`) }));
    }
    // It answers the handshake, so that the engine knows what it is said to be.
    this.#hung = createServer((socket) => {
      this.#hanging.add(socket);
      socket.on('close', () => this.#hanging.delete(socket)).on('error', () => socket.destroy());
      socket.on('data', (head) => {
        if (!head.toString('latin1').startsWith('POST /Plugin.Activate ')) return;
        const body = '{"Implements":["VolumeDriver"]}';
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
      });
    });
    this.#hung.listen(join(this.#directory, 'crowd-hung.sock'));
    await once(this.#hung, 'listening');
  }

  async end(): Promise<void> {
    this.#hung?.close();
    for (const socket of this.#hanging) socket.destroy();
    await Promise.all(this.#served.map((served) => served.close()));
  }
}
