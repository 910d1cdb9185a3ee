import { messageOf } from '@cleat/protocol/errors';
import type { Container } from '../container.js';
import type { Room } from '../room.js';

/** What a container wrote, and that together with its image, in bytes: `docker ps -s`, `system df`. */
export async function containerSize(room: Room, container: Container): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const { record } = container;
  const [written, image] = await Promise.all([
    room.helper.call('diskUsage', { path: room.paths.upper(record.id) }).then(
      ({ bytes }) => bytes,
      // It never started, so there is nothing yet.
      () => 0,
    ),
    room.images.inspect(record.imageId).then(
      ({ Size }) => Size,
      (error: unknown) => {
        room.log.debug('the image of a container is gone', { container: record.id, error: messageOf(error) });
        return 0;
      },
    ),
  ]);
  return { SizeRw: written, SizeRootFs: written + image };
}
