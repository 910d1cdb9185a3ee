import type { OptionDeclarations } from '@cleat/protocol/options';

/** None: what differs from container to container is in `log-options.ts`. */
export const options = {} as const satisfies OptionDeclarations;
