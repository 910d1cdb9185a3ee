import { rename, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { defineExtension, implement, metricsKind } from '@cleat/sdk';

/** Writes the engine's metrics to a file, now and then, from StartMetrics until StopMetrics. */
export default defineExtension({
  options: {
    from: { default: '/run/docker/metrics.sock', help: "the engine's socket" },
    file: { default: '/var/lib/my-plugin/engine.prom', help: 'where they go' },
    seconds: { default: '15', help: 'how often' },
  },
  start({ options, log }) {
    let timer: NodeJS.Timeout | undefined;
    const page = () =>
      new Promise<string>((resolve, reject) => {
        const asked = request({ socketPath: options.from, path: '/metrics', timeout: 5_000 }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve(text)).on('error', reject);
        });
        asked.on('timeout', () => asked.destroy(new Error('no answer'))).on('error', reject);
        asked.end();
      });
    const collect = async () => {
      // Written aside and moved into place: a reader never sees half of it.
      await writeFile(`${options.file}.new`, await page());
      await rename(`${options.file}.new`, options.file);
    };
    const stop = () => clearInterval(timer);
    const collector = implement(metricsKind, {
      // Again after each restart of the engine's.
      StartMetrics() {
        stop();
        const once = () => collect().catch((error) => log.warn('no metrics this time', { error: String(error) }));
        timer = setInterval(once, Number(options.seconds) * 1000);
        void once();
      },
      StopMetrics: stop,
    });
    return { implementations: [collector], close: stop };
  },
});
