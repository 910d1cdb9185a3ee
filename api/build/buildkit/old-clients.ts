import { randomBytes } from 'node:crypto';
import type { BuildContext } from '@cleat/engine/build/service';
import { statusResponse } from '@cleat/protocol/buildkit/control';
import { asCleatError, invalidParameter } from '@cleat/protocol/errors';
import { BuildRequest } from '@cleat/protocol/kinds/builder';
import Type, { type Static, type TSchema } from '@cleat/protocol/schema';
import type { Exchange } from '../../http/exchange.js';
import { jsonIn } from '../order.js';
import { Job } from './control/job.js';
import type { ControlServices } from './control/methods.js';
import { exportResult } from './export/export.js';
import { type ExporterRequest, exportersOf } from './export/exporters.js';
import { solveDockerfile } from './frontend/dockerfile.js';
import type { Uploads } from './uploads.js';

const Texts = Type.Array(Type.String());
const Map_ = Type.Record(Type.String(), Type.String());
const Arguments = Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]));
const Outputs = Type.Array(Type.Object({ Type: Type.Optional(Type.String()), Attrs: Type.Optional(Map_) }));

const uploadPrefix = 'upload-request:';

/**
 * BuildKit as the CLI of 18.09 to 22 knows it (`DOCKER_BUILDKIT=1`): a call of `POST /build?version=2` beside a session, with
 * the progress as its answer (moby `daemon/internal/builder-next/builder.go`).
 */
export async function buildForOldClient(x: Exchange, services: ControlServices, uploads: Uploads): Promise<void> {
  const id = x.query.text('buildid') || randomBytes(12).toString('hex');
  if (id.startsWith(uploadPrefix)) {
    await uploads.offer(id.slice(uploadPrefix.length), x.body(), x.signal);
    x.sendEmpty(200);
    return;
  }
  const attributes = attributesOf(x);
  const exporters = exportersOf(outputsOf(x));
  const sessionId = x.query.text('session');
  const stop = new AbortController();
  const signal = AbortSignal.any([x.signal, stop.signal]);
  const job = services.jobs.open(new Job(id, () => services.sessions.get(sessionId, signal), signal));
  const toImages = exporters.filter(({ type }) => type === 'image');
  if (toImages.length > 0) job.tags = toImages.flatMap(({ names }) => names);
  let telling: Promise<void> | undefined;
  try {
    await x.begin(200, 'application/json');
    telling = tell(x, job);
    // Awaited at the end; until then nobody hears its failure.
    telling.catch(() => {});
    const result = await solveDockerfile(services, job, {
      frontend: 'dockerfile.v0',
      attributes,
      inputs: new Map(),
      entitlements: x.query.text('networkmode') === 'host' ? ['network.host'] : [],
      cacheExports: attributes.get('build-arg:BUILDKIT_INLINE_CACHE') === '1' ? [{ Type: 'inline' }] : [],
      context: contextOf(x, services, uploads, id),
    });
    await exportResult(services, job, result, exporters);
    job.progress.end();
    await telling;
    if (result.image) {
      await x.writeLine({ id: 'moby.image.id', aux: { ID: result.image } });
      // `-q` prints this.
      if (x.query.flag('q')) await x.writeLine({ stream: `${result.image}\n` });
    }
    services.jobs.close(job);
  } catch (error) {
    services.jobs.close(job, error);
    // Refused before it began: an ordinary answer.
    if (!telling) throw error;
    await telling;
    const { message } = asCleatError(error);
    await x.writeLine({ errorDetail: { message }, error: message });
  }
  x.end();
}

/** Progress as lines with protobuf in them. */
async function tell(x: Exchange, job: Job): Promise<void> {
  for await (const status of job.progress.watch(x.signal)) {
    const aux = Buffer.from(statusResponse.encode(status)).toString('base64');
    await x.writeLine({ id: 'moby.buildkit.trace', aux });
  }
}

/** The context where it comes in a request, this one or another; undefined where it is the session's or a URL's. */
function contextOf(
  x: Exchange,
  { builds }: ControlServices,
  uploads: Uploads,
  id: string,
): ((signal: AbortSignal) => Promise<BuildContext>) | undefined {
  const remote = x.query.text('remote');
  if (remote === '') return (signal) => builds.contextFromTar(x.body(), { signal });
  if (remote !== 'upload-request') return undefined;
  return async (signal) => {
    const upload = await uploads.take(id, signal);
    try {
      return await builds.contextFromTar(upload.content, { signal });
    } finally {
      upload.done();
    }
  };
}

/** The query in the words of the front end. @throws InvalidParameter */
function attributesOf(x: Exchange): Map<string, string> {
  const { query } = x;
  const attributes = new Map<string, string>();
  const set = (name: string, value: string | undefined): void => {
    if (value) attributes.set(name, value);
  };
  const dockerfile = query.text('dockerfile');
  set('filename', dockerfile === '.' ? '' : dockerfile);
  const remote = query.text('remote');
  if (!['', 'client-session', 'upload-request'].includes(remote)) set('context', remote);
  set('target', query.text('target'));
  set('platform', query.text('platform'));
  set('cache-from', json(x, 'cachefrom', Texts)?.join(','));
  for (const [name, value] of Object.entries(json(x, 'buildargs', Arguments) ?? {})) {
    if (value !== null) attributes.set(`build-arg:${name}`, value);
  }
  for (const [name, value] of Object.entries(json(x, 'labels', Map_) ?? {})) attributes.set(`label:${name}`, value);
  if (query.flag('nocache')) attributes.set('no-cache', '');
  set('image-resolve-mode', query.flag('pull') ? 'pull' : 'default');
  const network = query.text('networkmode');
  if (!['', 'default', 'host', 'none'].includes(network)) {
    throw invalidParameter(`network mode ${JSON.stringify(network)} not supported by buildkit`);
  }
  set('force-network-mode', network === 'default' ? '' : network);
  set(
    'add-hosts',
    query
      .all('extrahosts')
      .map((entry) => entry.replace(':', '='))
      .join(','),
  );
  const shmSize = query.text('shmsize');
  set('shm-size', shmSize === '0' ? '' : shmSize);
  const ulimits = json(x, 'ulimits', BuildRequest.properties.Ulimits) ?? [];
  set('ulimit', ulimits.map(({ Name, Soft = 0, Hard = Soft }) => `${Name}=${Soft}:${Hard}`).join(','));
  set('cgroup-parent', query.text('cgroupparent'));
  if (query.flag('squash')) throw invalidParameter('squash is only supported with experimental mode');
  return attributes;
}

/** Where the result goes; to the engine's images if nothing is said. */
function outputsOf(x: Exchange): ExporterRequest[] {
  const outputs = json(x, 'outputs', Outputs) ?? [];
  if (outputs.length > 1) throw invalidParameter('multiple outputs not supported');
  const names = new Map([['name', x.query.all('t').join(',')]]);
  if (outputs.length === 0) return [{ Type: 'moby', Attrs: names }];
  return outputs.map(({ Type: type = '', Attrs = {} }) => ({
    Type: type === '' ? 'moby' : type,
    Attrs: new Map([...(type === 'local' || type === 'tar' ? [] : names), ...Object.entries(Attrs)]),
  }));
}

function json<S extends TSchema>(x: Exchange, name: string, schema: S): Static<S> | undefined {
  return jsonIn(x, name, schema, `error reading ${name}`);
}
