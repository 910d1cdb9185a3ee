import type { OptionDeclarations } from '@cleat/protocol/options';

/** None: what gives no addresses has nothing to choose. */
export const options = {} as const satisfies OptionDeclarations;
