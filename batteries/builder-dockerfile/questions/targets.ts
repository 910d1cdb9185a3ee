import type { Dockerfile } from '../language/dockerfile.js';
import { commentOn, locationOf } from './location.js';
import { table } from './tables.js';

/** The stages that can be built (moby/buildkit `frontend/subrequests/targets`). */
export function targets({ stages, writing }: Dockerfile, file: string): { json: object; text: string } {
  const list = stages.map(({ name, base, platform, line }, index) => {
    const { comments, end = line } = writing.get(line) ?? {};
    const description = commentOn(name ?? '', comments);
    return {
      ...(name !== undefined && { name }),
      ...(index === stages.length - 1 && { default: true }),
      ...(description !== undefined && { description }),
      base,
      ...(platform !== undefined && { platform }),
      location: locationOf(line, end),
    };
  });
  const rows = list.map(({ name = '', default: isDefault, description = '' }) => {
    const shown = isDefault ? `${name} (default)`.trimStart() : name;
    return [shown, description];
  });
  return {
    json: { targets: list, sources: [Buffer.from(file).toString('base64')] },
    text: table([['TARGET', 'DESCRIPTION'], ...rows], 1),
  };
}
