import { authzKind } from '@cleat/protocol/kinds/authz';
import type { Suite } from '../../verify/suite.js';
import { asking } from './asking.js';
import { deciding } from './deciding.js';
import { question } from './steps.js';

export const authzSuite = {
  kind: authzKind,
  harmless: { method: 'AuthZReq', request: question('GET', '/v1.41/_ping') },
  cases: [...asking, ...deciding],
} satisfies Suite;
