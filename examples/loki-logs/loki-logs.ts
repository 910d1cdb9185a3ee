import { setTimeout as pause } from 'node:timers/promises';
import { defineExtension, implement, logKind } from '@cleat/sdk';
import { entrySink, LogDriver } from '@cleat/sdk/logs';
import { LineJoiner } from './line-joiner.js';
import { type LokiOptions, lokiOptions } from './options.js';
import { Shipper } from './shipper.js';

/** How long what waits may take when we are told to end. */
const closeMs = 5000;

/**
 * Ships output to Loki. Whatever Loki does, it is read as it comes: an engine whose pipe is full may hold up the
 * container that writes to it.
 */
export default defineExtension({
  start({ log }) {
    /** By container: also those that have ended, while something waits. One that is started again goes on in order. */
    const shippers = new Map<string, Shipper>();
    const shipperOf = (options: LokiOptions): Shipper => {
      const { container, name } = options;
      const shipper = shippers.get(container) ?? new Shipper(options, log.child({ container: name }));
      shippers.set(container, shipper);
      return shipper;
    };
    const driver = new LogDriver({
      log,
      destination: {
        options: lokiOptions,
        open(options) {
          const shipper = shipperOf(options);
          const joiner = new LineJoiner();
          shipper.begin();
          const sink = entrySink((entries) => shipper.add(entries.flatMap((entry) => joiner.add(entry))));
          // Nobody waits for Loki: what is left goes there afterwards.
          sink.close = async () => {
            shipper.add(joiner.rest());
            shipper.end();
            void shipper.finished.then(() => {
              if (shipper.isOver && shippers.get(options.container) === shipper) shippers.delete(options.container);
            });
          };
          return sink;
        },
      },
    });
    return {
      implementations: [implement(logKind, driver.handlers)],
      async close() {
        await driver.close();
        const finished = () => Promise.all([...shippers.values()].map((shipper) => shipper.finished));
        await Promise.race([finished(), pause(closeMs, undefined, { ref: false })]);
        for (const shipper of shippers.values()) shipper.abandon();
        await finished();
      },
    };
  },
});
