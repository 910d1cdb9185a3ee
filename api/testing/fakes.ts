import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttachSession, OutputFrame } from '@cleat/engine/streams/service';
import { silentLogger } from '@cleat/protocol/log';
import { type Api, type ApiOptions, type ApiServices, openApi } from '../index.js';

type Partially<T> = { [K in keyof T]?: Partial<T[K]> };

/** Services of which only what a test gives exists; everything else throws when it is called. */
export function fakeServices(parts: Partially<ApiServices>): ApiServices {
  const names = [
    'builds',
    'containers',
    'execs',
    'images',
    'networks',
    'volumes',
    'plugins',
    'events',
    'system',
  ] as const;
  const services = names.map((name) => [
    name,
    new Proxy(parts[name] ?? {}, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key) ?? (key === 'cursor' ? 'AAAAAAAA.0' : undefined);
        if (value === undefined) throw new Error(`the test has no ${name}.${String(key)}`);
        return value;
      },
    }),
  ]);
  const { extensions, audit, authorization, hooks, store } = parts;
  return { ...Object.fromEntries(services), extensions, audit, authorization, hooks, store } as ApiServices;
}

export interface TestApi extends AsyncDisposable {
  readonly api: Api;
  readonly socketPath: string;
  connect(): Socket;
}

/** The API on a UNIX socket of its own. */
export async function startApi(
  services: Partially<ApiServices>,
  options: Partial<Omit<ApiOptions, 'services'>> = {},
): Promise<TestApi> {
  const directory = await mkdtemp(join(tmpdir(), 'cleat-api-'));
  const socketPath = join(directory, 'api.sock');
  const api = openApi({ log: silentLogger, version: '0.0.0-test', ...options, services: fakeServices(services) });
  await api.listen(`unix://${socketPath}`);
  return {
    api,
    socketPath,
    connect: () => connect({ path: socketPath, allowHalfOpen: true }),
    async [Symbol.asyncDispose]() {
      await api.close(0);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A process that echoes its input, and says `bye` when its input ends. */
export function echoSession(tty: boolean): AttachSession & { readonly received: string[] } {
  const queue: OutputFrame[] = [];
  const received: string[] = [];
  let ended = false;
  let wake: () => void = () => {};
  const push = (text: string): void => {
    queue.push({ stream: 1, data: Buffer.from(text) });
    wake();
  };
  return {
    tty,
    received,
    output: (async function* () {
      for (;;) {
        const next = queue.shift();
        if (next) yield next;
        else if (ended) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    })(),
    async write(data) {
      received.push(Buffer.from(data).toString());
      push(Buffer.from(data).toString());
    },
    async endInput() {
      push('bye');
      ended = true;
      wake();
    },
    close() {
      ended = true;
      wake();
    },
  };
}

/** Sends `text` and collects everything until the server closes its side; `end` half-closes ours after sending. */
export function talk(socket: Socket, text: string, options: { end?: boolean } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.on('end', () => {
      socket.end();
      resolve(answer);
    });
    socket.on('error', reject);
    socket.write(text, 'latin1');
    if (options.end) socket.end();
  });
}

/** Resolves when what came from the server contains `wanted`. */
export function until(socket: Socket, wanted: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const onClose = (): void => reject(new Error(`closed before ${JSON.stringify(wanted)}: ${JSON.stringify(answer)}`));
    const onData = (chunk: Buffer): void => {
      answer += chunk.toString('latin1');
      if (!answer.includes(wanted)) return;
      socket.off('data', onData).off('close', onClose).off('error', reject);
      resolve(answer);
    };
    socket.on('data', onData).once('close', onClose).once('error', reject);
  });
}
