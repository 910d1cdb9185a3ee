import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@cleat/protocol/errors';
import { defineExtension, implement, invalidParameter, metricsKind, unavailable } from '@cleat/sdk';

/** How long one page may take, in ms, and how large it may be. */
const deadlineMs = 5_000;
const largestPage = 16 * 1024 * 1024;

/** Keeps an engine's figures in a file that node_exporter's textfile collector serves to Prometheus. */
export default defineExtension({
  start({ options, log }) {
    const { page = '/run/docker/metrics.sock', textfile, every = '15' } = options;
    const pauseMs = Number(every) * 1_000;
    if (typeof textfile !== 'string') throw invalidParameter('say where the figures go: --textfile FILE.prom');
    if (!(pauseMs > 0)) throw invalidParameter(`--every takes seconds, not '${every}'`);
    let running = Promise.resolve();
    let stopping = new AbortController();

    const write = (text: string, isUp: boolean) => {
      // node_exporter may read at any moment: it finds the old page or the new one, whole.
      writeFileSync(`${textfile}.new`, `${text}# TYPE engine_page_up gauge\nengine_page_up ${isUp ? 1 : 0}\n`);
      renameSync(`${textfile}.new`, textfile);
    };
    const collect = async () => {
      const text = await read(String(page)).catch((error) => {
        log.warn('the engine’s figures could not be read', { error: messageOf(error) });
        return undefined;
      });
      try {
        // Old figures would pass for new ones.
        write(text ?? '', text !== undefined);
      } catch (error) {
        log.error('the engine’s figures could not be written', { error: messageOf(error) });
      }
    };
    const collectUntil = async (signal: AbortSignal) => {
      while (!signal.aborted) {
        await collect();
        await sleep(pauseMs, undefined, { signal }).catch(() => {}); // Stopped: the loop looks.
      }
    };
    const stop = async () => {
      stopping.abort();
      await running;
      rmSync(textfile, { force: true });
    };

    const collector = implement(metricsKind, {
      StartMetrics() {
        // Again, for an engine that came back.
        stopping.abort();
        stopping = new AbortController();
        const { signal } = stopping;
        // Not awaited: an engine may open its page only when it has our answer.
        running = running.then(() => collectUntil(signal));
      },
      StopMetrics: stop,
    });
    return { implementations: [collector], close: stop };
  },
});

/** The engine's page, from a UNIX socket. @throws Unavailable */
function read(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => reject(unavailable(`${socketPath}: ${cause.message}`, { cause }));
    const signal = AbortSignal.timeout(deadlineMs);
    get({ socketPath, path: '/metrics', signal, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.length > largestPage) response.destroy(new Error('the page is larger than any engine’s'));
      });
      response.on('error', fail);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else fail(new Error(`the page was answered with status ${response.statusCode}`));
      });
    }).on('error', fail);
  });
}
