import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A UNIX socket that leads to another one, and can be cut and joined again. */
export class Cable implements AsyncDisposable {
  readonly #path: string;
  readonly #to: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(path: string, to: string) {
    this.#path = path;
    this.#to = to;
  }

  async mend(): Promise<this> {
    this.#server = createServer((near) => {
      const far = connect(this.#to);
      near.pipe(far);
      far.pipe(near);
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        // Either end takes the other with it, however it ends.
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
    }).listen(this.#path);
    await once(this.#server, 'listening');
    return this;
  }

  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    rmSync(this.#path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }
}
