import { exporter, solveRequest } from '@cleat/protocol/buildkit/control';
import { list, map, message, rawFields, string } from '@cleat/protocol/grpc/message';

/** An image that a build is to leave with the engine. */
export interface WantedImage {
  /** Which of the build's exporters sends it. */
  readonly number: number;
  readonly names: readonly string[];
}

/** A call of `Solve` with results for the engine, in words that a BuildKit knows. */
export interface EngineSolve {
  /** The client's. */
  readonly session: string;
  readonly images: readonly WantedImage[];
  /** It has more exporters than the client's, which a BuildKit before 0.13 does not understand. */
  readonly needsSeveral: boolean;
  /** @param session by which the images come */
  encode(session: string): Uint8Array;
}

type Exporter = { Type: string; Attrs: ReadonlyMap<string, string> };

/** The fields that are written anew; all others stay as they came, also those that nobody here knows. */
const changed = message({
  ExporterDeprecated: string(3),
  ExporterAttrsDeprecated: map(4, string(2)),
  Session: string(5),
  Exporters: list(13, exporter),
});
const changedNumbers = [3, 4, 5, 13];

/**
 * Reads a call of `Solve`. Results for the engine (the exporter `moby`, which is dockerd's own) are to come as OCI
 * archives; those that are to be pushed, too, BuildKit pushes itself, with all that belongs to them.
 * @returns undefined for a call without such results
 */
export function engineSolve(request: Uint8Array): EngineSolve | undefined {
  const {
    Session: session,
    Exporters,
    ExporterDeprecated: Type,
    ExporterAttrsDeprecated: Attrs,
  } = solveRequest.decode(request);
  const asked: Exporter[] =
    Exporters.length > 0
      ? Exporters.map(({ Type: type = '', Attrs: attributes = new Map() }) => ({ Type: type, Attrs: attributes }))
      : [{ Type, Attrs }];
  const images = asked.flatMap(({ Type: type, Attrs: attributes }, number) => {
    return type === 'moby' ? [{ number, names: (attributes.get('name') ?? '').split(',').filter(Boolean) }] : [];
  });
  if (images.length === 0) return undefined;
  const pushes = asked.filter(({ Type: type, Attrs: attributes }) => type === 'moby' && isTrue(attributes.get('push')));
  const exporters = [...asked.map((one) => (one.Type === 'moby' ? archive(one) : one)), ...pushes.map(push)];
  return {
    session,
    images,
    needsSeveral: pushes.length > 0,
    encode(own) {
      const kept = [...rawFields(request)].filter(({ number }) => !changedNumbers.includes(number));
      const fresh = changed.encode({
        ExporterDeprecated: exporters[0]?.Type ?? '',
        ExporterAttrsDeprecated: new Map(exporters[0]?.Attrs),
        Session: own,
        Exporters: exporters.map(({ Type: type, Attrs: attributes }) => ({ Type: type, Attrs: new Map(attributes) })),
      });
      return Buffer.concat([...kept.map(({ bytes }) => bytes), fresh]);
    },
  };
}

/** Attributes that say where an image is kept, or goes: not for an archive. */
const placing = [
  ...['push', 'push-by-digest', 'registry.insecure', 'load', 'store', 'unpack', 'dest', 'tar', 'context'],
  ...['name-canonical', 'dangling-name-prefix', 'prefer-image-digest', 'unsafe-internal-store-allow-incomplete'],
];

function archive({ Attrs }: Exporter): Exporter {
  const kept = [...Attrs].filter(([name]) => !placing.includes(name));
  // The engine unpacks the layers at once. An image that is also pushed keeps the digest that the client is told.
  const plain: [string, string][] = isTrue(Attrs.get('push')) ? [] : [['compression', 'uncompressed']];
  return { Type: 'oci', Attrs: new Map([...plain, ...kept]) };
}

function push({ Attrs }: Exporter): Exporter {
  return { Type: 'image', Attrs: new Map([...Attrs, ['store', 'false'], ['unpack', 'false']]) };
}

function isTrue(value: string | undefined): boolean {
  return ['1', 't', 'true'].includes((value ?? '').toLowerCase());
}
