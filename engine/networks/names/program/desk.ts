import { renameSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { messageOf } from '@cleat/protocol/errors';
import { readLines } from '../lines.js';
import type { Answers, Numbered, Reply, Request } from '../messages.js';
import type { NamedContainers } from './containers.js';

/** Where engines talk to this process. */
export interface Desk {
  /** No engine is there. */
  readonly isAlone: boolean;
  /** An engine that looks for the process finds this one. */
  isReachable(): boolean;
  /** Ends the process; questions on their way are answered first. */
  end(): void;
}

/**
 * Takes the place of the process that listened at `path` before. Only the engine that came last is listened to: an
 * engine that was killed may seem to be there for a moment.
 */
export async function listenForEngines(path: string, build: string, containers: NamedContainers): Promise<Desk> {
  const server = createServer();
  await listen(server, path);
  const own = statSync(path).ino;
  const isReachable = (): boolean => statSync(path, { throwIfNoEntry: false })?.ino === own;
  let engine: Socket | undefined;
  let isEnding = false;
  const end = () => {
    if (isEnding) return;
    isEnding = true;
    if (isReachable()) rmSync(path, { force: true });
    void containers.finish().finally(() => process.exit(0));
  };

  server.on('connection', (socket) => {
    // The end of the connection tells.
    socket.on('error', () => {});
    socket.once('close', () => {
      if (engine === socket) engine = undefined;
    });
    readLines(socket, (line) => {
      // A caller that only looks whether somebody listens says nothing.
      if (engine !== socket) engine?.destroy();
      engine = socket;
      const request = read(line);
      if (request) void obey(request).then((reply) => socket.write(`${JSON.stringify(reply)}\n`));
      else socket.destroy();
    });
  });

  async function obey(request: Numbered): Promise<Reply> {
    const { id } = request;
    try {
      return { id, done: await answer(request) };
    } catch (error) {
      return { id, failed: messageOf(error) };
    }
  }

  async function answer(request: Request): Promise<Answers[Request['kind']]> {
    switch (request.kind) {
      case 'hello':
        return { build, pid: process.pid };
      case 'all':
        return await containers.all(request);
      case 'put':
        return await containers.put(request.container);
      case 'drop':
        containers.drop(request.containerId);
        return undefined;
      case 'elsewhere':
        containers.elsewhere(request.networkId, request.endpoints);
        return undefined;
      case 'sockets':
        return await containers.sockets();
      case 'end':
        end();
        return undefined;
      default:
        throw new Error('this version does not know that request');
    }
  }

  return {
    get isAlone() {
      return engine === undefined;
    },
    isReachable,
    end,
  };
}

/** Undefined for what no engine says: it must not end the names of all containers. */
function read(line: string): Numbered | undefined {
  try {
    return JSON.parse(line) as Numbered;
  } catch {
    return undefined;
  }
}

/** By another name first: so at no moment there is a path where nobody listens. Only this user gets in. */
async function listen(server: Server, path: string): Promise<void> {
  const fresh = `${path}.new`;
  rmSync(fresh, { force: true });
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(fresh, resolve));
  } finally {
    process.umask(umask);
  }
  renameSync(fresh, path);
}
