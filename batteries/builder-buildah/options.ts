import type { OptionDeclarations } from '@cleat/protocol/options';

export const options = {
  stateDir: { required: true, help: 'a directory for the storage of buildah' },
  containerView: {
    default: '',
    help: "set by an engine with --userns-remap, for which nothing is built: RUN has the host's users",
  },
  command: { default: 'buildah', help: 'the program' },
  runtime: { default: 'runc', help: 'the OCI runtime of RUN' },
  storageDriver: { default: 'overlay', help: 'how buildah stores layers: overlay or vfs' },
} as const satisfies OptionDeclarations;
