import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { builderKind } from '@cleat/protocol/kinds/builder';
import { BuildahBuilder } from './driver.js';
import { options } from './options.js';

export default {
  options,
  start: ({ options: settings, log }) => ({
    implementations: [
      implement(builderKind, new BuildahBuilder({ ...settings, isRemapped: settings.containerView !== '' }, log)),
    ],
  }),
} satisfies ExtensionModule<typeof options>;
