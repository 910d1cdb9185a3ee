/** Aborted by Ctrl-C or SIGTERM: what is under way at a registry ends, and temporary files are removed. */
export function interruption(): Disposable & { readonly signal: AbortSignal } {
  const stop = new AbortController();
  const abort = () => stop.abort(new Error('interrupted'));
  process.once('SIGINT', abort);
  process.once('SIGTERM', abort);
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      process.removeListener('SIGINT', abort);
      process.removeListener('SIGTERM', abort);
    },
  };
}
