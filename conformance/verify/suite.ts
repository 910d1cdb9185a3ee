import type { Kind } from '@cleat/protocol/kinds/kind';
import type { Case } from './case.js';

/** The cases of one kind. */
export interface Suite {
  readonly kind: Kind;
  /** A call that changes nothing and that every plugin of the kind answers, if only with a refusal. */
  readonly harmless: { readonly method: string; readonly request: unknown };
  readonly cases: readonly Case[];
}
