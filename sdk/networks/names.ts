import type { NamedEndpoint } from '@cleat/protocol/kinds/network';
import { netlabel } from '@cleat/protocol/kinds/network';

/** Where the names of a network's endpoints on other hosts are known. */
export interface NameSource {
  /** All that there are now; undefined while nobody knows: what was told before holds. */
  current(): readonly NamedEndpoint[] | undefined;
  /** Calls back after each change, perhaps too often. @returns a function that ends it */
  onChange(listener: () => void): () => void;
}

/**
 * The answer to `WatchNames` of a driver that shares names: a line for what there is, and one after each change. A reader
 * that is slow gets what is true when it reads.
 * @param signal of the call: its caller went away, or the plugin ends
 * @example
 * async WatchNames({ NetworkID }, { signal }) {
 *   refuseUnknown(NetworkID); // before the answer begins
 *   return nameLines({ current: () => namesOn(NetworkID), onChange }, signal);
 * }
 */
export async function* nameLines(source: NameSource, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let wake = () => {};
  let isNews = true;
  const unlisten = source.onChange(() => {
    isNews = true;
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  let told: string | undefined;
  try {
    while (!signal.aborted) {
      if (!isNews) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      isNews = false;
      const endpoints = source.current();
      if (endpoints === undefined) continue;
      const line = `${JSON.stringify({ Endpoints: endpoints })}\n`;
      if (line === told) continue;
      told = line;
      yield Buffer.from(line);
    }
  } finally {
    unlisten();
    signal.removeEventListener('abort', onAbort);
  }
}

/** The names that CreateEndpoint told to a driver that shares names; none where it did not. */
export function endpointNames(options: Readonly<Record<string, unknown>> | null | undefined): string[] {
  const names = options?.[netlabel.endpointNames];
  return Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
}
