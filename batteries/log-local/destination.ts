import { FileSink } from '@cleat/sdk/logs/file-sink';
import type { LogDestination } from '@cleat/sdk/logs/sink';
import { localFormat } from './format.js';
import { type LocalOptions, localOptions } from './log-options.js';

export const local: LogDestination<LocalOptions> = {
  options: localOptions,
  open: (options, rest) => new FileSink(options, localFormat(options.attributes), rest),
};
