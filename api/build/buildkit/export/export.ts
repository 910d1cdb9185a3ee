import type { Readable } from 'node:stream';
import type { Builds } from '@cleat/engine/build/service';
import { owned } from '@cleat/protocol/guard';
import type { Job, Result } from '../control/job.js';
import type { Session } from '../session/sessions.js';
import type { Exporter } from './exporters.js';
import { type PushServices, pushImage } from './push.js';
import { checkPlace, sendBytes, sendFiles } from './send.js';

export interface ExportServices extends PushServices {
  readonly builds: Pick<Builds, 'publish' | 'rootfs' | 'save' | 'trees'>;
}

/** Sends a result where its client wants it. @returns what the client is told of it */
export async function exportResult(
  services: ExportServices,
  job: Job,
  { image, metadata, cacheManifest, isOfAnother }: Result,
  exporters: readonly Exporter[],
): Promise<Map<string, string>> {
  const response = new Map([...metadata].map(([name, value]) => [name, Buffer.from(value).toString('utf8')]));
  if (image === undefined) return response;
  // An image that this job has built has its names since then.
  const toImages = exporters.filter(({ type }) => type === 'image');
  if (isOfAnother && toImages.length > 0) {
    services.builds.publish(
      image,
      toImages.flatMap(({ names }) => names),
    );
  }
  for (const exporter of exporters) await exportOne(services, job, image, exporter);
  const names = exporters.flatMap((exporter) => exporter.names);
  response.set('containerimage.digest', image).set('containerimage.config.digest', image);
  if (cacheManifest !== undefined) response.set('cache.manifest', cacheManifest);
  if (names.length > 0) response.set('image.name', names.join(','));
  return response;
}

async function exportOne(
  services: ExportServices,
  job: Job,
  image: string,
  { type, id, names, push }: Exporter,
): Promise<void> {
  const { progress, signal } = job;
  if (type === 'image') {
    // The engine has it, with its names, since it was built; this is what tells so.
    await progress.step('exporting to image', async (report) => {
      await report({ id: 'exporting layers', done: true });
      await report({ id: `writing image ${image}`, done: true });
      for (const name of names) await report({ id: `naming to ${named(name)}`, done: true });
    });
    if (push) for (const name of names) await pushImage(services, job, fullName(name));
    return;
  }
  const session: Session = await job.session();
  const { builds } = services;
  checkPlace(session);
  if (type === 'local') {
    await progress.step('exporting to client directory', async (report) =>
      sending(await builds.rootfs(image, signal), (tar) =>
        sendFiles(session, id, builds.trees.filesOf(tar), signal, report),
      ),
    );
  } else if (type === 'tar') {
    await progress.step('exporting to client tarball', async (report) =>
      sending(await builds.rootfs(image, signal), (tar) => sendBytes(session, id, tar, signal, report)),
    );
  } else {
    await progress.step(`exporting to ${type} image format`, async (report) =>
      sending(await builds.save(image, names), (archive) => sendBytes(session, id, archive, signal, report)),
    );
  }
}

/** Closes what is sent, also where the client takes no more of it: there are mounts and helpers behind it. */
async function sending(source: Readable, send: (source: Readable) => Promise<void>): Promise<void> {
  try {
    await send(owned(source));
  } finally {
    source.destroy();
  }
}

/** As a stock engine shows it: with registry and namespace, and with a tag where it was given one. */
function named(name: string): string {
  const [first = '', ...rest] = name.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return isHost ? name : `docker.io/${rest.length > 0 ? '' : 'library/'}${name}`;
}

function fullName(name: string): string {
  const path = named(name);
  return /:[^/]*$/.test(path) ? path : `${path}:latest`;
}
