import { invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import type { ArchiveFiles } from '../../content/archive-files.js';
import type { ArchivedImage, ArchivedManifest } from './archived-image.js';

/**
 * The format of `docker save` before 1.10: `repositories` (`{name: {tag: id}}`) and for each layer `<id>/json` and
 * `<id>/layer.tar`, chained by `parent`. Such a layer's files are hashed when they are read, which gives its diff ID.
 * @throws InvalidParameter
 */
export async function legacyImages(files: ArchiveFiles): Promise<ArchivedImage[]> {
  const repositories = await files.json('repositories');
  if (!isRecord(repositories)) throw invalidParameter('invalid archive: failed to decode repositories');
  const namesById = new Map<string, string[]>();
  for (const [name, tags] of Object.entries(repositories)) {
    if (!isRecord(tags)) continue;
    for (const [tag, id] of Object.entries(tags)) {
      if (typeof id !== 'string') continue;
      namesById.set(id, [...(namesById.get(id) ?? []), `${name}:${tag}`]);
    }
  }
  const images: ArchivedImage[] = [];
  for (const [id, names] of namesById) images.push(await legacyImage(files, id, names));
  return images;
}

const emptyTarDigest = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

async function legacyImage(files: ArchiveFiles, top: string, names: string[]): Promise<ArchivedImage> {
  const layers: ArchivedManifest['layers'] = [];
  const history: object[] = [];
  let newest: Record<string, unknown> | undefined;
  const seen = new Set<string>();
  for (let id: unknown = top; typeof id === 'string' && id !== ''; ) {
    if (!/^[a-f0-9]{64}$/.test(id) || seen.has(id)) throw invalidParameter(`invalid archive: layer ID ${id}`);
    seen.add(id);
    const step = await files.json(`${id}/json`);
    if (!isRecord(step)) throw invalidParameter(`invalid archive: ${id}/json is not a JSON object`);
    newest ??= step;
    const layer = files.get(`${id}/layer.tar`);
    const isEmpty = layer.digest === emptyTarDigest;
    if (!isEmpty) layers.unshift(layer);
    history.unshift(historyOf(step, isEmpty));
    id = step.parent;
  }
  const { architecture, os, created, author, config } = newest ?? {};
  const rootfs = { type: 'layers', diff_ids: layers.map((layer) => layer.digest) };
  const raw = JSON.stringify({ architecture, author, config, created, history, os, rootfs });
  return { manifests: [{ raw, layers }], names };
}

function historyOf(step: Record<string, unknown>, isEmpty: boolean): object {
  const command = isRecord(step.container_config) ? step.container_config.Cmd : undefined;
  return {
    created: step.created,
    ...(Array.isArray(command) && { created_by: command.join(' ') }),
    ...(typeof step.author === 'string' && { author: step.author }),
    ...(typeof step.comment === 'string' && { comment: step.comment }),
    ...(isEmpty && { empty_layer: true }),
  };
}
