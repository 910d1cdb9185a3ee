import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { defineExtension, implement, logKind } from '@cleat/sdk';
import { checkNames, entrySink, LogDriver } from '@cleat/sdk/logs';

/** A file for each container. The SDK reads the FIFO, takes it apart, and stops reading while you are too slow. */
export default defineExtension({
  options: { root: { default: '/var/log/my-plugin', help: 'where the files are' } },
  async start({ options, log }) {
    await mkdir(options.root, { recursive: true });
    const driver = new LogDriver({
      log,
      destination: {
        // Checks `--log-opt`. The user of `docker run` reads the text of a refusal.
        options(info) {
          checkNames(info, ['prefix'], (name) => `my-plugin has no log option '${name}': it knows 'prefix'`);
          return { file: join(options.root, `${info.ContainerID}.log`), prefix: info.Config?.prefix ?? '' };
        },
        open: ({ file, prefix }) =>
          entrySink(async (entries) => {
            const lines = entries.map(({ line }) => `${prefix}${Buffer.from(line)}\n`);
            await appendFile(file, lines.join(''));
          }),
      },
    });
    return { implementations: [implement(logKind, driver.handlers)], close: () => driver.close() };
  },
});
