import type { Events } from '../events/service.js';
import type { Told } from './state/announce.js';

/** Publishes a container event with what Docker's carry: all labels, `image`, `name`, and `more`. */
export function emitterFor(events: Events) {
  return (container: Told, action: string, more: Record<string, string> = {}, at?: Date): void => {
    const { config, name } = container.record;
    events.publish({
      type: 'container',
      action,
      id: container.id,
      attributes: { ...config.Labels, ...more, image: config.Image ?? '', name },
      at,
    });
  };
}
