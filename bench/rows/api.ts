import { getOften } from '../kept-connections.js';
import { type Row, stock } from '../row.js';
import { create, milliseconds, remove } from '../work.js';

const connections = 16;
const requests = 4_000;

/** The API under many clients that ask at once. */
export const apiRows: readonly Row[] = [
  {
    name: `\`_ping\`, ${connections} connections, ${requests} requests`,
    unit: 'ms',
    between: stock,
    atMost: 2,
    samples: 9,
    // The first answers are not those of every day.
    prepare: (engine) => getOften(engine.socket, '/_ping', connections, requests),
    sample: (engine) => milliseconds(() => getOften(engine.socket, '/_ping', connections, requests)),
  },
  {
    name: `\`inspect\` of a container, ${connections} connections, ${requests} requests`,
    unit: 'ms',
    between: stock,
    atMost: 1.11,
    samples: 9,
    prepare: async (engine) => {
      await create(engine, { Cmd: ['true'] }, 'inspected');
      await getOften(engine.socket, '/containers/inspected/json', connections, requests);
    },
    sample: (engine) =>
      milliseconds(() => getOften(engine.socket, '/containers/inspected/json', connections, requests)),
    finish: async (engine) => {
      await remove(engine, 'inspected');
    },
  },
];
