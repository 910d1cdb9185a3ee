import { createServer } from 'node:http';
import { listenOnSocket } from '@cleat/sdk/server';
import type { Reached } from '../reach.js';
import { CallRecord } from './call-record.js';
import { eventText, headText } from './format.js';
import { forward } from './forward.js';
import { type RedactOptions, redactor } from './redact.js';

export interface RecorderOptions {
  /** The settings of a recording. */
  readonly plugin: Reached;
  /** Where engines are to ask instead: the path of a UNIX socket. */
  readonly socket: string;
  /** Permission bits of the socket; default 0600. */
  readonly mode?: number;
  /** Takes the text of the recording, piece by piece, each of them whole lines; must not throw. */
  write(text: string): void;
  readonly redact?: RedactOptions;
  /** How long calls under way may take to finish at the end, in ms; default 5,000. */
  readonly graceMs?: number;
}

/** Stands between engines and a plugin. */
export interface Recorder extends AsyncDisposable {
  /** `unix:///path` */
  readonly address: string;
  /** How many calls there were so far. */
  readonly calls: number;
  /** Takes no more calls, lets those under way finish. */
  close(): Promise<void>;
}

/**
 * Passes every call on to a plugin, and its answer back, and writes what was said. Other calls do not wait for one.
 * @throws Conflict when somebody listens at the socket; InvalidParameter for what the plugin's description says
 */
export async function record(options: RecorderOptions): Promise<Recorder> {
  const { plugin, socket, write, graceMs = 5_000 } = options;
  const carrier = plugin.open();
  const redact = redactor(options.redact ?? {});
  const startMs = performance.now();
  const underWay = new Set<Promise<void>>();
  let calls = 0;
  // Engines of all ages connect; and they do not repeat a call that meets a connection which is just closed.
  const server = createServer({ requireHostHeader: false, keepAliveTimeout: 0 }, (request, response) => {
    const record = new CallRecord(
      ++calls,
      () => performance.now() - startMs,
      (event) => write(eventText(redact(event, request.url ?? ''))),
    );
    const call = forward(carrier, request, response, record).finally(() => underWay.delete(call));
    underWay.add(call);
  });
  const address = await listenOnSocket(server, socket, options.mode ?? 0o600);
  write(headText(`${plugin.name} at ${plugin.origin}`, new Date().toISOString()));
  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    await Promise.allSettled(underWay);
    clearTimeout(timer);
    server.closeAllConnections();
    await closed;
    await carrier.close();
  };
  const recorder: Recorder = {
    address,
    get calls() {
      return calls;
    },
    close() {
      closing ??= close();
      return closing;
    },
    async [Symbol.asyncDispose]() {
      await recorder.close();
    },
  };
  return recorder;
}
