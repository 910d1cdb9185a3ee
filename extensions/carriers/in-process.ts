import type { Reply } from '@cleat/protocol/answer';
import type { Ending } from '@cleat/protocol/async/deadline';
import { Dispatcher, type StreamReply } from '@cleat/protocol/dispatch';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { type ExtensionModule, type RunningExtension, startExtension } from '@cleat/protocol/extension';
import type { Logger } from '@cleat/protocol/log';
import { type Carrier, TransportError } from './carrier.js';
import { loadModule } from './modules.js';

export interface ModuleSettings {
  /** The driver's name. */
  name: string;
  /** Absolute path of the module. */
  path: string;
  options: Readonly<Record<string, unknown>>;
  log: Logger;
}

/**
 * An extension loaded into this process. The messages are the socket's, as text: a module cannot tell the difference,
 * and nothing of ours is shared with it by reference. A handler that blocks the event loop blocks the engine.
 */
export class InProcessCarrier implements Carrier {
  readonly #running: RunningExtension;
  readonly #dispatcher: Dispatcher;
  readonly #stop: AbortController;
  /** Each ends the wait for one answer. */
  readonly #open = new Set<() => void>();

  private constructor(running: RunningExtension, stop: AbortController) {
    this.#running = running;
    this.#dispatcher = new Dispatcher(running.implementations);
    this.#stop = stop;
  }

  /** Loads and starts the module. @throws Unavailable when it cannot be loaded or does not start */
  static async load({ name, path, options, log }: ModuleSettings): Promise<InProcessCarrier> {
    const stop = new AbortController();
    try {
      const loaded = await loadModule(path);
      const module = (loaded as { default?: unknown }).default;
      if (!isModule(module)) throw new Error('its default export is no extension module (no start function)');
      return new InProcessCarrier(await startExtension(module, { name, options, log, signal: stop.signal }), stop);
    } catch (cause) {
      throw unavailable(`cannot load ${path}: ${messageOf(cause)}`, { cause });
    }
  }

  async call(path: string, body: string, ending: Ending): Promise<Reply> {
    const reply = await this.#serve(path, body, ending.signal);
    return 'text' in reply ? reply : { status: 500, text: `${path.slice(1)} answered with a stream` };
  }

  async stream(path: string, body: string, signal: AbortSignal, upload?: AsyncIterable<Uint8Array>) {
    return await this.#serve(path, body, signal, upload);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    for (const breakOff of this.#open) breakOff();
    await this.#running.close?.();
  }

  /** The deadline holds for asynchronous hangs here, too; the handler may still finish, unheard. */
  #serve(
    path: string,
    text: string,
    signal: AbortSignal,
    body?: AsyncIterable<Uint8Array>,
  ): Promise<Reply | StreamReply> {
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal.reason);
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      const breakOff = () => reject(new TransportError('it was stopped', { fault: 'broken', sent: true }));
      this.#open.add(breakOff);
      this.#dispatcher
        .serve(path, text, { signal, ...(body && { body }) })
        .then(resolve, reject)
        .finally(() => {
          signal.removeEventListener('abort', onAbort);
          this.#open.delete(breakOff);
        });
    });
  }
}

function isModule(value: unknown): value is ExtensionModule {
  return typeof value === 'object' && value !== null && 'start' in value && typeof value.start === 'function';
}
