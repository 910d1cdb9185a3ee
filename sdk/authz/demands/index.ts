import type { Demand } from '../demand.js';
import type { Seen } from '../seen.js';
import { containerDemands } from './containers.js';
import { imageDemands } from './images.js';
import { listDemands } from './lists.js';
import { networkDemands } from './networks.js';
import { volumeDemands } from './volumes.js';

/** All that a request asks for. @throws Forbidden where that cannot be seen, or not in one way alone */
export function demandsOf(seen: Seen): Demand[] {
  const { action, params } = seen;
  const { object, effect, unseen } = action;
  return [
    ...(unseen ? [{ what: 'setting', setting: 'unseen', value: action.name } as const] : []),
    ...(object === undefined
      ? []
      : [{ what: 'object', type: object, name: params.name ?? '', use: useOf(action.name, effect) } as const]),
    ...listDemands(seen),
    ...containerDemands(seen),
    ...imageDemands(seen),
    ...networkDemands(seen),
    ...volumeDemands(seen),
  ];
}

/** A network that is connected to, or an image that gets another name, is used and not changed. */
function useOf(name: string, effect: Seen['action']['effect']): 'look' | 'use' | 'change' {
  if (effect === 'look') return 'look';
  return ['image:tag', 'network:connect', 'network:disconnect'].includes(name) ? 'use' : 'change';
}
