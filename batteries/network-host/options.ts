import type { OptionDeclarations } from '@cleat/protocol/options';

/** None: the host's own network has nothing to choose. */
export const options = {} as const satisfies OptionDeclarations;
