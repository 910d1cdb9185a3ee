import type { Logger } from '@cleat/protocol/log';
import { LogDriver } from '@cleat/sdk/logs/driver';
import { readFiles } from '@cleat/sdk/logs/read-files';
import { jsonFile } from './destination.js';
import { jsonFormat } from './format.js';
import type { JsonFileOptions } from './log-options.js';

/** The driver `json-file`. */
export function jsonFileDriver(log: Logger): LogDriver<JsonFileOptions> {
  return new LogDriver({
    destination: jsonFile,
    worker: new URL('./worker.js', import.meta.url),
    read: ({ path }, config, following) => readFiles(path, jsonFormat(undefined), config, following),
    verbatim: true,
    isSame: (one, other) => one.path === other.path,
    log,
  });
}
