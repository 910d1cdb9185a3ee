import { messageOf } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';

/** Size of a container's writes, alone and together with its image, in bytes: `docker ps -s`, `system df`. */
export async function containerSize(
  context: Context,
  container: Container,
): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const { record } = container;
  const [written, image] = await Promise.all([
    context.helper.call('diskUsage', { path: context.paths.upper(record.id) }).then(
      ({ bytes }) => bytes,
      // It never started, so there is nothing yet.
      () => 0,
    ),
    context.images.inspect(record.imageId).then(
      ({ Size }) => Size,
      (error: unknown) => {
        context.log.debug('the image of a container is gone', { container: record.id, error: messageOf(error) });
        return 0;
      },
    ),
  ]);
  return { SizeRw: written, SizeRootFs: written + image };
}
