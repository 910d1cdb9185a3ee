import { invalidParameter, notImplemented } from '@cleat/protocol/errors';

/** Where a result goes, as clients say it: `--output type=…`. */
export interface ExporterRequest {
  readonly Type?: string;
  readonly Attrs?: ReadonlyMap<string, string>;
}

export interface Exporter {
  readonly type: 'image' | 'docker' | 'oci' | 'tar' | 'local';
  /** Names of the image. */
  readonly names: readonly string[];
  /** The engine pushes the image by these. */
  readonly push: boolean;
  /** Which of the client's outputs it is. */
  readonly id: number;
}

/** Attributes that are served, and those that ask for what is so anyway. */
const served: Readonly<Record<Exporter['type'], readonly string[]>> = {
  image: ['name', 'load', 'push', 'unpack', 'store', 'name-canonical', 'dangling-name-prefix', 'prefer-image-digest'],
  docker: ['name', 'tar', 'context', 'dest', 'name-canonical'],
  oci: ['name', 'tar', 'dest', 'name-canonical'],
  tar: ['dest'],
  local: ['dest', 'mode'],
};
/** For all of them; BuildKit, too, no longer writes inline build information. */
const harmless = ['buildinfo-attrs', 'buildinfo', 'source-date-epoch'];

/** @throws InvalidParameter, NotImplemented for what is not served: nothing is left out silently */
export function exportersOf(requests: readonly ExporterRequest[]): Exporter[] {
  return requests.map(({ Type = '', Attrs = new Map<string, string>() }, id) => {
    const type = Type === 'moby' ? 'image' : Type;
    if (!isServed(type)) {
      throw notImplemented(`the exporter ${Type} is not served: use image, docker, oci, tar or local`);
    }
    for (const [name, value] of Attrs) {
      if (served[type].includes(name) || harmless.includes(name)) continue;
      if (name === 'compression' && value === 'uncompressed' && isArchive(type)) continue;
      throw notImplemented(`the option ${name} of the exporter ${Type} is not served: leave it out`);
    }
    if (Attrs.has('tar') && !isTrue(Attrs.get('tar'))) {
      throw notImplemented(`${Type} goes to a file here: leave tar=false out`);
    }
    if (type === 'local' && !['', 'copy', 'delete'].includes(Attrs.get('mode') ?? '')) {
      throw invalidParameter(`invalid local exporter mode ${Attrs.get('mode')}`);
    }
    const names = (Attrs.get('name') ?? '').split(',').filter(Boolean);
    const push = type === 'image' && isTrue(Attrs.get('push'));
    if (push && names.length === 0) throw invalidParameter('tag is needed when pushing to registry');
    return { type, id, names, push };
  });
}

/** Layers of archives are not compressed here. */
function isArchive(type: Exporter['type']): boolean {
  return type === 'docker' || type === 'oci';
}

function isServed(type: string): type is Exporter['type'] {
  return Object.hasOwn(served, type);
}

function isTrue(value: string | undefined): boolean {
  return ['1', 't', 'true'].includes((value ?? '').toLowerCase());
}
