import type { Images } from '@cleat/engine/images/service';
import { systemError } from '@cleat/protocol/errors';
import type { Job } from '../control/job.js';
import { credentials } from '../session/services.js';

/** Where an image is pushed from. */
export interface PushServices {
  readonly images: Pick<Images, 'push'>;
}

/** Docker's own registry has another name where its credentials are kept. */
const dockerHub = { name: 'docker.io', key: 'registry-1.docker.io' };

/**
 * Pushes a name to its registry, with the credentials of the client (`--push`). Newer clients leave that to an engine that
 * writes archives by itself; older ones push once more, which finds everything there.
 * @param name with its registry and tag, as BuildKit shows it
 * @throws System in the registry's words
 */
export async function pushImage({ images }: PushServices, job: Job, name: string): Promise<void> {
  const { signal } = job;
  const [host = ''] = name.split('/');
  const tagAt = name.lastIndexOf(':');
  const session = await job.session();
  const auth = await credentials(session, host === dockerHub.name ? dockerHub.key : host, { signal });
  await job.progress.step(`pushing ${name}`, async (report) => {
    const options = { ref: name.slice(0, tagAt), tag: name.slice(tagAt + 1), ...(auth && { auth }), signal };
    for await (const line of images.push(options)) {
      if (line.error !== undefined) throw systemError(line.error);
      const { current = 0, total = 0 } = line.progressDetail ?? {};
      if (line.id) await report({ id: `${line.status ?? ''} ${line.id}`, current, total });
    }
  });
}
