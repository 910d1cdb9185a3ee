import { messageOf, systemError } from '@cleat/protocol/errors';
import type { HookStream } from '@cleat/protocol/kinds/hook';
import { readable } from '@cleat/protocol/untrusted';
import type { Link } from './link.js';
import type { Flow } from './service.js';

export interface FlowDeps {
  readonly message: HookStream;
  readonly signal: AbortSignal | undefined;
  warn(message: string, facts: Record<string, unknown>): void;
}

/**
 * Bytes on their way through hooks, each of which reads what the one before it writes, at its own pace. Nothing is kept
 * here. A hook that breaks the stream ends it, whatever the file says: half of it may be with the hook.
 * @returns undefined without hooks
 */
export function flowThrough(
  links: readonly Link[],
  method: 'requestStream' | 'responseStream',
  deps: FlowDeps,
): Flow | undefined {
  if (links.length === 0) return undefined;
  return (source) => links.reduce((bytes, link) => through(link, method, bytes, deps), source);
}

async function* through(
  link: Link,
  method: 'requestStream' | 'responseStream',
  source: AsyncIterable<Uint8Array>,
  { message, signal, warn }: FlowDeps,
): AsyncGenerator<Uint8Array> {
  /** The source's own failure: the client's, or the engine's. */
  let fault: { readonly error: unknown } | undefined;
  async function* watched(): AsyncGenerator<Uint8Array> {
    // Not by `yield*`: who reads this hands their own error in, which is none of the source's.
    const bytes = source[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await bytes.next().catch((error: unknown) => {
          fault = { error };
          throw error;
        });
        if (next.done) return;
        yield next.value;
      }
    } finally {
      if (!fault) await bytes.return?.();
    }
  }
  try {
    yield* await link.ask(signal, (call) => link.hook[method](message, watched(), call));
  } catch (error) {
    if (fault) throw fault.error;
    if (signal?.aborted) throw error;
    const why = readable(messageOf(error), 1000);
    link.failed(error);
    warn('a request hook broke a stream', { hook: link.name, request: message.ID, route: message.Route, error: why });
    throw systemError(`request hook ${link.name} failed: ${why}`, { cause: error });
  }
}
