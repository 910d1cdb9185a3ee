import { join } from 'node:path';
import { noRemove, PluginProcess } from './plugin-process.js';

/** The driver that {@link SharedPlugin} serves. */
export const sharedDriver = `cleat-bench-${process.pid}`;

/** One volume plugin, the same process for all engines: where every one looks, also a stock one, under its own name. */
export class SharedPlugin extends PluginProcess {
  constructor() {
    super(noRemove, join('/run/docker/plugins', `${sharedDriver}.sock`));
  }
}
