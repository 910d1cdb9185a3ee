import { defineExtension, hookKind, implement } from '@cleat/sdk';

async function* loud(bytes: AsyncIterable<Uint8Array> = (async function* () {})()): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    const text = Buffer.from(piece).toString();
    if (text.includes('break it')) throw new Error('as you wish');
    yield Buffer.from(text.toUpperCase());
  }
}

/** Makes all bytes that flow upper case. */
export default defineExtension({
  start: () => ({
    implementations: [
      implement(hookKind, {
        Capabilities: () => ({ Request: 'stream', Response: 'stream' }),
        Request: () => ({ Set: [{ Path: 'Headers.X-Loud', Value: 'yes' }] }),
        Response: ({ Status }) => ({ Set: [{ Path: 'Headers.X-Was', Value: String(Status) }] }),
        RequestStream: (_message, { body }) => loud(body),
        ResponseStream: (_message, { body }) => loud(body),
      }),
    ],
  }),
});
