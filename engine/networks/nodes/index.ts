import type { Extensions } from '@cleat/extensions/service';
import { follow } from '@cleat/extensions/supervisor/follow';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { NetworksConfig } from '../../config.js';
import type { Drivers } from '../drivers.js';
import { readNodes } from './list.js';
import { NodeNews } from './news.js';

export interface NodesDeps {
  readonly config: Pick<NetworksConfig, 'nodeAddress' | 'nodeList'>;
  readonly extensions: Pick<Extensions, 'onChange'>;
  readonly drivers: Pick<Drivers, 'network' | 'networkCapabilities'>;
  readonly log: Logger;
}

/**
 * Has drivers that connect hosts told of this one and of those that the operator's list names. A list that cannot be
 * read changes nothing.
 * @returns what ends it
 */
export function announceNodes({ config, log, ...deps }: NodesDeps): () => void {
  const { nodeAddress: self, nodeList } = config;
  if (self === undefined) return () => {};
  const news = new NodeNews({ ...deps, log, self });
  let known = '';
  let complaint = '';
  const look = () => {
    try {
      const nodes = nodeList === undefined ? [] : readNodes(nodeList, self);
      complaint = '';
      const now = nodes.join();
      if (now === known) return;
      known = now;
      log.info('the list of nodes was read', { list: nodeList, nodes: nodes.length });
      news.replace(nodes);
    } catch (error) {
      const message = messageOf(error);
      if (message !== complaint) log.warn('the list of nodes is not used as it is now', { error: message });
      complaint = message;
    }
  };
  look();
  const unfollow = nodeList === undefined ? () => {} : follow(nodeList, look);
  return () => {
    unfollow();
    news.close();
  };
}
