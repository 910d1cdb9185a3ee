import { secretKind } from '@cleat/protocol/kinds/secret';
import type { Suite } from '../../verify/suite.js';
import { giving } from './giving.js';

export const secretSuite = {
  kind: secretKind,
  harmless: { method: 'GetSecret', request: { SecretName: 'verify-no-such-secret' } },
  cases: giving,
} satisfies Suite;
