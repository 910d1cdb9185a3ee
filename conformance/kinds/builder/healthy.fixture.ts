import { existsSync } from 'node:fs';
import { invalidParameter } from '@cleat/protocol/errors';
import type { BuildLine, builderKind } from '@cleat/protocol/kinds/builder';
import type { Handlers } from '@cleat/protocol/kinds/kind';

export type BuilderHandlers = Handlers<typeof builderKind>;

/** A builder that does everything right, as far as that goes without an engine. */
export class HealthyBuilder implements BuilderHandlers {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  Capabilities: NonNullable<BuilderHandlers['Capabilities']> = () => ({ Platforms: ['linux/amd64'] });

  Build: BuilderHandlers['Build'] = async function* ({ Dockerfile, Engine }) {
    if (!existsSync(Dockerfile)) return yield line({ Error: { Message: `there is no Dockerfile at ${Dockerfile}` } });
    yield line({ Vertex: { ID: '1', Name: 'FROM scratch', Step: 1, Steps: 2, Started: new Date().toISOString() } });
    yield line({ Error: { Message: `the engine does not answer on ${Engine}`, Vertex: '1' } });
  };

  DiskUsage: NonNullable<BuilderHandlers['DiskUsage']> = () => ({ Records: [{ ID: 'one', Size: 7 }] });

  Prune: NonNullable<BuilderHandlers['Prune']> = ({ Filters = {} }) => {
    const strange = Object.keys(Filters).find((name) => name !== 'until');
    if (strange !== undefined) throw invalidParameter(`invalid filter '${strange}'`);
    return { Removed: [], SpaceReclaimed: 0 };
  };
}

export const line = (one: BuildLine): Uint8Array => Buffer.from(`${JSON.stringify(one)}\n`);
