import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { builderKind } from '@cleat/protocol/kinds/builder';
import { BuildKitBuilder } from './driver.js';
import { options, socketPath } from './options.js';

export default {
  options,
  start: ({ options: { address }, log }) => ({
    implementations: [implement(builderKind, new BuildKitBuilder(socketPath(address), log))],
  }),
} satisfies ExtensionModule<typeof options>;
