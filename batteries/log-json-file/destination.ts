import { FileSink } from '@cleat/sdk/logs/file-sink';
import type { LogDestination } from '@cleat/sdk/logs/sink';
import { jsonFormat } from './format.js';
import { type JsonFileOptions, jsonFileOptions } from './log-options.js';

export const jsonFile: LogDestination<JsonFileOptions> = {
  options: jsonFileOptions,
  open: (options, rest) => new FileSink(options, jsonFormat(options.attributes), rest),
};
