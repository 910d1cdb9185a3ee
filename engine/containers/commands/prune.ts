import { isClass } from '@cleat/protocol/errors';
import { checkFilters, excludesLabels, type Filters, matchLabels, untilFilter } from '../../filters.js';
import { parseTime } from '../../time.js';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { isRunning } from '../state/life.js';

/**
 * Removes every container that does not run. A filter that is not understood is refused, never ignored: otherwise it
 * would delete what was meant to stay.
 * @param remove removes one container, without its volumes
 * @param sizeOf bytes that a container wrote
 */
export async function pruneContainers(
  context: Pick<Context, 'events' | 'log' | 'registry'>,
  filters: Filters,
  remove: (container: Container) => Promise<void>,
  sizeOf: (container: Container) => Promise<number>,
): Promise<{ ContainersDeleted: string[]; SpaceReclaimed: number }> {
  checkFilters(filters, ['label', 'label!', 'until']);
  const until = untilFilter(filters);
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const container of context.registry.all()) {
    const { record } = container;
    if (isRunning(record.state)) continue;
    if (until !== undefined && (parseTime(record.created) ?? 0n) > until) continue;
    if (!matchLabels(filters, record.config.Labels) || !excludesLabels(filters, record.config.Labels)) continue;
    try {
      const size = await sizeOf(container);
      await remove(container);
      deleted.push(container.id);
      reclaimed += size;
    } catch (error) {
      // Somebody else started or removed it meanwhile: no longer ours to prune.
      if (!isClass(error, 'Conflict') && !isClass(error, 'NotFound')) {
        context.log.warn('could not prune a container', { container: container.id, error: String(error) });
      }
    }
  }
  context.events.publish({ type: 'container', action: 'prune', id: '', attributes: { reclaimed: String(reclaimed) } });
  return { ContainersDeleted: deleted, SpaceReclaimed: reclaimed };
}
