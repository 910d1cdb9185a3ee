import type { OptionDeclarations } from '@cleat/protocol/options';

export const options = {
  engineId: { required: true, help: 'tags what is left on the host' },
  stateDir: { required: true, help: 'directory for its files' },
} as const satisfies OptionDeclarations;
