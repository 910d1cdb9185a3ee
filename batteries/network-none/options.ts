import type { OptionDeclarations } from '@cleat/protocol/options';

/** None: no network has nothing to choose. */
export const options = {} as const satisfies OptionDeclarations;
