import type { PluginResource } from '@cleat/protocol/api/plugin';
import { capabilitiesOf } from '@cleat/protocol/plugins/types';
import type { Filters } from '../../events/service.js';
import { booleanFilter, checkFilters, filterValues } from '../../filters.js';
import type { Context } from '../context.js';
import { resourceOf } from '../resource.js';

/**
 * By name. A plugin of several types has each of their capabilities; Docker lists it only where the filter names all of them.
 * @throws InvalidParameter for an unknown filter, or a value that it cannot have
 */
export function list({ registry, running }: Pick<Context, 'registry' | 'running'>, filters: Filters): PluginResource[] {
  checkFilters(filters, ['enabled', 'capability']);
  const enabled = booleanFilter(filters, 'enabled');
  const wanted = filterValues(filters, 'capability');
  return registry
    .all()
    .filter(({ record }) => enabled === undefined || enabled === record.enabled)
    .filter(({ manifest }) => !wanted || capabilitiesOf(manifest).some((capability) => wanted.includes(capability)))
    .sort((a, b) => (a.record.name < b.record.name ? -1 : 1))
    .map((plugin) => resourceOf(plugin, running.status(plugin.id)));
}
