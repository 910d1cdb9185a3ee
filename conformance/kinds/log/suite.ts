import { logKind } from '@cleat/protocol/kinds/log';
import type { Suite } from '../../verify/suite.js';
import { crashing } from './crashing.js';
import { looking } from './looking.js';
import { reading } from './reading.js';
import { starting } from './starting.js';
import { streaming } from './streaming.js';

export const logSuite = {
  kind: logKind,
  harmless: { method: 'StopLogging', request: { File: '/run/docker/logging/no-such-stream' } },
  cases: [...looking, ...starting, ...streaming, ...reading, ...crashing],
} satisfies Suite;
