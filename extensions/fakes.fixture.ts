import type { Reply } from '@cleat/protocol/answer';
import { silentLogger } from '@cleat/protocol/log';
import { type Carrier, TransportError } from './carriers/carrier.js';
import { type Extensions, openExtensions } from './index.js';
import type { Source } from './source.js';
import type { Launched, Launcher } from './supervisor/launcher.js';

/** A registry of which nothing is on disk. */
export function emptyRegistry(more: Partial<Parameters<typeof openExtensions>[0]> = {}): Extensions {
  return openExtensions({
    manifestPaths: [],
    overrides: {},
    variables: {},
    pluginDirectories: [],
    dataRoot: '/nonexistent',
    execRoot: '/nonexistent',
    hostPath: '/nonexistent',
    log: silentLogger,
    ...more,
  });
}

type Handler = (path: string, body: string, signal: AbortSignal) => Promise<string> | string;

/** An extension in this process, and what became of it. */
export class FakeSource implements Source {
  readonly #handle: Handler;
  readonly #kinds: readonly string[];
  #ready: ((signal: AbortSignal) => Promise<void>) | undefined;
  readonly #stop = new AbortController();
  readonly calls: string[] = [];
  started = 0;
  closed = 0;
  open = 0;
  /** Nobody answers for it while this is so. */
  absent = false;
  status = 200;

  constructor(handle: Handler = () => '{}', kinds: readonly string[] = ['VolumeDriver']) {
    this.#handle = handle;
    this.#kinds = kinds;
  }

  start(ready: (signal: AbortSignal) => Promise<void>): void {
    this.started++;
    this.#ready = ready;
  }

  locate() {
    if (this.absent) return undefined;
    return {
      id: 'fake',
      origin: 'fake',
      open: async () => {
        await this.#ready?.(this.#stop.signal);
        this.open++;
        return this.#carrier();
      },
    };
  }

  patienceMs(): number {
    return 0;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.closed++;
  }

  #carrier(): Carrier {
    const broken: (() => void)[] = [];
    const call = (path: string, body: string, signal: AbortSignal): Promise<Reply> => {
      this.calls.push(path.slice(1));
      if (path === '/Plugin.Activate') {
        return Promise.resolve({ status: this.status, text: JSON.stringify({ Implements: this.#kinds }) });
      }
      return new Promise((resolve, reject) => {
        broken.push(() => reject(new TransportError('the connection broke', { fault: 'broken', sent: true })));
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        Promise.resolve(this.#handle(path.slice(1), body, signal)).then(
          (text) => resolve({ status: 200, text }),
          reject,
        );
      });
    };
    return {
      call: (path, body, { signal }) => call(path, body, signal),
      stream: call,
      close: async () => {
        this.open--;
        for (const breakOff of broken) breakOff();
      },
    };
  }
}

/** Processes that are none: a test says when each ends. */
export class FakeLauncher implements Launcher {
  readonly launched: { pid: number; end: (how: string) => void; stopped: boolean }[] = [];
  adoptable: Launched | undefined;
  closed = 0;
  /** Each launch waits for it first, and fails as it does. */
  before: (signal: AbortSignal) => Promise<unknown> = async () => {};
  /** Called with each one that runs. */
  onLaunch: () => unknown = () => {};

  async launch(signal: AbortSignal): Promise<Launched> {
    await this.before(signal);
    await this.onLaunch();
    return this.process();
  }

  /** A process that runs, for adoption as for a launch. */
  process(): Launched {
    let end: (how: string) => void = () => {};
    const ended = new Promise<string>((resolve) => {
      end = resolve;
    });
    const one = { pid: 1000 + this.launched.length, end, stopped: false };
    this.launched.push(one);
    const stop = async () => {
      one.stopped = true;
      end('stopped');
    };
    return { pid: one.pid, ended, stop };
  }

  async adopt(): Promise<Launched | undefined> {
    return this.adoptable;
  }

  async close(): Promise<void> {
    this.closed++;
  }
}
