import type { Row } from './row.js';
import { containerRows } from './rows/containers.js';
import { extensionRows } from './rows/extensions.js';
import { logRows } from './rows/logs.js';

/** All lines, in the order of the tables. */
export const rows: readonly Row[] = [...containerRows, ...logRows, ...extensionRows];
