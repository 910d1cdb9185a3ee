import { builderKind } from '@cleat/protocol/kinds/builder';
import type { Suite } from '../../verify/suite.js';
import { building } from './building.js';
import { keeping } from './keeping.js';

export const builderSuite = {
  kind: builderKind,
  harmless: { method: 'DiskUsage', request: { Engine: '/nonexistent/verify-no-engine-here.sock' } },
  cases: [...building, ...keeping],
} satisfies Suite;
